/**
 * The fakes answer as the recorded servers did (`test/vectors/recordings`): each recorded request of a kind that a fake
 * knows is sent to it, in order, and the recorded answer must contain the fake's.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Fake } from '../../../support/fakes/fake.ts'
import { fakeKeyVault, LOGIN, VAULT } from '../../../support/fakes/key_vault.ts'
import { fakeVault } from '../../../support/fakes/vault.ts'

const FOLDER = resolve(import.meta.dirname, '../../../vectors/recordings')

interface Exchange {
  title: string
  request: { method: string; path: string; headers: Record<string, string>; body?: unknown }
  response: { status: number; body: unknown }
}

function exchangesOf(file: string): Exchange[] {
  return JSON.parse(readFileSync(resolve(FOLDER, file), 'utf8')).exchanges
}

/** Replaces what differs between runs: times, ids and bearer tokens. */
function masked(value: unknown): unknown {
  const text = JSON.stringify(value ?? null)
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/[0-9a-f]{32}/g, '<version>')
    .replaceAll(/"(?:access-token-\d+|<access token>)"/g, '"<token>"')
    .replaceAll('https://localhost:8444', VAULT)
  return JSON.parse(text)
}

async function replay(
  server: Fake,
  origin: string,
  { request, response }: Exchange,
  headers = request.headers,
): Promise<void> {
  const body =
    request.body === undefined ? null : typeof request.body === 'string' ? request.body : JSON.stringify(request.body)
  const answer = await server.fetch(new Request(origin + request.path, { method: request.method, headers, body }))
  expect(answer.status).toBe(response.status)
  const text = await answer.text()
  if (text !== '') expect(masked(response.body)).toMatchObject(masked(JSON.parse(text)) as object)
}

describe('the fake Vault', () => {
  // Requests that Postern never sends: it learns health and sealing from reads, and does not wrap or administer.
  const others =
    /health|seal status|LIST method|metadata delete|policy: |require cas|without cas|strict|wrap|enable approle|approle role|role id|^secret id|mount KV|^seal$|lookup-self/
  const server = fakeVault()
  const exchanges = exchangesOf('vault_kv.json').filter(({ title }) => !others.test(title))

  it('covers most of the recorded requests', () => {
    expect(exchanges.length).toBeGreaterThan(34)
  })

  it.each(exchanges)('answers as the recorded Vault did: $title', async (exchange) => {
    const body = Object(exchange.request.body)
    if (exchange.title === 'approle login') server.secretIds.add(body.secret_id)
    if (exchange.title === 'expired token') server.now += 2000
    if (exchange.title === 'read while sealed') server.sealed = true
    await replay(server, 'https://vault.example:8200', exchange)
  })
})

describe('the fake Key Vault', () => {
  const others =
    /^name with an underscore|no JWT|altered signature|throttled|server error|list deleted|malformed|unknown api-version/
  const server = fakeKeyVault()
  server.enforcesTimes = true
  const exchanges = exchangesOf('azure_key_vault.json').filter(({ title }) => !others.test(title))
  const versions: string[] = []

  it('covers most of the recorded requests', () => {
    expect(exchanges.length).toBeGreaterThan(28)
  })

  it.each(exchanges)('answers as the recorded Key Vault did: $title', async (exchange) => {
    const { request, title } = exchange
    if (title === 'token expired') server.tokens.clear()
    const token = [...server.tokens.keys()].at(-1) ?? 'ended'
    const headers =
      'Authorization' in request.headers ? { ...request.headers, Authorization: `Bearer ${token}` } : request.headers
    if (title === 'disable' || title === 'get by version') await learnVersion(token)
    // The fake makes version ids of its own.
    const path = request.path.replace(/[1-9a-f][0-9a-f]{31}/, () => versions.at(-1)!)
    const origin = request.path.includes('/oauth2/') ? new URL(LOGIN).origin : VAULT
    await replay(server, origin, { ...exchange, request: { ...request, path } }, headers)
  })

  async function learnVersion(token: string): Promise<void> {
    const url = `${VAULT}/secrets/prod-db?api-version=7.5`
    const answer = await server.fetch(new Request(url, { headers: { authorization: `Bearer ${token}` } }))
    versions.push(((await answer.json()) as { id: string }).id.split('/').at(-1)!)
  }
})
