/**
 * Clients that generators make of our OpenAPI document, as they come: they write and read any name. The generators are
 * installed into a temporary folder, from a lock file of their own, and what they make is not kept.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../core/client/client.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { cleanEnvironment, makeSite, type Server, type Site, startServer } from '../runtime/servers.ts'

/** A generated client, behind the two calls of each that a person would write. */
interface Generated {
  put(name: string, value: string): Promise<number | undefined>
  get(name: string): Promise<string | undefined>
}

const DOCUMENT = resolve(import.meta.dirname, '../../../docs/reference/api/openapi.json')
const SOURCES = join(import.meta.dirname, 'generators')
const NAMES = ['prod/db', 'MyApp/Prod/DB_Password', '.env/a+b=c@d', 'DATABASE_URL']

/** How each client is called, by its documentation: nothing is configured but the address and the token. */
const CALLS = {
  'openapi-fetch': `
    import createClient from 'openapi-fetch'
    import type { paths } from './fetch/schema'
    export function open(baseUrl: string, token: string) {
      const client = createClient<paths>({ baseUrl, headers: { Authorization: \`Bearer \${token}\` } })
      const at = (name: string) => ({ path: { vault: 'default', name } })
      return {
        async put(name: string, value: string) {
          const { data } = await client.PUT('/v1/vaults/{vault}/secrets/{name}', { params: at(name), body: { value } })
          return Number(data?.version)
        },
        async get(name: string) {
          const { data } = await client.GET('/v1/vaults/{vault}/secrets/{name}', { params: at(name) })
          // A text when it is sealed, which is not asked for here.
          return typeof data === 'object' ? data.value : undefined
        },
      }
    }`,
  'hey-api': `
    import { createClient } from './hey/client'
    import { putSecret, readSecret } from './hey/sdk.gen'
    export function open(baseUrl: string, token: string) {
      const client = createClient({ baseUrl, auth: token })
      return {
        async put(name: string, value: string) {
          const { data } = await putSecret({ client, path: { vault: 'default', name }, body: { value } })
          return Number(data?.version)
        },
        async get(name: string) {
          const { data } = await readSecret({ client, path: { vault: 'default', name } })
          return typeof data === 'object' ? data.value : undefined
        },
      }
    }`,
}

const folder = mkdtempSync(join(tmpdir(), 'postern-generated-'))
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: folder, env: cleanEnvironment(), encoding: 'utf8', stdio: 'pipe' })
const bin = (name: string) => join(folder, 'node_modules/.bin', name)

let site: Site
let server: Server

beforeAll(async () => {
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(SOURCES, file), join(folder, file))
  run('npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
  run(bin('openapi-typescript'), DOCUMENT, '-o', 'fetch/schema.d.ts')
  run(bin('openapi-ts'), '-i', DOCUMENT, '-o', 'hey', '--no-log-file')
  for (const [name, call] of Object.entries(CALLS)) writeFileSync(join(folder, `${name}.ts`), call)
  site = await makeSite()
  server = await startServer('node', site)
}, 300_000)

afterAll(async () => {
  await server?.stop()
  site?.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe.each(Object.keys(CALLS))('a client by %s', (name) => {
  it('compiles, as strictly as TypeScript can', () => {
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'esnext']
    run(bin('tsc'), ...options, '--moduleResolution', 'bundler', '--lib', 'es2023,dom,dom.iterable', `${name}.ts`)
  })

  it('writes and reads a secret under any name, unmodified', async () => {
    const outfile = join(folder, `${name}.mjs`)
    await build({ entryPoints: [join(folder, `${name}.ts`)], outfile, bundle: true, format: 'esm', platform: 'node' })
    const { open } = (await import(pathToFileURL(outfile).href)) as { open(url: string, token: string): Generated }
    const generated = open(server.endpoint, site.token.reveal())
    for (const secret of NAMES) {
      expect([secret, await generated.put(secret, `${name} wrote ${secret}`)]).toEqual([secret, expect.any(Number)])
      expect([secret, await generated.get(secret)]).toEqual([secret, `${name} wrote ${secret}`])
    }
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    for (const secret of NAMES) expect((await client.get(secret)).value.reveal()).toBe(`${name} wrote ${secret}`)
    expect((await client.list()).items.map((one) => one.name)).toEqual(NAMES.toSorted())
    const { entries } = await wholeLog(client)
    const written = entries.filter(({ operation }) => operation === 'secret.write').map(({ resource }) => resource)
    expect(written.slice(-NAMES.length)).toEqual(NAMES)
  })
})
