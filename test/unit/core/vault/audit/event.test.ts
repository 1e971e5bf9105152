import { createHmac } from 'node:crypto'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuditEvent, encodeEvent } from '../../../../../core/vault/audit/event.ts'
import { AuditEntry } from '../../../../../core/wire/index.ts'

const event: AuditEvent = {
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  request: 'r-1',
  operation: 'secret.read',
  principal: 'alice',
  token: 'accessor',
  session: null,
  address: '192.0.2.1',
  agent: 'curl/8',
  action: 'read',
  resource: 'prod/db',
  rule: null,
  outcome: 'ok',
  severity: 'info',
  facts: { version: 3, b: 'é"', a: [1] },
}
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('encodeEvent', () => {
  it('writes every fact in the canonical form of RFC 8785: sorted keys, no white space', () => {
    expect(textOf(encodeEvent(event, 7, null))).toBe(
      '{"action":"read","address":"192.0.2.1","agent":"curl/8","facts":{"a":[1],"b":"é\\"","version":3},"index":7,' +
        '"operation":"secret.read","outcome":"ok","previous":null,"principal":"alice","request":"r-1",' +
        '"resource":"prod/db","rule":null,"session":null,"severity":"info","time":"2026-01-02T03:04:05.006Z","token":"accessor","v":1}',
    )
  })

  it('agrees with a library for RFC 8785 on any texts and facts', () => {
    // Without control characters, which are replaced, and well formed, as all text that Postern stores.
    const text = fc.string({
      unit: fc.constantFrom('a', 'Z', '0', '"', '\\', '/', 'u', 'd', '8', '<', 'é', '€', '😀', '\\ud800'),
    })
    const fact = fc.oneof(
      text,
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constant(null),
      fc.boolean(),
      fc.array(text),
      fc.dictionary(text, text),
    )
    const facts = fc.dictionary(fc.oneof(text, fc.constantFrom('9', '10', 'b', 'B')), fact, { maxKeys: 4 })
    const either = fc.option(text)
    const events = fc.record({
      principal: either,
      token: either,
      address: either,
      agent: either,
      rule: either,
      resource: text,
      facts,
      at: fc.integer({ min: 0, max: 2 ** 42 }),
    })
    fc.assert(
      fc.property(events, fc.nat(), fc.boolean(), (some, index, first) => {
        const bytes = encodeEvent({ ...event, ...some }, index, first ? null : new Uint8Array(32))
        expect(textOf(bytes)).toBe(canonicalize(JSON.parse(textOf(bytes))))
        const { time, v, previous, index: place, ...rest } = JSON.parse(textOf(bytes))
        const { at, ...given } = { ...event, ...some }
        expect({ ...rest, time, v, previous, place }).toEqual({
          ...JSON.parse(canonicalize(given)!),
          ...{ time: new Date(at).toISOString(), v: 1, place: index, previous: first ? null : `${'A'.repeat(43)}=` },
        })
      }),
    )
  })

  it('replaces lone surrogates', () => {
    const half = { ...event, principal: '\ud800' }
    expect(() => encodeEvent(half, 0, null)).toThrow(new TypeError('Event has no canonical JSON form'))
  })

  it('does not depend on the order of the facts', () => {
    const reversed = Object.fromEntries(Object.entries(event).reverse()) as unknown as AuditEvent
    expect(encodeEvent(reversed, 7, null)).toEqual(encodeEvent(event, 7, null))
  })

  it('chains to the leaf hash of the previous entry, in base64', () => {
    const previous = new Uint8Array(32).fill(0xff)
    const parsed = JSON.parse(textOf(encodeEvent(event, 8, previous)))
    expect(parsed.previous).toBe(Buffer.from(previous).toString('base64'))
    expect(parsed.index).toBe(8)
  })

  it.each([
    ['a line break', 'a\r\nb'],
    ['an escape sequence', 'a\u001b[0mb'],
    ['a null', 'a\0b'],
    ['a C1 control', 'a\u009bb'],
    ['a line separator', 'a\u2028b'],
    ['a mark that turns the direction', 'a\u202eb'],
  ])('row 45: writes no %s in any field', (_, hostile) => {
    const facts = { deep: [{ [hostile]: hostile }] }
    const text = textOf(encodeEvent({ ...event, agent: hostile, resource: hostile, facts }, 0, null))
    expect(text).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u)
    const parsed = JSON.parse(text)
    const shown = hostile.replaceAll(/[\p{Cc}\u2028\u202e]/gu, '\ufffd')
    expect([parsed.agent, parsed.resource, parsed.facts.deep[0][shown]]).toEqual([shown, shown, shown])
  })

  it.each([
    'pst_acme_7UFUlzHrXqCCC4S4HTtTHZr7yB09n3ZmQ01iU2CM1WAe4Fdfz1kvQE80jDnAUu7bp',
    'pst_a-b_7UFUlzHrXqCCC4S4HTtTHZr7yB09n3ZmQ01iU2CM1WAe4Fdfz1kvQE80jDnAUu7bp',
    `pso_acme_${'hY-_'.repeat(16)}`,
    `pso_a-b_${'0_'.repeat(40)}`,
    'hvs.CAESIJlWh5ULMl6Zk3vQYkV0',
    'AKIAIOSFODNN7EXAMPLE',
    'ghp_0123456789abcdefghijABCDEFGHIJ012345',
    'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln',
    '-----BEGIN PRIVATE KEY-----',
  ])('redacts a credential in text from a client: %s', (credential) => {
    const facts = { note: `see ${credential}` }
    const text = textOf(encodeEvent({ ...event, agent: `curl ${credential}`, facts }, 0, null))
    expect(text).not.toContain(credential)
    expect(JSON.parse(text)).toMatchObject({ agent: expect.stringContaining('curl <redacted>') })
  })

  it('has the published shape', () => {
    expect(AuditEntry.safeParse(JSON.parse(textOf(encodeEvent(event, 7, null)))).error).toBeUndefined()
    const blind = encodeEvent(event, 7, new Uint8Array(32), { aliasKey: null, blind: true })
    expect(AuditEntry.safeParse(JSON.parse(textOf(blind))).error).toBeUndefined()
  })

  it('differs each time when blinded, so that a published hash reveals nothing', () => {
    const privacy = { aliasKey: null, blind: true }
    const hashes = Array.from({ length: 50 }, () => textOf(encodeEvent(event, 7, null, privacy)))
    expect(new Set(hashes).size).toBe(50)
    expect(Buffer.from(JSON.parse(hashes[0]!).blind, 'base64')).toHaveLength(16)
  })

  it('replaces names of secrets by stable aliases, per vault', () => {
    const privacy = { aliasKey: new Uint8Array(32).fill(7), blind: false }
    const resourceOf = (change: Partial<AuditEvent>) =>
      JSON.parse(textOf(encodeEvent({ ...event, ...change }, 7, null, privacy))).resource
    const alias = resourceOf({})
    expect(alias).toBe(
      `hmac:${createHmac('sha256', Buffer.alloc(32, 7)).update('prod/db').digest('base64url').slice(0, 22)}`,
    )
    expect(resourceOf({ action: 'write' })).toBe(alias)
    expect(resourceOf({ resource: 'prod/dc' })).not.toBe(alias)
    expect(resourceOf({ action: 'admin', resource: 'rules' })).toBe('rules')
    expect(resourceOf({ action: null, resource: 'self' })).toBe('self')
    const facts = { resource: 'prod/db' }
    expect(JSON.parse(textOf(encodeEvent({ ...event, facts }, 7, null, privacy))).facts).toEqual({ resource: alias })
  })

  it('changes with every single fact', () => {
    const changes: Partial<AuditEvent>[] = [
      {},
      { at: event.at + 1 },
      { request: 'r-2' },
      { operation: 'secret.list' },
      { principal: 'bob' },
      { principal: null },
      { token: 'other' },
      { session: 'other' },
      { address: null },
      { agent: 'curl/9' },
      { action: null },
      { resource: 'prod/dc' },
      { rule: 'r' },
      { outcome: 'denied' },
      { severity: 'alert' },
      { facts: {} },
    ]
    const texts = changes.map((change) => textOf(encodeEvent({ ...event, ...change }, 7, null)))
    expect(new Set(texts).size).toBe(changes.length)
  })
})
