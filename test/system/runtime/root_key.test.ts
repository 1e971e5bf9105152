/** Another root key over HTTP, on each runtime: everything reads with the former one beside the new one, and without it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintToken } from '../../../core/authentication/token.ts'
import { base64url, randomBytes } from '../../../core/bytes.ts'
import { type Client, connect, signIn } from '../../../core/client/client.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { authenticator } from '../../support/authenticator.ts'
import { codeOf } from '../../support/codes.ts'
import { until } from '../../support/until.ts'
import { bootstrap, makeSite, RUNTIMES, type Server, type Site, startEmpty, startServer } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const SECRETS = 260

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let admin: Client
  const at = () => ({ endpoint: server.endpoint, vault: site.vault })
  const newKey = base64url(randomBytes(32))
  const keys = { old: {} as Record<string, string>, both: {}, alone: {}, swapped: {} } as Record<string, object>
  const serve = async (settings: object, token?: Redacted<string>) => {
    await server?.stop()
    server = await startServer(runtime, site, {
      POSTERN_LOG_ORIGIN: 'example.com/audit',
      ...(settings as Record<string, string>),
    })
    admin = connect({ ...at(), token: token ?? site.token })
  }
  /** A request that the client has no name for. */
  const ask = async (token: Redacted<string>, path: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${token.reveal()}`, 'Content-Type': 'application/json', ...init.headers }
    const response = await fetch(`${server.endpoint}/v1/vaults/default/${path}`, { ...init, headers })
    return { status: response.status, body: await response.json() }
  }
  const putOnce = (token: Redacted<string>) =>
    ask(token, 'secrets/once', {
      method: 'PUT',
      body: '{"value":"canary-once"}',
      headers: { 'Idempotency-Key': 'one-request' },
    })
  const verify = async (token: Redacted<string>, ...args: string[]) => {
    const env = { ...process.env, TOKEN: token.reveal() }
    const command = ['cli/audit_verify.ts', '--url', server.endpoint, '--vault', 'default', ...args]
    const child = spawn('node', command, { cwd: ROOT, env })
    const outputs = [child.stdout, child.stderr].map((stream) => textOf(stream))
    const [code] = (await once(child, 'exit')) as [number | null]
    return { code, said: (await Promise.all(outputs)).join('').trim() }
  }
  const expectSecrets = async (client: Client) => {
    for (const i of [0, 1, SECRETS - 1]) expect((await client.get(`s/${i}`)).value.reveal()).toBe(`canary ${i}`)
  }
  const rootKeys = async () => (await admin.terms()).rootKeys

  let oldLogKey: string
  let renewedLogKey: string
  let cursor: string
  let session: Redacted<string>
  let ann: Redacted<string>
  let nextCode: () => Promise<string>
  let codeOfBen: () => Promise<string>
  let recoveryCodes: string[]
  let newToken: Redacted<string>

  beforeAll(async () => {
    site = await makeSite()
    const [POSTERN_ROOT_KEY, rest] = [newKey, site.rootKey]
    keys.both = { POSTERN_ROOT_KEY, POSTERN_FORMER_ROOT_KEYS: rest }
    keys.alone = { POSTERN_ROOT_KEY }
    keys.swapped = { POSTERN_ROOT_KEY: rest, POSTERN_FORMER_ROOT_KEYS: newKey }
    await serve({})
    const names = Array.from({ length: SECRETS }, (_, i) => i)
    for (let i = 0; i < SECRETS; i += 20) {
      await Promise.all(names.slice(i, i + 20).map((n) => admin.put(`s/${n}`, new Redacted(`canary ${n}`))))
    }
    expect((await putOnce(site.token)).body).toMatchObject({ version: 1 })
    await admin.putPrincipal('ann', { kind: 'user' })
    await admin.putRule('ann', { effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' })
    ann = (await admin.createToken({ principal: 'ann' })).token
    const signedIn = await signIn({ ...at(), token: ann })
    const { uri } = await signedIn.client.enrolTotp()
    nextCode = authenticator(uri)
    recoveryCodes = (await signedIn.client.confirmTotp(await nextCode())).recoveryCodes.reveal()
    session = signedIn.token
    await admin.putPrincipal('ben', { kind: 'user' })
    const ben = await signIn({ ...at(), token: (await admin.createToken({ principal: 'ben' })).token })
    codeOfBen = authenticator((await ben.client.enrolTotp()).uri)
    await ben.client.confirmTotp(await codeOfBen())
    await admin.putHook('h', { url: 'https://x.example/' })
    cursor = (await admin.list({ limit: 100 })).cursor!
    oldLogKey = await admin.auditKey()
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('is not opened with the new one alone, and loses nothing by the attempt', async () => {
    if (runtime === 'workerd') {
      // Its object stays closed; why is for the operator's log.
      await serve(keys.alone!, await tokenUnder(newKey))
      expect(await codeOf(admin.get('s/0'))).toBe('unavailable')
    } else await expect(serve(keys.alone!)).rejects.toThrow('Root key is not the one that sealed this vault')
  })

  it('takes the place of the former one while that is beside it, and everything is good', async () => {
    await serve(keys.both!)
    await expectSecrets(connect({ ...at(), token: ann }))
    await expectSecrets(connect({ ...at(), token: session }))
    // What only a keyed hash is kept of: a code, a repeated request, a place in a list.
    const recovered = await signIn({ ...at(), token: ann, recoveryCode: recoveryCodes[0]! })
    expect((await recovered.client.whoami()).recoveryCodesLeft).toBe(9)
    await signIn({ ...at(), token: ann, code: await nextCode() })
    expect(await putOnce(site.token)).toMatchObject({ body: { version: 1 } })
    const { items } = await admin.list({ limit: 100, cursor })
    expect(items[0]!.name).not.toBe((await admin.list({ limit: 1 })).items[0]!.name)
    await admin.put('s/new', new Redacted('canary new'))
  })

  it('shows when all has moved, and who still has something of the former one', async () => {
    const [current, former] = await until(rootKeys, ([, former]) => former?.needed === false)
    expect(current).toMatchObject({ state: 'current', given: true, needed: true })
    // The administrator's token, ann's and ben's; the sessions that she opened since are of the new one.
    expect(former).toMatchObject({ state: 'former', given: true, tokens: 3, principals: 3, recoveryCodes: 2 })
    const moved = (await admin.terms()).items[0]!
    expect(moved).toMatchObject({ term: 2, state: 'current', failed: 0, rootKey: current!.id })
    expect(moved.moved).toBeGreaterThanOrEqual(SECRETS + 3)
    const { token } = await admin.createToken({ principal: 'admin' })
    newToken = token
    const tokens = (await ask(newToken, 'tokens')).body.items as { principal: string; rootKey: string }[]
    const of = (id: string) => tokens.filter(({ rootKey }) => rootKey === id).map(({ principal }) => principal)
    expect([of(former!.id), of(current!.id)]).toEqual([['admin', 'ann', 'ben'], ['admin']])
    await expectSecrets(connect({ ...at(), token: ann }))
  })

  it('has its log verify as a whole, with the key of before', async () => {
    const keysNow = (await admin.auditKey()).split('\n')
    expect(keysNow).toHaveLength(2)
    expect(keysNow[1]).toBe(oldLogKey)
    renewedLogKey = keysNow[0]!
    await sleep(1100)
    expect(await verify(site.token, '--key', oldLogKey)).toEqual({
      code: 0,
      said: expect.stringContaining(`Its key was changed: ${renewedLogKey}`),
    })
  })

  it('does without the former one, whose tokens end with it', async () => {
    const annAgain = (await admin.createToken({ principal: 'ann' })).token
    const benAgain = (await admin.createToken({ principal: 'ben' })).token
    await serve(keys.alone!, newToken)
    await expectSecrets(admin)
    expect((await admin.get('s/new')).value.reveal()).toBe('canary new')
    for (const dead of [site.token, ann, session]) {
      expect(await codeOf(connect({ ...at(), token: dead }).get('s/0'))).toBe('unauthenticated')
    }
    expect((await rootKeys()).map(({ given, needed }) => [given, needed])).toEqual([
      [true, true],
      [false, false],
    ])
    // The second factor has moved; the recovery codes have not.
    expect((await signIn({ ...at(), token: benAgain, code: await codeOfBen() })).session.principal).toBe('ben')
    const recovery = signIn({ ...at(), token: annAgain, recoveryCode: recoveryCodes[1]! })
    expect(await codeOf(recovery)).toBe('unauthenticated')
    await sleep(1100)
    expect((await verify(newToken, '--key', oldLogKey)).code).toBe(2)
    expect(await verify(newToken, '--key', renewedLogKey, '--key', oldLogKey)).toMatchObject({ code: 0 })
  })

  it('is not given up for the former one, though they are given the other way round', async () => {
    if (runtime === 'workerd') {
      await serve(keys.swapped!)
      expect(await codeOf(admin.get('s/0'))).toBe('unavailable')
    } else await expect(serve(keys.swapped!, newToken)).rejects.toThrow('cannot return')
    await serve(keys.alone!, newToken)
    await expectSecrets(admin)
  })
})

async function tokenUnder(rootKey: string): Promise<Redacted<string>> {
  const keyring = await Keyring.open(parseRootKey(rootKey))
  return mintToken('default', await keyring.macKey('default', 'token')).text
}

describe.each(RUNTIMES.filter((runtime) => runtime !== 'workerd'))('root:replace, on %s', (runtime) => {
  it('has the server move to a key in the data folder, also when it is killed meanwhile', async () => {
    const site = await makeSite()
    // No root key is set: it is made in the folder, and so is the ticket.
    site.rootKey = ''
    let server = await startEmpty(runtime, site)
    const rootKey = readFileSync(join(site.data, 'root.key'), 'utf8').trim()
    site.token = await bootstrap(server.endpoint, { vault: 'default', rootKey })
    const { token } = site
    const client = () => connect({ endpoint: server.endpoint, vault: 'default', token })
    for (let i = 0; i < 30; i++) await client().put(`s/${i}`, new Redacted(`canary ${i}`))
    await server.stop()
    const before = readFileSync(join(site.data, 'root.key'), 'utf8')
    const env = { ...process.env, POSTERN_DATA: site.data, POSTERN_SECRETS_DIR: import.meta.dirname }
    const replace = () => spawnSync('node', ['cli/root_replace.ts', '--yes'], { cwd: ROOT, encoding: 'utf8', env })
    const made = replace()
    expect([made.status, made.stderr]).toEqual([0, ''])
    expect(made.stdout).not.toContain(before.trim())
    expect(readFileSync(join(site.data, 'root.former.key'), 'utf8')).toBe(before)
    expect(statSync(join(site.data, 'root.key')).mode & 0o777).toBe(0o600)
    expect(replace()).toMatchObject({ status: 1, stderr: expect.stringContaining('exists already') })
    server = await startServer(runtime, site)
    expect(server.output()).toMatch(/Former root key [0-9a-f]{16}: needed by 1 of 1 vaults/)
    await server.kill()
    server = await startServer(runtime, site)
    await until(
      () => client().terms(),
      ({ rootKeys }) => rootKeys.length === 2 && rootKeys[1]!.needed === false,
    )
    expect((await client().get('s/29')).value.reveal()).toBe('canary 29')
    await server.stop()
    server = await startServer(runtime, site)
    expect(server.output()).toMatch(/Former root key [0-9a-f]{16}: no vault needs it any more, so it can be removed/)
    await server.stop()
    site.remove()
  })
})
