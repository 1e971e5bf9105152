import { describe, expect, it } from 'vitest'
import { type AuditEvent, encodeEvent } from '../../../core/audit/event.ts'

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
  facts: { version: 3, b: 'é"', a: [1] },
}
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('encodeEvent', () => {
  it('writes every fact in the canonical form of RFC 8785: sorted keys, no white space', () => {
    expect(textOf(encodeEvent(event, 7, null))).toBe(
      '{"action":"read","address":"192.0.2.1","agent":"curl/8","facts":{"a":[1],"b":"é\\"","version":3},"index":7,' +
        '"operation":"secret.read","outcome":"ok","previous":null,"principal":"alice","request":"r-1",' +
        '"resource":"prod/db","rule":null,"session":null,"time":"2026-01-02T03:04:05.006Z","token":"accessor","v":1}',
    )
  })

  it('does not depend on the order in which the facts were given', () => {
    const reversed = Object.fromEntries(Object.entries(event).reverse()) as unknown as AuditEvent
    expect(encodeEvent(reversed, 7, null)).toEqual(encodeEvent(event, 7, null))
  })

  it('chains to the leaf hash of the entry before, in base64', () => {
    const previous = new Uint8Array(32).fill(0xff)
    const parsed = JSON.parse(textOf(encodeEvent(event, 8, previous)))
    expect(parsed.previous).toBe(Buffer.from(previous).toString('base64'))
    expect(parsed.index).toBe(8)
  })

  it('keeps line breaks and control characters of a user agent out of the lines of a log', () => {
    const text = textOf(encodeEvent({ ...event, agent: 'a\r\nb\u001b[0m\0' }, 0, null))
    expect([...text].every((char) => char >= ' ')).toBe(true)
    expect(JSON.parse(text).agent).toBe('a\r\nb\u001b[0m\0')
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
      { facts: {} },
    ]
    const texts = changes.map((change) => textOf(encodeEvent({ ...event, ...change }, 7, null)))
    expect(new Set(texts).size).toBe(changes.length)
  })
})
