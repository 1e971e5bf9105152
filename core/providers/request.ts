/**
 * The request that all adapters share: it is sent, its response is read, and
 * every failure of the store is a {@link ProviderFailure}. A mistake of the adapter is thrown as it is.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseAddress } from '../addresses.ts'
import { type Bytes, parseUtf8 } from '../bytes.ts'
import { badRequest } from '../errors.ts'
import { type AddressFlaw, type AddressReach, checkUrl, ForbiddenAddress, hostOf } from '../http/address_guard.ts'
import { NoAnswer, type Received, type SendOptions, send } from '../http/send.ts'
import { JsonSource } from '../json_source.ts'
import type { Redacted } from '../redacted.ts'
import type { ReportEvent } from './condition.ts'
import { type FailureKind, ProviderFailure, type ProviderSecret } from './provider.ts'

const MAX_RETRY_AFTER_MS = 60_000
/** The failures for a missing name by which a store proves that it is working. */
const SERVED: readonly FailureKind[] = ['not_found', 'deleted', 'disabled', 'expired']

/** The name of a secret that does not exist, read to check that a store works. */
export const HEALTH_NAME = 'postern-probe'
/** The version of a secret in a store that keeps only one. */
export const UNVERSIONED = 'unversioned'

/** The outcome of one secret of a batch. */
export type ProviderOutcome = ProviderSecret | ProviderFailure

/** How an adapter sends requests. */
export interface ProviderOptions extends SendOptions {
  /** The time in milliseconds since the Unix epoch. */
  now?: () => number
  /** Whether requests may wait for the response to another. Not on Workers. */
  shared?: boolean
  /** Writes the operational log: invalid settings, by name. */
  report?: ReportEvent | undefined
}

/**
 * Sends a request. No store redirects, so a redirect is an outage, wherever it points.
 *
 * @throws {ProviderFailure} `timeout`, `unavailable`; `invalid` if the response is too large.
 */
export async function ask(url: string, init: RequestInit, options: ProviderOptions): Promise<Received> {
  let received: Received
  try {
    received = await send(url, init, options)
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    const { detail, networkCode, maxBytes } = error
    if (maxBytes !== null) throw unread('TooLarge', maxBytes)
    throw new ProviderFailure(detail.reason === 'late_answer' ? 'timeout' : 'unavailable', { code: networkCode })
  }
  const { status } = received
  if (status === 0 || (status >= 300 && status < 400)) throw new ProviderFailure('unavailable', { code: 'Redirect' })
  return received
}

/**
 * Returns the failure of a provider. Any other error is a programming error in an adapter and is thrown unchanged: it
 * must not pass for an outage.
 */
export function failureOf(error: unknown): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  throw error
}

/**
 * Returns the failure for a malformed response of success. It is about the secret if the store sent it. A page of
 * markup comes from a proxy or a portal, and says nothing about the store.
 */
export function malformed({ headers, body }: Pick<Received, 'headers' | 'body'>): ProviderFailure {
  const isStores = saysJson(headers) || isJson(headers, body)
  return isStores ? unread('Form') : new ProviderFailure('unavailable', { code: 'Form' })
}

/** Whether a refusal is from the store, which sends JSON, and not from a server in front of it. */
export function isJson(headers: Headers, body: Bytes): boolean {
  const parsed = isMarkup(headers) ? null : readAnswer(body, z.unknown())
  return parsed !== null && (typeof parsed === 'object' || saysJson(headers))
}

/** Whether a response is declared as markup. */
export function isMarkup(headers: Headers): boolean {
  return /html|xml/i.test(headers.get('Content-Type') ?? '')
}

function saysJson(headers: Headers): boolean {
  return /[/+-]json\b/i.test(headers.get('Content-Type') ?? '')
}

function unread(code: string, limitBytes?: number): ProviderFailure {
  return new ProviderFailure('invalid', { code, isUnread: true, ...(limitBytes !== undefined && { limitBytes }) })
}

/**
 * Resolves if a read of a missing name gets one of the expected answers.
 *
 * @throws {ProviderFailure} also for `denied`: a store that denies the read does not work for us.
 */
export async function resolvesWhenServed(read: Promise<unknown>): Promise<void> {
  await read.catch((error) => {
    if (!SERVED.includes(failureOf(error).kind)) throw error
  })
}

/**
 * Reads a response as JSON of a known form. Returns `null` otherwise, because the errors of a parser quote its input.
 */
export function readAnswer<T extends z.ZodMiniType>(body: Bytes, schema: T): z.output<T> | null {
  const text = parseUtf8(body)
  if (text === null) return null
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  return schema.safeParse(json).data ?? null
}

/** Reads a response as JSON and keeps its source, from which values are sliced; `null` if it is not JSON. */
export function readSource(body: Bytes): JsonSource | null {
  const text = parseUtf8(body)
  return text === null ? null : JsonSource.parse(text)
}

/** Reads `Retry-After` in either of its forms (RFC 9110 section 10.2.3), capped at a minute. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const text = headers.get('Retry-After')
  if (text === null) return null
  // `Date.parse` accepts almost anything.
  const date = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$/.test(text)
    ? Date.parse(text) - now
    : null
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : date
  return ms === null || Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/**
 * Checks the address of a store, once, when its provider is made.
 *
 * @returns The address without a trailing slash.
 * @throws {PosternError} `bad_request`, naming the setting that would allow the address.
 */
export function parseBaseUrl(text: string, field: string, reach: AddressReach): string {
  checkAddress(text, field, reach)
  const { origin, pathname, search, hash } = new URL(text)
  if (search || hash) throw badRequest(field, 'Address must have no query and no fragment')
  return origin + pathname.replace(/(?<!\/)\/+$/, '')
}

/**
 * Checks where an address of the operator points.
 *
 * @throws {PosternError} `bad_request`, naming the setting that would allow the address.
 */
function checkAddress(text: string, field: string, reach: AddressReach): void {
  try {
    checkUrl(text, reach)
  } catch (error) {
    if (!(error instanceof ForbiddenAddress)) throw error
    throw badRequest(field, adviceFor(error.flaw, URL.parse(text)))
  }
}

function adviceFor(flaw: AddressFlaw, url: URL | null): string {
  const host = url && hostOf(url)
  switch (flaw) {
    case 'malformed':
      return 'Must be a URL such as https://host'
    case 'credentials':
      return 'Must have no user name and no password'
    case 'loopback':
      return 'Is on this machine. Set POSTERN_PROVIDERS__ALLOW_LOOPBACK=true to allow that'
    case 'plain':
      return 'Must begin with https://, since credentials and values must not travel in the clear. For a certificate of a private authority, set POSTERN_CA_FILE'
    case 'private':
      return `${host} is a private address. List its range in POSTERN_PROVIDERS__PRIVATE_RANGES`
    case 'special':
      return `${parseAddress(host ?? '') ? host : 'This host'} is reserved, and cannot be a store`
  }
}

/** The form of a header value: one line of visible ASCII, which cannot end the header early. */
export const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,16383}[\x21-\x7e])?$/

/**
 * Checks the value of a header.
 *
 * @throws {PosternError} `bad_request`, without the value.
 */
export function checkHeaderValue(value: Redacted<string>, field: string): void {
  if (!HEADER_VALUE.test(value.reveal())) {
    throw badRequest(field, 'Value must be one line of visible ASCII characters')
  }
}
