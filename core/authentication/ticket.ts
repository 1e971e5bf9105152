/**
 * Tickets of the operator, `pso_<vault>_<payload>`: made offline with the root key, good for one purpose, and at most
 * an hour.
 *
 * ```text
 * body    = the ticket's members as canonical JSON (RFC 8785)
 * mac     = HMAC-SHA-256(ticket key of the vault, "pso_<vault>_" || body), 32 bytes
 * payload = base64url(mac || body)
 * ```
 *
 * The MAC lets the edge refuse a forged ticket before it asks a vault. The vault keeps the nonce, so that a ticket opens
 * it once. A ticket is signed and not sealed: its holder can read the reason in it.
 *
 * @module
 */

import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import { type Bytes, base64url, concat, equal, parseBase64url, parseUtf8, randomBytes, utf8 } from '../bytes.ts'
import { HOUR_MS } from '../durations.ts'
import { badRequest } from '../errors.ts'
import { ID } from '../names.ts'
import { Redacted } from '../redacted.ts'

/** The longest validity of a ticket, in milliseconds. */
export const TICKET_MAX_MS = HOUR_MS
/** The validity of a new ticket. It is shorter, so that a server whose clock is slightly behind accepts it too. */
export const TICKET_MS = 3_300_000
/** The most characters of a ticket. */
export const TICKET_MAX_LENGTH = 2048
/** The most characters of an operator's reason. */
const REASON_MAX_LENGTH = 256
/** The longest time without approvals, in minutes: as long as broken glass. */
const APPROVALS_MAX_MINUTES = 60

const MAC_SIZE = 32
const NONCE_SIZE = 16
const TICKET = /^pso_([a-z0-9-]{1,32})_([A-Za-z0-9_-]{64,2000})$/
const NONCE = /^[A-Za-z0-9_-]{21}[AQgw]$/

/** The purpose of a ticket, and its side effects. */
export type TicketPurpose =
  /** Makes the first administrator of a vault that has no principal. */
  | { purpose: 'bootstrap' }
  /** Gives a vault that has principals an administrator again. */
  | {
      purpose: 'recover'
      /** The reason in the words of the operator, for the log. */
      reason: string
      /** The principal whose second factors are removed; `null` to keep all of them. */
      removeFactors: string | null
      /** How many minutes the administrator needs no approvals; `null` for none. */
      withoutApprovals: number | null
    }

/** A ticket whose MAC proves that it comes from the holder of the root key. It may still be expired or used. */
export type Ticket = TicketPurpose & {
  vault: string
  /** A unique id. Safe to log. */
  nonce: string
  /** Milliseconds since the Unix epoch. */
  expiresAt: number
}

/**
 * Whether a ticket is expired, or claims a longer validity than a ticket may have.
 *
 * @param now Milliseconds since the Unix epoch.
 */
export function isLate({ expiresAt }: Ticket, now: number): boolean {
  return expiresAt <= now || expiresAt > now + TICKET_MAX_MS
}

/** Whether a text claims to be a ticket. */
export function isTicket(text: string): boolean {
  return text.startsWith('pso_')
}

/** Reads the vault's id out of a ticket, without checking it; `null` when it has no ticket's shape. */
export function vaultOfTicket(text: string): string | null {
  return TICKET.exec(text)?.[1] ?? null
}

/**
 * Makes a ticket.
 *
 * @param ticketKey The vault's MAC key for tickets, of the present root key.
 * @param now Milliseconds since the Unix epoch.
 * @throws {PosternError} `bad_request` for a reason, a principal or minutes that no ticket may have.
 */
export function mintTicket(vault: string, ticketKey: Uint8Array, asked: TicketPurpose, now: number): Redacted<string> {
  const nonce = base64url(randomBytes(NONCE_SIZE))
  const common = { nonce, expiresAt: now + TICKET_MS }
  const body = utf8(
    canonicalize(asked.purpose === 'recover' ? { ...common, ...checked(asked) } : { ...common, purpose: 'bootstrap' })!,
  )
  const head = `pso_${vault}_`
  return new Redacted(head + base64url(concat(macOf(ticketKey, head, body), body)))
}

/**
 * Checks a ticket's shape and MAC.
 *
 * @param text Hostile input.
 * @returns `null` if it is not a ticket of the vault under this key. Which check failed is not disclosed.
 */
export function parseTicket(text: string, ticketKey: Uint8Array): Ticket | null {
  const [, vault, payload] = TICKET.exec(text) ?? []
  // Strict: one ticket has one spelling.
  const bytes = payload === undefined ? null : parseBase64url(payload)
  if (vault === undefined || bytes === null) return null
  const body = bytes.subarray(MAC_SIZE)
  if (!equal(macOf(ticketKey, `pso_${vault}_`, body), bytes.subarray(0, MAC_SIZE))) return null
  return ticketOf(vault, parseUtf8(body))
}

/** Reads the authenticated members. The form is checked anyway: other code may have used the key. */
function ticketOf(vault: string, text: string | null): Ticket | null {
  const body: unknown = text === null ? null : JSON.parse(text)
  if (typeof body !== 'object' || body === null || canonicalize(body) !== text) return null
  const { purpose, nonce, expiresAt, ...rest } = body as Record<string, unknown>
  if (typeof nonce !== 'string' || !NONCE.test(nonce) || !Number.isSafeInteger(expiresAt)) return null
  const common = { vault, nonce, expiresAt: expiresAt as number }
  if (purpose === 'bootstrap') return Object.keys(rest).length === 0 ? { ...common, purpose } : null
  const { reason, removeFactors, withoutApprovals, ...unknown } = rest
  if (purpose !== 'recover' || Object.keys(unknown).length > 0) return null
  if (!isReason(reason) || !isFactors(removeFactors) || !isMinutes(withoutApprovals)) return null
  return { ...common, purpose, reason, removeFactors, withoutApprovals }
}

function checked(asked: TicketPurpose & { purpose: 'recover' }): TicketPurpose {
  const { reason, removeFactors, withoutApprovals } = asked
  if (!isReason(reason)) throw badRequest('reason', `Must be 1 to ${REASON_MAX_LENGTH} printable characters`)
  if (!isFactors(removeFactors)) throw badRequest('removeFactors', "Must be a principal's id")
  if (!isMinutes(withoutApprovals)) {
    throw badRequest('withoutApprovals', `Must be 1 to ${APPROVALS_MAX_MINUTES} minutes`)
  }
  return { purpose: 'recover', reason, removeFactors, withoutApprovals }
}

function isReason(value: unknown): value is string {
  if (typeof value !== 'string' || value.trim() === '' || value.length > REASON_MAX_LENGTH) return false
  // The text that an auditor reads must not hide or reorder itself.
  return value.isWellFormed() && !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(value)
}

function isFactors(value: unknown): value is string | null {
  return value === null || (typeof value === 'string' && ID.test(value))
}

function isMinutes(value: unknown): value is number | null {
  return value === null || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= APPROVALS_MAX_MINUTES)
}

function macOf(ticketKey: Uint8Array, head: string, body: Uint8Array): Bytes {
  return hmac(sha256, ticketKey, concat(utf8(head), body)) as Bytes
}
