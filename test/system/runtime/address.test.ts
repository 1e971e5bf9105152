/** The address of a client: the peer of its connection, regardless of its headers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, type Server, type Site, startEmpty, startServer } from './servers.ts'

/** Headers of proxies, which any client can send too. */
const SAID = {
  'CF-Connecting-IP': '10.9.9.9',
  Forwarded: 'for=10.9.9.9',
  'True-Client-IP': '10.9.9.9',
  'X-Client-IP': '10.9.9.9',
  'X-Forwarded-For': '10.9.9.9',
  'X-Real-IP': '10.9.9.9',
}

// On Workers, Cloudflare's edge reports the address. A development server is not that edge.
describe.each(['bun', 'deno', 'node'] as const)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let admin: Client

  beforeAll(async () => {
    site = await makeSite()
  })

  afterAll(() => site?.remove())

  async function start(extra: Record<string, string> = {}) {
    server = await startServer(runtime, site, extra)
    admin = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
  }

  /** Reads as a principal who may read only from 10.0.0.0/8. @returns The status and the recorded address. */
  async function readSaying(token: Redacted<string>, headers: Record<string, string>) {
    const response = await fetch(`${server.endpoint}/v1/vaults/default/secrets/prod/db`, {
      headers: { Authorization: `Bearer ${token.reveal()}`, ...headers },
    })
    await response.text()
    const { bodies } = await wholeLog(admin)
    const index = Number(response.headers.get('Audit-Index'))
    return [response.status, (JSON.parse(bodies[index]!) as { address: string | null }).address]
  }

  it('row 26: is told by the connection and by no header, unless a proxy is named', async () => {
    await start()
    await admin.put('prod/db', new Redacted('value'))
    await admin.putPrincipal('ann', { kind: 'user' })
    await admin.putRule('ann', {
      ...{ effect: 'permit', principal: 'ann', actions: ['read'], resource: 'prod/*' },
      conditions: { addresses: ['10.0.0.0/8'] },
    })
    const { token } = await admin.createToken({ principal: 'ann' })
    try {
      for (const [name, value] of Object.entries(SAID)) {
        expect([name, ...(await readSaying(token, { [name]: value }))]).toEqual([name, 403, '127.0.0.1'])
      }
      expect(await readSaying(token, SAID)).toEqual([403, '127.0.0.1'])
    } finally {
      await server.stop()
    }
    // Behind a proxy that was named, only what that one wrote counts.
    await start({ POSTERN_CLIENT_ADDRESS: 'forwarded', POSTERN_TRUSTED_PROXIES: '127.0.0.1/32' })
    try {
      expect(await readSaying(token, { 'X-Forwarded-For': '10.9.9.9' })).toEqual([200, '10.9.9.9'])
      const made = { ...SAID, 'X-Forwarded-For': '10.9.9.9, 192.0.2.7' }
      expect(await readSaying(token, made)).toEqual([403, '192.0.2.7'])
      for (const node of ['10.9.9.9:51234', '"10.9.9.9"', '[::ffff:10.9.9.9]:443']) {
        expect(await readSaying(token, { 'X-Forwarded-For': node })).toEqual([200, '10.9.9.9'])
      }
      expect(await readSaying(token, { 'X-Forwarded-For': '[2001:db8::1]:443' })).toEqual([403, '2001:db8::1'])
      expect(server.output()).not.toContain('client_address_unknown')
      for (const unknown of ['10.9.9.9, x', '10.9.9.9, unknown', '10.9.9.9, _hidden']) {
        expect(await readSaying(token, { ...SAID, 'X-Forwarded-For': unknown })).toEqual([403, null])
      }
      expect(server.output().match(/"client_address_unknown"/g)).toHaveLength(1)
      expect(server.output()).not.toContain('_hidden')
    } finally {
      await server.stop()
    }
    await start({ POSTERN_CLIENT_ADDRESS: 'rfc7239', POSTERN_TRUSTED_PROXIES: '127.0.0.1/32' })
    try {
      const { Forwarded: _, ...others } = SAID
      for (const node of ['for=10.9.9.9;proto=https', 'for="10.9.9.9:51234"', 'for=192.0.2.7, For="10.9.9.9"']) {
        expect(await readSaying(token, { ...others, Forwarded: node })).toEqual([200, '10.9.9.9'])
      }
      const made = { ...SAID, Forwarded: 'for=10.9.9.9, for="[2001:db8::1]:443"' }
      expect(await readSaying(token, made)).toEqual([403, '2001:db8::1'])
      expect(await readSaying(token, { ...others, Forwarded: 'for=10.9.9.9, for=unknown' })).toEqual([403, null])
      expect(await readSaying(token, others)).toEqual([403, null])
    } finally {
      await server.stop()
    }
  })

  it('is loopback in every spelling of the address to listen on', async () => {
    for (const [host, printed] of [
      ['[::1]', '[::1]'],
      ['0:0:0:0:0:0:0:1', '[::1]'],
      ['127.0.0.2', '127.0.0.2'],
      [' LOCALHOST. ', 'localhost'],
    ] as const) {
      await start({ POSTERN_HOST: host })
      try {
        expect(server.endpoint).toMatch(new RegExp(`^http://${printed.replaceAll(/[[\]]/g, '\\$&')}:[0-9]+$`))
        expect((await fetch(`${server.endpoint}/healthz`)).status).toBe(200)
      } finally {
        await server.stop()
      }
    }
  })

  it('is printed with one pair of brackets where the server listens on all addresses', async () => {
    const behind = { POSTERN_TRUSTED_PROXIES: '127.0.0.1/32,::1/128', POSTERN_CLIENT_ADDRESS: 'forwarded' }
    server = await startEmpty(runtime, site, { POSTERN_HOST: '[::]', ...behind })
    try {
      expect(server.endpoint).toMatch(/^http:\/\/\[::\]:[0-9]+$/)
      const port = new URL(server.endpoint).port
      for (const peer of ['127.0.0.1', '[::1]']) {
        expect((await fetch(`http://${peer}:${port}/healthz`)).status).toBe(200)
      }
    } finally {
      await server.stop()
    }
  })
})
