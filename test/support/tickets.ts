/**
 * Tickets of the operator in tests that ask a vault itself: what the edge passes on once it has checked the MAC.
 *
 * @module
 */
import type { Ticket, TicketPurpose } from '../../core/authentication/ticket.ts'
import type { Call, Caller } from '../../core/vault/rpc.ts'

/** A ticket whose MAC was checked; another one each time, unless a nonce is given. */
export function ticketOf(asked: TicketPurpose, more: Partial<Pick<Ticket, 'nonce' | 'expiresAt'>> = {}): Ticket {
  return { ...asked, vault: 'acme', nonce: `nonce-${++tickets}`, expiresAt: 3_600_000, ...more }
}
let tickets = 0

/** A recovery that does nothing besides. */
export const RECOVERY = {
  purpose: 'recover',
  reason: 'Token was lost',
  removeFactors: null,
  withoutApprovals: null,
} as const

/** The exchange of a ticket for the token with a hash. */
export function exchangeOf(ticket: Ticket, hash: Uint8Array, accessor: string = crypto.randomUUID()): Call {
  const caller: Caller = {
    credential: { kind: 'ticket', ticket },
    ...{ proof: null, requestId: crypto.randomUUID(), address: '192.0.2.1', agent: 'test/1' },
  }
  return { operation: `vault.${ticket.purpose}`, caller, input: { hash, accessor } }
}

/** Makes the first administrator of a vault, with the token that has this hash. */
export function bootstrapOf(hash: Uint8Array, now: number, accessor?: string): Call {
  return exchangeOf(ticketOf({ purpose: 'bootstrap' }, { expiresAt: now + 60_000 }), hash, accessor)
}
