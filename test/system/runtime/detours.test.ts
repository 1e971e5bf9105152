/** Servers send requests only to configured places, regardless of the environment; commands print help without side effects. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { base64url, randomBytes } from '../../../core/bytes.ts'
import { connect } from '../../../core/client/client.ts'
import { canary, leaks } from '../../support/canary.ts'
import { cleanEnvironment, makeSite, type Server, type Site, startServer } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

async function listen(server: HttpServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('a proxy in the environment', () => {
  const proxied: string[] = []
  // The characters of a header.
  const token = canary().replace(/[^!-~]/g, '')
  const proxy = createServer((request, response) => {
    proxied.push(`${request.method} ${request.url}`)
    response.end('{"value":"from the proxy"}')
  })
  proxy.on('connect', (request: { url?: string }, socket: Socket) => {
    proxied.push(`CONNECT ${request.url}`)
    socket.on('error', () => {})
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  const store = createServer((request, response) => {
    const isOurs = request.headers.authorization === `Bearer ${token}`
    response.writeHead(isOurs ? 200 : 401, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ value: 'from the store' }))
  })
  const detours: Record<string, string> = {}
  const provider: Record<string, string> = {}
  let site: Site
  let server: Server | undefined

  beforeAll(async () => {
    const address = `http://127.0.0.1:${await listen(proxy)}`
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
      detours[name] = address
    }
    const url = `http://127.0.0.1:${await listen(store)}/{name}`
    provider.POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL = url
    provider.POSTERN_PROVIDERS__CUSTOM_PROVIDER_TOKEN = token
    provider.POSTERN_PROVIDERS__ALLOW_LOOPBACK = 'true'
  })

  afterEach(async () => {
    await server?.stop()
    server = undefined
    site.remove()
    proxied.length = 0
  })

  afterAll(() => {
    proxy.close()
    store.close()
  })

  it.each(['bun', 'deno', 'node'] as const)(
    'row 70: takes no request of a server on %s, which names the variables once',
    async (runtime) => {
      site = await makeSite()
      server = await startServer(runtime, site, { ...provider, ...detours, NO_PROXY: '' })
      const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
      await client.putChain('all', { resource: 'h/**', members: [{ provider: 'http' }] })
      expect((await client.get('h/one')).value.reveal()).toBe('from the store')
      expect(proxied).toEqual([])
      const lines = server.output().split('\n')
      const ignored = lines.filter((line) => line.includes('"environment_ignored"'))
      expect(ignored.map((line) => JSON.parse(line).variables)).toEqual([[...Object.keys(detours), 'NO_PROXY'].sort()])
      expect(leaks(server.output(), [token])).toEqual([])
    },
  )

  it('row 70: stops Node from starting where its own proxy agent is on, and says which variable does that', async () => {
    site = await makeSite()
    for (const agent of [{ NODE_USE_ENV_PROXY: '1' }, { NODE_OPTIONS: '--use-env-proxy' }]) {
      const started = startServer('node', site, { ...provider, ...detours, ...agent } as Record<string, string>)
      const error = await started.catch((error: Error) => error)
      expect((error as Error).message).toContain('NODE_USE_ENV_PROXY: Node would send requests')
    }
    expect(proxied).toEqual([])
  })

  it('row 70: stops Bun from starting where it would print requests with their credentials', async () => {
    site = await makeSite()
    const started = startServer('bun', site, { ...provider, BUN_CONFIG_VERBOSE_FETCH: 'curl' })
    const error = await started.catch((error: Error) => error)
    expect((error as Error).message).toContain('BUN_CONFIG_VERBOSE_FETCH: Bun would print each request')
  })

  it('row 70: is not asked for a newer Deno by npm run start:deno', async () => {
    site = await makeSite()
    const env = { ...cleanEnvironment(), ...detours, POSTERN_DATA: site.data, POSTERN_PORT: '0' }
    const child = spawn('npm', ['run', '-s', 'start:deno'], {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    await expect.poll(() => output, { timeout: 60_000, interval: 50 }).toContain('"started"')
    // Deno looks for a newer version as soon as it runs, so it had the whole start for it.
    process.kill(-child.pid!, 'SIGTERM')
    await once(child, 'exit')
    expect(proxied).toEqual([])
  })
})

describe('certificates that the environment says not to check', () => {
  it.each(['bun', 'node'] as const)('row 70: are checked on %s all the same', async (runtime) => {
    const site = await makeSite()
    const server = await startServer(runtime, site, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
    expect(server.output()).toMatch(
      /"environment_ignored","variables":\["NODE_TLS_REJECT_UNAUTHORIZED"\],"message":"Set POSTERN_CA_FILE for a private authority"/,
    )
    await server.stop()
    site.remove()
  })
})

describe('the commands of an operator', () => {
  const scripts = [
    ...['backup_now', 'restore', 'root_replace', 'import', 'audit_verify', 'forget_vault', 'mint', 'recover', 'keygen'],
  ]
  const folders: string[] = []
  const folder = () => folders[folders.push(mkdtempSync(join(tmpdir(), 'postern-command-'))) - 1]!

  afterAll(() => {
    for (const path of folders) rmSync(path, { recursive: true, force: true })
  })

  function run(script: string, args: string[], data: string) {
    const env = { ...cleanEnvironment(), POSTERN_DATA: data, POSTERN_SECRETS_DIR: undefined }
    return spawnSync('node', [`cli/${script}.ts`, ...args], { cwd: ROOT, env, encoding: 'utf8', input: '' })
  }

  it.each(scripts)('%s prints its help and does nothing, with any other arguments', (script) => {
    const data = folder()
    for (const args of [['--help'], ['-h'], ['x', '--yes', '--help']]) {
      const ran = run(script, args, data)
      expect([ran.status, ran.stderr]).toEqual([0, ''])
      expect(ran.stdout).toMatch(/^npm run (?:-s )?[a-z:]+/)
    }
    expect(readdirSync(data)).toEqual([])
  })

  it.each(scripts)('%s refuses an option that it does not know, and does not repeat it', (script) => {
    const data = folder()
    const value = canary()
    for (const args of [[`--${value}`], ['--tokn', value], ['FILE', 'other', value]]) {
      const ran = run(script, args, data)
      expect(ran.status).toBe(1)
      expect(ran.stderr).toMatch(/^(?:An option is unknown|Arguments must be|No argument)/)
      expect(leaks(ran.stdout + ran.stderr, [value])).toEqual([])
    }
    expect(readdirSync(data)).toEqual([])
  })

  it('say which file, option or vault is wrong', () => {
    const data = folder()
    writeFileSync(join(data, 'root.key'), `${base64url(randomBytes(32))}\n`, { mode: 0o600 })
    const gone = join(data, 'gone')
    const key = 'postern.invalid/audit/default+9176c43c+Af4kI1PmfwyF272a9UVp27O8qegqaKfhEhHrmJP1LgTM'
    for (const [script, args, message] of [
      ['audit_verify', ['--file', gone, '--checkpoint', gone, '--key', key], `${gone} does not exist`],
      ['audit_verify', [], '--key must be given: see --help'],
      ['restore', [gone, '--yes'], `Backup cannot be restored: ${gone} does not exist`],
      [
        'recover',
        ['acme', '--reason', 'x', '--without-approvals', '0'],
        '--without-approvals: Must be 1 to 60 minutes',
      ],
      [
        'recover',
        ['acme', '--reason', 'x', '--without-approvals', '61'],
        '--without-approvals: Must be 1 to 60 minutes',
      ],
      ['forget_vault', ['acmee', '--yes'], `No vault acmee was served from ${data}: there is nothing to forget`],
    ] as const) {
      const ran = run(script, [...args], data)
      expect([script, ran.status, ran.stdout]).toEqual([script, 1, ''])
      expect(ran.stderr).toContain(message)
    }
  })

  it('root_replace asks first, and changes nothing where it cannot ask', () => {
    const data = folder()
    const key = join(data, 'root.key')
    const before = `${base64url(randomBytes(32))}\n`
    writeFileSync(key, before, { mode: 0o600 })
    const refused = run('root_replace', [], data)
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('add --yes')])
    expect(readFileSync(key, 'utf8')).toBe(before)
    expect(existsSync(join(data, 'root.former.key'))).toBe(false)
    expect(run('root_replace', ['--yes'], data).status).toBe(0)
    expect(readFileSync(join(data, 'root.former.key'), 'utf8')).toBe(before)
  })
})
