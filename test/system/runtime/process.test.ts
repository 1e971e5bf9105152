/** A server as a process: how it starts, how it refuses to start, how it stops. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { request } from 'node:https'
import { connect as openSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { canary, leaks } from '../../support/canary.ts'
import { needs, program } from '../../support/needs.ts'
import {
  bootstrap,
  cleanEnvironment,
  exchange,
  makeSite,
  type Runtime,
  type Server,
  type Site,
  settingsOf,
  startEmpty,
  startServer,
} from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const LOCAL = ['bun', 'deno', 'node'] as const satisfies readonly Runtime[]
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-process-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/**
 * Runs `npm start`'s command with an environment of its own, until it ends or prints that it listens.
 *
 * @param meanwhile What is done while it listens.
 */
async function start(
  settings: Record<string, string>,
  meanwhile: (endpoint: string) => Promise<void> = async () => {},
): Promise<{ output: string; code: number | null }> {
  const path = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  const env = {
    PATH: path,
    HOME: folder,
    POSTERN_DATA: join(folder, 'data'),
    POSTERN_PORT: '0',
    POSTERN_SECRETS_DIR: import.meta.dirname,
    ...settings,
  }
  const child = spawn('bun', ['worker/bun.ts'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const listens = new Promise<void>((resolve) => {
    const note = (chunk: Buffer) => {
      output += chunk
      if (output.includes('"event":"started"')) resolve()
    }
    child.stdout.on('data', note)
    child.stderr.on('data', note)
  })
  const ended = once(child, 'exit')
  await Promise.race([listens, ended])
  const code = child.exitCode
  const endpoint = /listens on (\S+)/.exec(output)?.[1]
  if (endpoint !== undefined) await meanwhile(endpoint)
  child.kill('SIGTERM')
  await ended
  return { output, code }
}

function statusOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    }).on('error', reject)
  })
}

describe('the first start', () => {
  it('makes a root key, and writes a ticket for the owner of the folder at each start until it was used', async () => {
    const first = await start({})
    expect(first.output).toMatch(/Root key: .*root\.key, made now/)
    expect(statSync(join(folder, 'data/root.key')).mode & 0o777).toBe(0o600)
    const file = join(folder, 'data/bootstrap-ticket')
    expect(first.output).toContain(`  in ${file}\n`)
    const tickets = [readFileSync(file, 'utf8').trim()]
    let token = ''
    const second = await start({}, async (endpoint) => {
      tickets.push(readFileSync(file, 'utf8').trim())
      expect(statSync(file).mode & 0o777).toBe(0o600)
      token = await tokenFor(endpoint, tickets[1]!)
      expect(existsSync(file)).toBe(false)
      expect(statSync(join(folder, 'data/default.sqlite')).mode & 0o777).toBe(0o600)
    })
    expect(second.output).not.toContain('made now')
    expect(tickets[0]).not.toBe(tickets[1])
    const third = await start({}, async (endpoint) => {
      const client = connect({ endpoint, vault: 'default', token: new Redacted(token) })
      expect(await client.whoami()).toMatchObject({ principal: 'admin' })
    })
    expect([third.output.includes('icket'), existsSync(file)]).toEqual([false, false])
    const printed = [first, second, third].map(({ output }) => output).join()
    expect(leaks(printed, [...tickets, token])).toEqual([])
  })

  it('makes no vault by itself, and offers no ticket where another vault is there', async () => {
    const rootKey = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
    const settings = { POSTERN_ROOT_KEY: rootKey }
    const files = () => readdirSync(join(folder, 'data')).sort()
    await start(settings, async (endpoint) => {
      expect(files()).toEqual(['bootstrap-ticket', 'vaults.json'])
      await bootstrap(endpoint, { vault: 'acme', rootKey })
    })
    const { output } = await start(settings)
    expect([output.includes('icket'), files()]).toEqual([false, ['acme.sqlite', 'vaults.json']])
  })
})

/** Exchanges a ticket, and returns the token that it gave. */
async function tokenFor(endpoint: string, ticket: string): Promise<string> {
  const answer = await exchange(endpoint, 'default', new Redacted(ticket))
  expect(answer.status).toBe(201)
  return ((await answer.json()) as { token: string }).token
}

describe('a start that would go wrong', () => {
  it('names every wrong setting at once, and shows no value', async () => {
    const value = canary()
    const wrong = {
      POSTERN_PORT: value,
      POSTERN_ROOT_KEY: value,
      POSTERN_BOOTSTRAP_TOKEN: value,
      POSTERN_TYPO: value,
      POSTERN_HOST: '0.0.0.0',
    }
    const { output, code } = await start(wrong)
    expect(code).toBe(1)
    for (const name of Object.keys(wrong)) expect(output).toContain(`${name}: `)
    expect(leaks(output, [value])).toEqual([])
  })

  it('refuses a second process over the same data', async () => {
    const site = await makeSite()
    const server = await startServer('bun', site)
    const { output, code } = await start({ POSTERN_DATA: site.data, POSTERN_ROOT_KEY: site.rootKey })
    expect([code, output]).toEqual([1, expect.stringContaining('another process has it')])
    await server.stop()
    site.remove()
  })

  it('refuses data without the root key that sealed it, with another one, or with one that others can read', async () => {
    await start({}, async (endpoint) => {
      await tokenFor(endpoint, readFileSync(join(folder, 'data/bootstrap-ticket'), 'utf8').trim())
    })
    const key = join(folder, 'data/root.key')
    chmodSync(key, 0o644)
    expect(await start({})).toMatchObject({ code: 1, output: expect.stringContaining('readable by its owner only') })
    rmSync(key)
    expect(await start({})).toMatchObject({ code: 1, output: expect.stringContaining('Root key is missing') })
    expect(existsSync(key)).toBe(false)
    const other = { POSTERN_ROOT_KEY: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8' }
    expect(await start(other)).toMatchObject({ code: 1, output: expect.stringContaining('not the one that sealed') })
  })
})

describe.each(LOCAL)('on %s', (runtime) => {
  let site: Site
  let server: Server | undefined

  beforeEach(async () => {
    site = await makeSite()
  })

  afterEach(async () => {
    await server?.stop()
    server = undefined
    site.remove()
  })

  it('answers a request that came before it was told to stop, and then ends with 0', async () => {
    server = await startServer(runtime, site)
    const { hostname, port } = new URL(server.endpoint)
    const socket = openSocket(Number(port), hostname)
    const body = '{"value":"in time"}'
    const head = `PUT /v1/vaults/default/secrets/late HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\nAuthorization: Bearer ${site.token.reveal()}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    socket.write(head + body.slice(0, 5))
    await sleep(300)
    const stopped = server.stop()
    await sleep(300)
    socket.write(body.slice(5))
    let answer = ''
    for await (const chunk of socket) answer += chunk
    expect(answer).toMatch(/^HTTP\/1\.1 201 /)
    expect(await stopped).toBe(0)
    server = await startServer(runtime, site)
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    expect((await client.get('late')).value.reveal()).toBe('in time')
  })

  it('ends with 0 though a client keeps the connection over which its last request was answered', async () => {
    server = await startServer(runtime, site)
    const { hostname, port } = new URL(server.endpoint)
    const socket = openSocket(Number(port), hostname)
    const body = '{"value":"in time"}'
    const head = `PUT /v1/vaults/default/secrets/kept HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${site.token.reveal()}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    socket.write(head + body.slice(0, 5))
    await sleep(300)
    const stopped = server.stop()
    await sleep(300)
    socket.write(body.slice(5))
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk))
    socket.on('error', () => {})
    expect(await stopped).toBe(0)
    expect(answer).toMatch(/^HTTP\/1\.1 201 /)
    socket.destroy()
  })

  it('keeps serving after the reader of its output has exited', async () => {
    const command = { bun: 'bun worker/bun.ts', node: 'node worker/node.ts', deno: 'deno run -q -A worker/deno.ts' }
    const env = { ...cleanEnvironment(), ...settingsOf(site), POSTERN_DEBUG: 'true' }
    const child = spawn(command[runtime], {
      shell: true,
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    await expect.poll(() => output, { timeout: 60_000 }).toMatch(/listens on http/)
    const endpoint = /listens on (\S+)/.exec(output)![1]!
    child.stdout.destroy()
    child.stderr.destroy()
    // With POSTERN_DEBUG each of these is a line of the log, which nothing reads.
    for (let i = 0; i < 5; i++) expect(await statusOf(`${endpoint}/healthz`)).toBe(200)
    process.kill(-child.pid!, 'SIGTERM')
    await once(child, 'exit')
  })

  it('says in one line that its port is taken', async () => {
    server = await startServer(runtime, site)
    const other = await makeSite()
    const taken = startServer(runtime, other, { POSTERN_PORT: new URL(server.endpoint).port })
    const error = await taken.catch((error: Error) => error.message)
    other.remove()
    const place = new URL(server.endpoint).host.replaceAll('.', '\\.')
    expect(error).toMatch(
      new RegExp(
        `^Server did not start:\nServer cannot listen on ${place} \\(\\w+\\)\\. Another process listens there\\. Stop it, or set POSTERN_PORT\n$`,
      ),
    )
  })

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'an address of another machine',
      { POSTERN_HOST: '192.0.2.1', POSTERN_TRUSTED_PROXIES: '127.0.0.1/32', POSTERN_CLIENT_ADDRESS: 'forwarded' },
      /^Server cannot listen on 192\.0\.2\.1:\d+ \(\w+\)\. This is not an address of this machine\. Set POSTERN_HOST\n$/,
    ],
    [
      'a data folder that is a file',
      { POSTERN_DATA: '/dev/null' },
      /^POSTERN_DATA: \/dev\/null \(\w+\): Must be a folder that this user has or can make\./,
    ],
    [
      'a data folder below a file',
      { POSTERN_DATA: '/dev/null/data' },
      /^POSTERN_DATA: \/dev\/null\/data \(\w+\): Must be a folder that this user has or can make\./,
    ],
  ])('says in one line what is wrong with %s', async (_, more, message) => {
    const error = await startServer(runtime, site, more).catch((error: Error) => error.message)
    expect(String(error).replace(/^Server did not start:\n/, '')).toMatch(message)
  })

  it('leaves nothing of a destroyed value in any file', async () => {
    server = await startServer(runtime, site)
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    // The beginning of every envelope: magic, format, suite, and the length of a key id.
    const envelopes = () => {
      const files = ['default.sqlite', 'default.sqlite-wal'].map((name) => join(site.data, name)).filter(existsSync)
      return files.filter((file) => readFileSync(file).includes(Buffer.from([0x50, 0x53, 1, 1, 18])))
    }
    for (const value of ['one', 'two']) await client.put('gone', new Redacted(value), { idempotencyKey: value })
    expect(envelopes()).not.toEqual([])
    await client.destroy('gone', 'all')
    expect(envelopes()).toEqual([])
  })

  it('serves TLS with a certificate of its own', needs(program('openssl')), async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const made = spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ])
    expect(made.status).toBe(0)
    server = await startEmpty(runtime, site, { POSTERN_TLS__CERT_FILE: cert, POSTERN_TLS__KEY_FILE: key })
    expect(server.endpoint).toMatch(/^https:/)
    const asked = request(`${server.endpoint}/healthz`, { ca: readFileSync(cert) })
    asked.end()
    const [response] = await once(asked, 'response')
    response.resume()
    expect(response.statusCode).toBe(200)
    expect(response.headers['strict-transport-security']).toContain('max-age=')
  })

  it('row 12: gives up on a body that does not come, stores nothing of it, and serves others meanwhile', async () => {
    server = await startServer(runtime, site, { POSTERN_BODY_TIMEOUT_MS: '500', POSTERN_REQUEST_TIMEOUT_MS: '3000' })
    const { hostname, port } = new URL(server.endpoint)
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    await client.put('other', new Redacted('x'))
    const answers = Array.from({ length: 50 }, async (_, i) => {
      const socket = openSocket(Number(port), hostname)
      socket.on('error', () => {})
      const head = `PUT /v1/vaults/default/secrets/slow${i} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${site.token.reveal()}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`
      socket.write(`${head}{"value":"partial"}`)
      let answer = ''
      socket.on('data', (chunk) => (answer += chunk))
      await sleep(2000)
      socket.destroy()
      return answer.split('\r\n')[0]
    })
    expect((await client.get('other')).value.reveal()).toBe('x')
    for (const status of await Promise.all(answers)) expect(status).toMatch(/^HTTP\/1\.1 400 /)
    expect((await client.list({ prefix: 'slow' })).items).toEqual([])
  })
})
