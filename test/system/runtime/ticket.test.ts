/** Tickets of the operator over HTTP, on each runtime. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect, signIn } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { leaks } from '../../support/canary.ts'
import { RECOVERY } from '../../support/tickets.ts'
import { bootstrap, makeSite, RUNTIMES, type Server, type Site, startEmpty, ticketFor } from './servers.ts'

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let admin: Client
  const seen: string[] = []
  const vaultOf = (vault: string) => ({ vault, rootKey: site.rootKey })
  const recovery = (vault: string, more = {}) => ticketFor(vaultOf(vault), { ...RECOVERY, ...more })

  /** Sends a credential, and returns the outcome. */
  async function send(path: string, text: string, init: RequestInit = {}) {
    const headers = { Authorization: `Bearer ${text}`, ...init.headers }
    const response = await fetch(`${server.endpoint}/v1/vaults/${path}`, { method: 'POST', ...init, headers })
    const body = (await response.json().catch(() => ({}))) as { reason?: string; token?: string; detail?: string }
    return { status: response.status, reason: body.reason, token: body.token, detail: body.detail }
  }
  const present = async (vault: string, ticket: Redacted<string>) => {
    seen.push(ticket.reveal())
    return send(`${vault}/tokens`, ticket.reveal())
  }
  const sizeOf = async () => (await admin.auditEntries({ limit: 1 })).size

  beforeAll(async () => {
    site = await makeSite()
    server = await startEmpty(runtime, site, { POSTERN_SECURITY__REFUSAL_RATE: '40/m' })
    site.token = await bootstrap(server.endpoint, vaultOf('default'))
    admin = connect({ endpoint: server.endpoint, vault: 'default', token: site.token })
    await admin.put('a', new Redacted('value'))
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('makes a vault of any id without a restart, and the client keeps what a ticket gives', async () => {
    const ticket = await ticketFor(vaultOf('acme'))
    const kept: string[] = []
    const about = { endpoint: server.endpoint, vault: 'acme', token: ticket }
    const { client, session } = await signIn({ ...about, onToken: (token) => void kept.push(token.reveal()) })
    expect([session.principal, kept.length]).toEqual(['admin', 1])
    await client.put('b', new Redacted('other'))
    const again = connect({ ...about, token: new Redacted(kept[0]!) })
    expect((await again.get('b')).value.reveal()).toBe('other')
    expect(await present('acme', ticket)).toMatchObject({ status: 401, reason: 'ticket_used' })
    seen.push(...kept)
  })

  it('row 65: gives another token for a lost answer, also to two at once, of which one is good', async () => {
    const ticket = await recovery('default')
    const answers = await Promise.all([present('default', ticket), present('default', ticket)])
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    const uses = await Promise.all(answers.map(({ token }) => send('default/sessions', token!)))
    expect(uses.map(({ status }) => status).sort()).toEqual([201, 401])
    expect(await present('default', ticket)).toMatchObject({ status: 401, reason: 'ticket_used' })
  })

  it('row 65: is refused with a body, for another vault or purpose, late, and by every other route', async () => {
    const before = await sizeOf()
    const text = (await recovery('default')).reveal()
    seen.push(text)
    const json = { 'Content-Type': 'application/json' }
    expect(await send('default/tokens', text, { body: '{"principal":"admin"}', headers: json })).toMatchObject({
      status: 400,
    })
    expect(await send('default/tokens', text, { body: ' ', headers: json })).toMatchObject({ status: 400 })
    const fresh = (await ticketFor(vaultOf('fresh'))).reveal()
    expect(await send('fresh/tokens', fresh, { body: 'x' })).toMatchObject({ status: 400 })
    expect(await send('other/tokens', text)).toMatchObject({ status: 401, reason: undefined })
    expect(await present('empty', await recovery('empty'))).toMatchObject({ status: 401, reason: 'has_no_principals' })
    const long = await ticketFor(vaultOf('late'), undefined, Date.now() + 600_000)
    const late = await ticketFor(vaultOf('late'), undefined, Date.now() - 3_600_000)
    for (const ticket of [long, late]) {
      expect(await present('late', ticket)).toMatchObject({ status: 401, reason: 'ticket_late' })
    }
    const elsewhere = [
      ['POST', 'default/sessions'],
      ['GET', 'default/secrets/a'],
      ['GET', 'default/tokens'],
      ['PUT', 'default/tokens'],
      ['POST', 'default/hydrate'],
      ['GET', 'default/audit/entries'],
      ['POST', 'default/tokens/'],
    ] as const
    for (const [method, path] of elsewhere) {
      expect([path, (await send(path, text, { method })).status]).toEqual([path, 401])
    }
    const scheme = { Authorization: `DPoP ${text}` }
    expect(await send('default/tokens', text, { headers: scheme })).toMatchObject({ status: 401 })
    // The size is asked for once: of all that, nothing is an entry, and no vault came into being.
    expect(await sizeOf()).toBe(before + 1)
    if (runtime !== 'workerd') {
      const made = readdirSync(site.data).filter((file) => /^(?:fresh|other|empty|late)\.sqlite/.test(file))
      expect(made).toEqual([])
    }
    // And the ticket is as good as before.
    expect((await present('default', new Redacted(text))).status).toBe(201)
  })

  it('row 65: is refused in a vault that has principals, which is an entry once', async () => {
    const before = await sizeOf()
    const ticket = await ticketFor(vaultOf('default'))
    for (let i = 0; i < 3; i++) {
      expect(await present('default', ticket)).toMatchObject({ status: 401, reason: 'has_principals' })
    }
    expect(await sizeOf()).toBe(before + 2)
  })

  it('row 65: is refused when it is forged, without a vault being asked, and a flood of it is slowed', async () => {
    const before = await sizeOf()
    const text = (await ticketFor(vaultOf('flooded'))).reveal()
    const stray = (
      await ticketFor({ vault: 'flooded', rootKey: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8' })
    ).reveal()
    const forged = [
      stray,
      ...Array.from(
        { length: 60 },
        (_, i) => `${text.slice(0, 20 + i)}${text[20 + i] === 'A' ? 'B' : 'A'}${text.slice(21 + i)}`,
      ),
    ]
    const answers = await Promise.all(forged.map((one) => send('flooded/tokens', one)))
    const statuses = new Set(answers.map(({ status }) => status))
    expect([...statuses].sort()).toEqual([401, 429])
    expect(new Set(answers.map(({ reason }) => reason))).toEqual(new Set([undefined]))
    expect(existsSync(join(site.data, 'flooded.sqlite'))).toBe(false)
    expect(await sizeOf()).toBe(before + 1)
  })

  it('row 44: leaves no ticket and no token of it in what the server prints', () => {
    expect(leaks(server.output(), [...seen, site.token.reveal()])).toEqual([])
  })
})
