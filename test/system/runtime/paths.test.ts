/**
 * Paths as the runtimes hand them over: each spelling is one name, decided on and logged, or is refused.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeProof, makeProofKey } from '../../../core/authentication/dpop_proof.ts'
import { type Client, connect, signIn } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sendRaw } from '../../fuzz/raw.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'
import { startWorkerd } from './workerd.ts'

const SERVERS = [...RUNTIMES, 'workerd itself'] as const
const NAMES = ['prod/db', 'Prod/db', 'a/b', 'b', 'a+b=c@d', '.env', 'MyApp/Prod/DB_Password', 'a', 'none']

/** Spellings of names behind `secrets/`, and the name of each. */
const SPELLED: readonly [string, string][] = [
  ['prod/db', 'prod/db'],
  ['prod%2Fdb', 'prod/db'],
  ['prod%2fdb', 'prod/db'],
  ['p%72od/%64%62', 'prod/db'],
  ['%70%72%6F%64%2F%64%62', 'prod/db'],
  ['Prod/db', 'Prod/db'],
  ['%50rod%2Fdb', 'Prod/db'],
  ['MyApp/Prod/DB_Password', 'MyApp/Prod/DB_Password'],
  ['MyApp%2FProd%2FDB%5FPassword', 'MyApp/Prod/DB_Password'],
  ['a+b=c@d', 'a+b=c@d'],
  ['a%2Bb%3Dc%40d', 'a+b=c@d'],
  ['.env', '.env'],
  ['%2Eenv', '.env'],
  ['prod/db?', 'prod/db'],
  // Not there under this spelling: another case is another name.
  ['PROD/DB', 'PROD/DB'],
  ['myapp%2Fprod%2Fdb_password', 'myapp/prod/db_password'],
]

/** Spellings of no name, refused everywhere. */
const REFUSED = [
  ...['prod%252Fdb', 'prod%252fdb', '%2570rod/db', 'prod%25252Fdb', '%252e%252e%252fb'],
  ...['prod//db', 'prod%2F%2Fdb', '/prod/db', '%2Fprod/db', 'prod/db/', 'prod%2Fdb%2F'],
  ...['prod%5Cdb', '..%2Fdb', 'prod%2F..%2Fdb', 'prod%2F.%2Fdb', 'a%2F%2e%2e%2Fb', '..%5Cb'],
  ...['%00', 'prod%00db', 'prod%0Adb', 'prod%0d%0aX-Evil:1', 'prod%09db', 'prod%20db'],
  ...['%C3%BC', '\u00fc', '%EF%BC%A1', '%E2%84%AA', '%FF', '%c0%ae%c0%ae/b', '%ED%A0%80'],
  ...[
    '%',
    'prod%',
    'prod%2',
    '%zz',
    '%u002f',
    'prod%3Fversion=1',
    'prod%23x',
    'prod%3Adb',
    'prod;db',
    'prod~db',
    'prod*',
  ],
  ...['__proto__', 'a/%5F%5Fproto%5F%5F', 'constructor', 'a/%63onstructor', 'prototype/a', '-a', '+a'],
]

/** Spellings that a runtime may resolve before Postern sees them: refused, or decided on as the name. */
const RESOLVED: readonly [string, string][] = [
  ['a/./b', 'a/b'],
  ['a/../b', 'b'],
  ['a/%2e%2e/b', 'b'],
  ['a/.%2E/b', 'b'],
  ['a/%2e/b', 'a/b'],
  ['a\\b', 'a/b'],
  ['a/b/..', 'a/'],
  ['../secrets/b', 'b'],
]

/** Escapes in other parts of a path, refused everywhere. */
const OUTSIDE = [
  ...['/v1/vaults/default/%73ecrets/a', '/v1/vaults/%64efault/secrets/a', '/v1/vaults/default/secrets%2Fa'],
  ...['/v1/vaults/default%2Fsecrets/a', '/v1%2Fvaults/default/secrets/a', '/%68ealthz', '/v1/vaults/default/rules/%61'],
]

describe.each(SERVERS)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let client: Client

  beforeAll(async () => {
    site = await makeSite()
    const noLimits = { POSTERN_SECURITY__PRINCIPAL_RATE: 'none', POSTERN_SECURITY__SOURCE_RATE: 'none' }
    const settings = { ...noLimits, POSTERN_SECURITY__REFUSAL_RATE: 'none' }
    server =
      runtime === 'workerd itself' ? await startWorkerd(site, settings) : await startServer(runtime, site, settings)
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    for (const name of NAMES) await client.put(name, new Redacted(`value of ${name}`))
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  /** Sends a read over a socket, so that no client changes its path. */
  async function read(target: string): Promise<{ status: number; name?: string; value?: string; logged?: string }> {
    const { host } = new URL(server.endpoint)
    const before = (await client.auditEntries({ limit: 1 })).size
    const head = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${site.token.reveal()}\r\nConnection: close\r\n\r\n`
    const { text, statuses } = await sendRaw(server.endpoint, head, 20_000)
    const body = /\{.*\}/.exec(text)?.[0]
    const { entries } = await client.auditEntries({ from: before, limit: 100 })
    const logged = entries.map((entry) => JSON.parse(entry.body)).find(({ operation }) => operation === 'secret.read')
    const status = statuses[0] ?? 0
    return { status, ...(status === 200 && body !== undefined ? JSON.parse(body) : {}), logged: logged?.resource }
  }

  const secrets = '/v1/vaults/default/secrets/'

  it('rows 8, 9, 54: decides on the one name that a path spells, and logs it', async () => {
    for (const [spelling, name] of SPELLED) {
      const { status, value, logged, ...answer } = await read(secrets + spelling)
      expect([spelling, logged]).toEqual([spelling, name])
      if (!NAMES.includes(name)) expect([spelling, status]).toEqual([spelling, 404])
      else expect([spelling, answer.name, value]).toEqual([spelling, name, `value of ${name}`])
    }
  })

  it('rows 8, 9, 54: refuses a path that spells no name, and reads nothing', async () => {
    const wrong: unknown[] = []
    for (const path of [...REFUSED.map((spelling) => secrets + spelling), ...OUTSIDE]) {
      const { status, logged } = await read(path)
      if (status !== 400 || logged !== undefined) wrong.push({ path, status, logged })
    }
    expect(wrong).toEqual([])
  })

  it('rows 8, 9, 54: decides on a path that the runtime resolves as it was resolved, or refuses it', async () => {
    for (const [spelling, name] of RESOLVED) {
      const { status, logged, ...answer } = await read(secrets + spelling)
      if (status === 200) expect([spelling, answer.name, logged]).toEqual([spelling, name, name])
      else expect([spelling, status, logged]).toEqual([spelling, 400, undefined])
    }
    const { root, expectedRoot } = await wholeLog(client)
    expect(root).toBe(expectedRoot)
  })

  it('rows 20, 54: compares a proof with the target as it was sent, escapes and all', async () => {
    const key = await makeProofKey()
    const session = await signIn({ endpoint: server.endpoint, vault: site.vault, token: site.token, key })
    const token = session.token.reveal()
    let nonce: string | null = null
    const send = async (target: string, claimed: string): Promise<number> => {
      const proof = await makeProof(key, { method: 'GET', url: server.endpoint + secrets + claimed, token, nonce })
      const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
      const response = await fetch(server.endpoint + secrets + target, { headers })
      await response.body?.cancel()
      if (nonce !== null) return response.status
      nonce = response.headers.get('DPoP-Nonce')
      return send(target, claimed)
    }
    expect(await send('prod%2Fdb', 'prod%2Fdb')).toBe(200)
    expect(await send('prod/db', 'prod/db')).toBe(200)
    expect(await send('a+b=c@d', 'a+b=c@d')).toBe(200)
    expect((await session.client.get('MyApp/Prod/DB_Password')).version).toBe(1)
    for (const [target, claimed] of [
      ['prod%2Fdb', 'prod/db'],
      ['prod/db', 'prod%2Fdb'],
      ['prod%2Fdb', 'prod%2fdb'],
      ['prod/db', 'Prod/db'],
      ['a+b=c@d', 'a%2Bb=c@d'],
    ] as const) {
      expect([target, claimed, await send(target, claimed)]).toEqual([target, claimed, 401])
    }
  })

  it('answers HEAD where no vault is, and / for a person', async () => {
    for (const path of ['/', '/healthz', '/readyz']) {
      const response = await fetch(server.endpoint + path, { method: 'HEAD' })
      expect([path, response.status, await response.text()]).toEqual([path, 200, ''])
    }
    expect((await fetch(`${server.endpoint}${secrets}a`, { method: 'HEAD' })).status).toBe(405)
    expect(await (await fetch(server.endpoint)).text()).toContain('href="/docs"')
  })
})
