/** The largest inputs that the wire accepts are described in their entries, or refused. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { contract } from '../../fuzz/requests.ts'
import { memoryProvider } from '../../support/memory_provider.ts'
import { openApp, type TestApp } from './provider_access/provider_access_fixture.ts'

const VAULT = '/v1/vaults/default'
/** The longest character of a text, in UTF-8 and as a JSON escape. */
const WIDE = '\u6f22'
const wide = (length: number, n = 0) => `${n}`.padStart(4, '0') + WIDE.repeat(length - 4)
const many = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n))
const id = (n: number) => `${n}`.padStart(4, '0').padEnd(64, 'x')
const longPattern = (n: number) => `${n}/`.padEnd(120, 'p') + '/'.padEnd(120, 'p') + '/'.padEnd(120, 'p')

/** The largest body of each route whose entry shows most of the body. */
const LARGEST: Record<string, (size: number) => [path: string, body: object]> = {
  putRule: (size) => [
    '/rules/big',
    {
      ...{ effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' },
      conditions: { agents: many(size, (n) => wide(128, n)) },
    },
  ],
  putIssuer: (size) => [
    '/issuers/big',
    {
      ...{ issuer: 'https://id.example.com', audience: wide(512), principal: 'ann' },
      claims: Object.fromEntries(many(size, (n) => [`claim${n}`, many(5, (m) => wide(512, m))])),
    },
  ],
  putPolicy: (size) => [
    '/policy',
    { secretComplexity: { resources: many(size, longPattern), denied: many(300, (n) => wide(64, n)) } },
  ],
  putChain: (size) => [
    '/chains/big',
    {
      resource: longPattern(size),
      members: [{ provider: 'aws', prefix: 'p'.repeat(250) + String(size).padStart(4, '0') }],
    },
  ],
  putRotation: (size) => [
    '/rotations/prod/db',
    { freeze: many(Math.min(50, size), () => ({ from: '2026-01-01T00:00:00.000Z', to: '2027-01-01T00:00:00.000Z' })) },
  ],
  putHook: (size) => ['/hooks/big', { url: `https://hooks.example.com/${'x'.repeat(Math.min(480, size))}` }],
  putPrincipal: (size) => [`/principals/${id(size)}`, { kind: 'user' }],
  createToken: () => ['/tokens', { principal: 'ann', label: wide(128) }],
  putSecret: (size) => [
    '/secrets/prod/db',
    { value: 'x'.repeat(60_000), tags: Object.fromEntries(many(20, (n) => [wide(128, n), wide(Math.min(size, 256))])) },
  ],
  holdLog: (size) => ['/audit/hold', { reason: wide(Math.min(size, 256)) }],
}
/** Routes with a short input, or with an input that no entry shows. */
const SMALL = [
  ...['destroySecret', 'hydrate', 'openSession', 'renewSession', 'confirmTotp', 'explainRules'],
  ...['decideApproval', 'breakGlass', 'reviewGlass', 'rotate', 'rollback'],
]

async function open() {
  const bench = await openApp({ aws: memoryProvider('aws') })
  await bench.send(`${VAULT}/principals/ann`, { method: 'PUT', body: '{"kind":"user"}' })
  await bench.send(`${VAULT}/secrets/prod/db`, { method: 'PUT', body: '{"value":"x"}' })
  return bench
}

const methodOf = (route: string) => (route === 'createToken' ? 'POST' : 'PUT')
const send = (bench: TestApp, route: string, size: number) => {
  const [path, body] = LARGEST[route]!(size)
  return bench.send(VAULT + path, { method: methodOf(route), body: JSON.stringify(body) })
}

/** The largest size below a bound that a route accepts. */
async function largestTaken(bench: TestApp, route: string): Promise<number> {
  let [low, high] = [1, 100]
  while (low < high) {
    const size = Math.ceil((low + high) / 2)
    if ((await send(bench, route, size)).status < 300) low = size
    else high = size - 1
  }
  return low
}

describe('an entry', () => {
  it('is tried for every route with a body', () => {
    const items = Object.values(contract.paths) as Record<string, { operationId: string; requestBody?: unknown }>[]
    const withBody = items.flatMap((item) => Object.values(item)).filter(({ requestBody }) => requestBody !== undefined)
    expect(withBody.map(({ operationId }) => operationId).sort()).toEqual([...Object.keys(LARGEST), ...SMALL].sort())
  })

  it.each(Object.keys(LARGEST))(
    'row 72: describes the change of %s, at the largest size that is accepted',
    async (route) => {
      const bench = await open()
      const size = await largestTaken(bench, route)
      const before = bench.log().length
      const response = await send(bench, route, size)
      expect([route, response.status < 300]).toEqual([route, true])
      const entries = bench.log().slice(before)
      expect(entries.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(0)
      expect(JSON.stringify(entries)).not.toContain('omittedBytes')
    },
  )

  it.each(['putRule', 'putIssuer', 'putPolicy'])(
    'row 72: has no room for a larger %s, which is refused with the limit',
    async (route) => {
      const bench = await open()
      const size = await largestTaken(bench, route)
      expect(size).toBeGreaterThan(1)
      expect(size).toBeLessThan(100)
      await send(bench, route, size)
      const [path] = LARGEST[route]!(size)
      const stored = () => bench.sql.all(`SELECT body FROM ${route.slice(3).toLowerCase()}`)
      const before = JSON.stringify(stored())
      const refused = await send(bench, route, size + 1)
      expect(await refused.json()).toMatchObject({
        code: 'bad_request',
        detail: expect.stringContaining('24576 bytes'),
      })
      expect(JSON.stringify(stored())).toBe(before)
      expect(path).toContain(route.slice(3).toLowerCase())
    },
  )

  it('row 72: has the id and hash of a rule of 0.1 that is too long; the rule decides, and can be replaced and deleted', async () => {
    const bench = await open()
    const agents = many(100, (n) => wide(128, n))
    const stored = {
      id: 'old',
      effect: 'permit',
      principal: 'ann',
      actions: ['read'],
      resource: '**',
      conditions: { agents },
    }
    const store = () =>
      bench.sql.all('INSERT OR REPLACE INTO rule VALUES (?, 1, ?, 0, ?)', 'old', JSON.stringify(stored), 'admin')
    // 0.1 accepted both lengths.
    const issuer = {
      id: 'old',
      issuer: 'https://id.example.com',
      audience: 'us',
      claims: { sub: many(150, (n) => wide(512, n)) },
      principal: 'ann',
    }
    bench.sql.all(
      'INSERT INTO issuer (id, url, version, body, updated_at, updated_by, hands) VALUES (?, ?, 1, ?, 0, ?, ?)',
      ...['old', issuer.issuer, JSON.stringify({ ...issuer, revision: 'r' }), 'admin', '["admin"]'],
    )
    store()
    const about = { principal: 'ann', action: 'read', resource: 'prod/db', agent: agents[99] }
    const explained = await bench.send(`${VAULT}/rules/explain`, { method: 'POST', body: JSON.stringify(about) })
    expect(await explained.json()).toMatchObject({ allow: true, rule: 'old' })
    const size = await largestTaken(bench, 'putRule')
    const [, body] = LARGEST.putRule!(size)
    const put = await bench.send(`${VAULT}/rules/old`, { method: 'PUT', body: JSON.stringify(body) })
    expect(put.status).toBe(200)
    const replaced = bench.log().at(-1)!
    expect(replaced).toMatchObject({
      operation: 'rule.put',
      outcome: 'ok',
      facts: { rule: 'old', after: { id: 'old' } },
    })
    const deleted = await bench.send(`${VAULT}/issuers/old`, { method: 'DELETE' })
    expect(deleted.status).toBe(200)
    const { facts } = bench.log().at(-1)!
    expect(facts).toMatchObject({ issuer: 'old', after: null, before: { omittedBytes: expect.any(Number) } })
    const { sha256, omittedBytes } = facts.before as { sha256: string; omittedBytes: number }
    // An issuer of 0.1 accepts each token once, as before.
    const row = { ...issuer, assertions: 'once', revision: 'r', updatedAt: 0, updatedBy: 'admin', version: 1 }
    const canonical = JSON.stringify(sorted(row))
    expect([omittedBytes, sha256]).toEqual([
      Buffer.byteLength(canonical),
      createHash('sha256').update(canonical).digest('base64'),
    ])
  })
})

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  )
}
