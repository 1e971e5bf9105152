/**
 * The format of tickets.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { mintTicket, parseTicket, TICKET_MS, type TicketPurpose } from '../../../../core/authentication/ticket.ts'
import { base64url, concat, parseBase64url, utf8 } from '../../../../core/bytes.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { refusalFrom } from '../../../support/core.ts'
import { RECOVERY } from '../../../support/tickets.ts'
import { BOOTSTRAP, NOW } from './ticket_fixture.ts'

const ring = await Keyring.open(new Redacted(new Uint8Array(32).fill(7)))

const KEY = await ring.macKey('acme', 'ticket')

const mint = (asked: TicketPurpose = BOOTSTRAP, key = KEY) => mintTicket('acme', key, asked, NOW).reveal()

/** A ticket with any body, under the key. */
function signed(body: string, vault = 'acme', key = KEY): string {
  const head = `pso_${vault}_`
  return head + base64url(concat(hmac(sha256, key, utf8(head + body)), utf8(body)))
}

describe('parseTicket', () => {
  it('reads the purpose of the ticket, and nothing else', () => {
    const common = { vault: 'acme', nonce: expect.stringMatching(/^[\w-]{22}$/), expiresAt: NOW + TICKET_MS }
    expect(parseTicket(mint(), KEY)).toEqual({ ...BOOTSTRAP, ...common })
    const asked = { purpose: 'recover', reason: 'Ann left: “é”', removeFactors: 'ann', withoutApprovals: 15 } as const
    expect(parseTicket(mint(asked), KEY)).toEqual({ ...asked, ...common })
    expect(parseTicket(mint(RECOVERY), KEY)).toEqual({ ...RECOVERY, ...common })
    expect(mint()).not.toBe(mint())
  })

  it('accepts the longest reason in any script', () => {
    for (const reason of ['"'.repeat(256), '語'.repeat(256), '😀'.repeat(128)]) {
      expect(parseTicket(mint({ ...RECOVERY, reason }), KEY)).toMatchObject({ reason })
    }
  })

  it('row 65: refuses a ticket that is forged in any character', () => {
    const ticket = mint(RECOVERY)
    for (let i = 0; i < ticket.length; i++) {
      for (const other of ['A', 'b', '_', '']) {
        const forged = ticket.slice(0, i) + other + ticket.slice(i + 1)
        if (forged !== ticket) expect([forged, parseTicket(forged, KEY)]).toEqual([forged, null])
      }
    }
  })

  it('row 65: refuses a ticket of another vault, another root key, or another kind of key', async () => {
    const other = await Keyring.open(new Redacted(new Uint8Array(32).fill(8)))
    const keys = [
      await other.macKey('acme', 'ticket'),
      await ring.macKey('acme', 'token'),
      await ring.macKey('other', 'ticket'),
    ]
    for (const key of keys) expect(parseTicket(mint(BOOTSTRAP, key), KEY)).toBeNull()
    expect(parseTicket(mint().replace('pso_acme_', 'pso_other_'), keys[2]!)).toBeNull()
    expect(parseTicket(mint().replace('pso_acme_', 'pso_other_'), KEY)).toBeNull()
  })

  it('row 65: accepts one spelling of a ticket', () => {
    const ticket = mint()
    const payload = parseBase64url(ticket.slice('pso_acme_'.length))!
    const last = ticket.at(-1)!
    const spellings = [` ${ticket}`, `${ticket} `, `${ticket}=`, ticket.toUpperCase(), ticket.replace('pso', 'PSO')]
    for (const digit of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (digit !== last) spellings.push(ticket.slice(0, -1) + digit)
    }
    for (const spelling of spellings) expect([spelling, parseTicket(spelling, KEY)]).toEqual([spelling, null])
    expect(base64url(payload)).toBe(ticket.slice('pso_acme_'.length))
  })

  it.each([
    '',
    '{}',
    'null',
    '[]',
    '"bootstrap"',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"other"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap","reason":"x"}',
    '{"expiresAt":1.5,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}',
    '{"expiresAt":"1","nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAB","purpose":"bootstrap"}',
    '{"expiresAt":1,"nonce":"short","purpose":"bootstrap"}',
    '{"nonce":"AAAAAAAAAAAAAAAAAAAAAA","expiresAt":1,"purpose":"bootstrap"}',
    '{"expiresAt":1, "nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover","reason":"x","removeFactors":null,"withoutApprovals":61}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover","reason":"","removeFactors":null,"withoutApprovals":null}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover","reason":"x","removeFactors":"A","withoutApprovals":null}',
  ])('row 65: refuses signed text that is not a ticket: %s', (body) => {
    expect(parseTicket(signed(body), KEY)).toBeNull()
  })

  it('accepts a signed ticket', () => {
    const body = '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}'
    expect(parseTicket(signed(body), KEY)).toMatchObject({ expiresAt: 1, purpose: 'bootstrap' })
  })
})

describe('mintTicket', () => {
  it.each([
    ['reason', { reason: '' }],
    ['reason', { reason: '  ' }],
    ['reason', { reason: 'x'.repeat(257) }],
    ['reason', { reason: 'one\ntwo' }],
    ['reason', { reason: 'one\u202etwo' }],
    ['reason', { reason: '\ud800' }],
    ['removeFactors', { removeFactors: '' }],
    ['removeFactors', { removeFactors: 'Ann' }],
    ['withoutApprovals', { withoutApprovals: 0 }],
    ['withoutApprovals', { withoutApprovals: 61 }],
    ['withoutApprovals', { withoutApprovals: 1.5 }],
    ['withoutApprovals', { withoutApprovals: Number.NaN }],
  ])('refuses a wrong %s: %o', (field, wrong) => {
    expect(refusalFrom(() => mint({ ...RECOVERY, ...wrong })).detail.field).toBe(field)
  })
})
