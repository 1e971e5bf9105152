/** What leaves a server: through the operator's proxy, and with the operator's authorities, alike on all runtimes. */
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:http'
import { createServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { canary, leaks } from '../../support/canary.ts'
import { startConnectProxy } from '../../support/connect_proxy.ts'
import { needs, program } from '../../support/needs.ts'
import { witnessOf } from '../../support/note_keys.ts'
import { makeAuthority, type PrivateAuthority } from '../../support/private_authority.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const NAMES = ['store', 'issuer', 'hook', 'sink', 'anchor', 'witness', 'traces', 'direct']
// The characters of a URL's user name.
const PASSWORD = 'p@ss:wörd/'

describe('with a private authority', needs(program('openssl')), () => {
  let authority: PrivateAuthority
  let folder: string
  let store: HttpsServer
  let port: number
  let proxy: Awaited<ReturnType<typeof startConnectProxy>>
  let site: Site
  let server: Server | undefined
  let admin: Client

  beforeAll(async () => {
    authority = makeAuthority()
    folder = mkdtempSync(join(tmpdir(), 'postern-outbound-'))
    store = await startStore(
      authority.issue(['IP:127.0.0.1', 'DNS:localhost', ...NAMES.map((one) => `DNS:${one}.test`)].join()),
    )
    port = (store.address() as AddressInfo).port
    proxy = await startConnectProxy()
  })

  beforeEach(async () => {
    site = await makeSite()
    proxy.seen.length = 0
    proxy.status = 200
  })

  afterEach(async () => {
    await server?.stop()
    server = undefined
    site.remove()
  })

  afterAll(() => {
    store?.closeAllConnections()
    store?.close()
    proxy?.close()
    authority?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(runtime: 'bun' | 'deno' | 'node', settings: Record<string, string>) {
    server = await startServer(runtime, site, settings)
    admin = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    if (settings.POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL !== undefined) {
      await admin.putChain('all', { resource: 'h/**', members: [{ provider: 'http' }] })
    }
  }

  const urlOf = (name: string) => `https://${name}.test:${port}/${name}`
  const hosts = () =>
    [...new Set(proxy.seen.map(({ line }) => line.replace(/^CONNECT (.*)\.test:[0-9]+$/, '$1')))].sort()
  const failureOf = async () => (await admin.providers()).items[0]!.lastFailure

  describe.each(['bun', 'deno', 'node'] as const)('on %s', (runtime) => {
    it('row 70: sends every request through the proxy, and none around it', async () => {
      const { key } = await witnessOf('w.example/1')
      const credentials = `user:${encodeURIComponent(PASSWORD)}`
      await start(runtime, {
        POSTERN_CA_FILE: authority.caFile,
        POSTERN_PROXY: `http://${credentials}@${proxy.host}`,
        POSTERN_NO_PROXY: 'other.test, .example.com',
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: urlOf('store'),
        POSTERN_AUDIT__SINK_URL: urlOf('sink'),
        POSTERN_AUDIT__ANCHOR: urlOf('anchor'),
        POSTERN_AUDIT__WITNESSES: `${urlOf('witness')} ${key}`,
        POSTERN_AUDIT__PUBLISH_SECONDS: '1',
        POSTERN_TRACES__URL: urlOf('traces'),
      })
      expect((await admin.get('h/one')).value.reveal()).toBe('from the store')
      await admin.putIssuer('ci', {
        ...{ issuer: urlOf('issuer'), audience: 'postern', claims: { sub: ['s'] } },
        principal: 'admin',
      })
      await signIn(`${server!.endpoint}/v1/vaults/default/sessions`, urlOf('issuer'))
      await admin.put('turns', new Redacted('first'))
      await admin.putHook('h', { url: urlOf('hook') })
      await admin.putRotation('turns', {
        rotateEvery: 'P1D',
        target: { kind: 'webhook', hook: 'h' },
        generate: { kind: 'uuid' },
      })
      await admin.rotate('turns')
      const all = NAMES.filter((name) => name !== 'direct').sort()
      await expect.poll(hosts, { timeout: 30_000, interval: 100 }).toEqual(all)
      const basic = `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`
      expect(new Set(proxy.seen.map(({ authorization }) => authorization))).toEqual(new Set([basic]))
      for (const secret of [PASSWORD, credentials, basic]) expect(server!.output()).not.toContain(secret)
    })

    it('reaches loopback and the exempt hosts without the proxy', async () => {
      await start(runtime, {
        POSTERN_CA_FILE: authority.caFile,
        POSTERN_PROXY: `http://${proxy.host}`,
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: `https://localhost:${port}/{name}`,
        POSTERN_PROVIDERS__ALLOW_LOOPBACK: 'true',
      })
      expect((await admin.get('h/one')).value.reveal()).toBe('from the store')
      expect(hosts()).toEqual([])
    })

    it('reports a proxy that refuses, with the code that every runtime has for it', async () => {
      proxy.status = 407
      await start(runtime, {
        POSTERN_PROXY: `http://${proxy.host}`,
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: urlOf('store'),
      })
      await expect(admin.get('h/one')).rejects.toMatchObject({ code: 'unavailable' })
      expect(await failureOf()).toMatchObject({ kind: 'unavailable', code: 'ERR_PROXY_TUNNEL' })
    })

    it('trusts a private authority by its file alone, and reads the file again when it changes', async () => {
      const caFile = join(folder, `${runtime}.pem`)
      const other = makeAuthority()
      copyFileSync(other.caFile, caFile)
      other.remove()
      await start(runtime, {
        POSTERN_CA_FILE: caFile,
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: `https://localhost:${port}/{name}`,
        POSTERN_PROVIDERS__ALLOW_LOOPBACK: 'true',
        POSTERN_PROVIDERS__RECOVERY_MS: '10',
      })
      const read = () =>
        admin.get('h/one').then(
          ({ value }) => value.reveal(),
          (error) => error.code,
        )
      expect(await read()).toBe('unavailable')
      expect(await failureOf()).toMatchObject({ kind: 'unavailable', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
      copyFileSync(authority.caFile, caFile)
      await expect.poll(read, { timeout: 20_000, interval: 200 }).toBe('from the store')
      // A file that is being written, or damaged, changes nothing.
      writeFileSync(caFile, canary())
      expect(await read()).toBe('from the store')
      expect(server!.output()).toContain('"authorities_unreadable","setting":"POSTERN_CA_FILE"')
    })

    it('trusts the authority of a provider for that provider alone', async () => {
      const own = `https://localhost:${port}/{name}`
      await start(runtime, {
        POSTERN_PROVIDERS__ALLOW_LOOPBACK: 'true',
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: own,
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_CA_FILE: authority.caFile,
        POSTERN_PROVIDERS__EU__KIND: 'http',
        POSTERN_PROVIDERS__EU__URL: own,
        POSTERN_PROVIDERS__EU__VAULTS: 'default',
      })
      await admin.putChain('eu', { resource: 'eu/**', members: [{ provider: 'eu' }] })
      expect((await admin.get('h/one')).value.reveal()).toBe('from the store')
      await expect(admin.get('eu/one')).rejects.toMatchObject({ code: 'unavailable' })
      const line = server!
        .output()
        .split('\n')
        .find((one) => one.includes('"provider_state"'))
      expect(line).toContain('"provider":"eu"')
      expect(line).toContain('"code":"UNABLE_TO_VERIFY_LEAF_SIGNATURE"')
      expect(line).toContain('POSTERN_CA_FILE')
    })

    it.each([
      ['CERT_HAS_EXPIRED', () => authority.issue('DNS:localhost', { isExpired: true })],
      ['ERR_TLS_CERT_ALTNAME_INVALID', () => authority.issue('DNS:other.test')],
      ['DEPTH_ZERO_SELF_SIGNED_CERT', () => authority.selfSigned('DNS:localhost')],
      ['ERR_SSL_WRONG_VERSION_NUMBER', () => null],
      ['ECONNREFUSED', () => undefined],
    ])('reports the failure %s by one code', async (code, made) => {
      const pair = made()
      const other = pair ? await startStore(pair) : createPlainServer((_, response) => response.end())
      if (!pair) await once(other.listen(0, '127.0.0.1'), 'listening')
      const at = (other.address() as AddressInfo).port
      if (pair === undefined) await new Promise((resolve) => other.close(resolve))
      await start(runtime, {
        POSTERN_CA_FILE: authority.caFile,
        POSTERN_PROVIDERS__ALLOW_LOOPBACK: 'true',
        POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: `https://localhost:${at}/{name}`,
      })
      await expect(admin.get('h/one')).rejects.toMatchObject({ code: 'unavailable' })
      expect(await failureOf()).toMatchObject({ kind: 'unavailable', code })
      other.closeAllConnections()
      other.close()
    })

    it('reports a name that does not exist by one code', async () => {
      await start(runtime, { POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: 'https://nowhere.invalid/{name}' })
      await expect(admin.get('h/one')).rejects.toMatchObject({ code: 'unavailable' })
      expect((await failureOf())?.code).toMatch(/^(?:ENOTFOUND|EAI_AGAIN)$/)
    })

    it('does not start with a file of authorities that has none', async () => {
      const caFile = join(folder, 'wrong.pem')
      for (const [text, message] of [
        [canary(), 'Must be a PEM file with a certificate'],
        [authority.issue('DNS:a.test').key, 'It has a key or a request instead'],
        ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'certificate 1 of 1 is damaged'],
      ] as const) {
        writeFileSync(caFile, text)
        const error = await startServer(runtime, site, { POSTERN_CA_FILE: caFile }).catch(
          (error: Error) => error.message,
        )
        expect(error).toContain(message)
        expect(leaks(String(error), [text])).toEqual([])
      }
      const gone = join(folder, 'gone.pem')
      const error = await startServer(runtime, site, { POSTERN_CA_FILE: gone }).catch((error: Error) => error.message)
      expect(error).toContain('POSTERN_CA_FILE: Must be a file that can be read (ENOENT)')
    })
  })

  async function startStore(pair: { cert: string; key: string }): Promise<HttpsServer> {
    const made = createServer(pair, (request, response) => {
      const status = request.method === 'GET' && request.url?.startsWith('/anchor/') ? 404 : 200
      response.writeHead(status, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ value: 'from the store', keys: [] }))
      request.resume()
    })
    made.listen(0, '127.0.0.1')
    await once(made, 'listening')
    return made
  }
})

/** Signs in with an assertion that only the keys of its issuer could refuse. */
async function signIn(url: string, issuer: string): Promise<void> {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const [now, head] = [Math.floor(Date.now() / 1000), { alg: 'RS256', kid: 'k', typ: 'JWT' }]
  const claims = { iss: issuer, aud: 'postern', sub: 's', iat: now, exp: now + 300, jti: 'j' }
  const assertion = `${part(head)}.${part(claims)}.AAAA`
  const body = JSON.stringify({ assertion })
  const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
  expect([401, 503]).toContain(answer.status)
}
