/**
 * The facts that the log records of one request, and their canonical bytes.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import { base64, randomBytes, utf8 } from '../../bytes.ts'
import type { Reason } from '../../errors.ts'
import { cleanse, cleanseAll, isClean, printable } from '../../sanitize.ts'
import type { Hash } from '../../tlog/merkle.ts'
import type { Action } from '../access/rules.ts'
import type { Facts } from '../operation.ts'
import { aliasOf, NO_PRIVACY, type Privacy } from './privacy.ts'
import type { Severity } from './severity.ts'

/** The version of the entries' form. An entry of another version has other fields. */
const EVENT_VERSION = 1

/** Every fact of one request. Never a value, a token, or a hash of a value. */
export interface AuditEvent {
  /** When it was decided, in milliseconds since the Unix epoch. */
  at: number
  /** The request's id, as the client got it; `null` for what the vault does by itself. */
  request: string | null
  /** The operation, such as `secret.read`. */
  operation: string
  principal: string | null
  /** The accessors of the API token and of the session. */
  token: string | null
  session: string | null
  /** The client's address and user agent, as the edge saw them; `null` when unknown. */
  address: string | null
  agent: string | null
  action: Action | null
  resource: string
  /** The rule that decided; `null` for the default, deny, and for what no rule decides. */
  rule: string | null
  outcome: 'ok' | Reason
  severity: Severity
  facts: Facts
}

/** The most that readers take (C2SP tlog-tiles). */
const MAX_ENTRY_BYTES = 65_535
/** A fact of this length, such as an id, is never left out. */
const MAX_PLAIN_LENGTH = 1024
/** 128 bits: too many to try. */
const BLIND_SIZE = 16
/** Resources that are parts of a vault. Any other resource is a secret. */
const PARTS = new Set([
  ...['', 'self', 'audit', 'sessions', 'issuers', 'principals', 'rules', 'tokens'],
  ...['approvals', 'break-glass', 'hooks', 'keys', 'policy', 'rotations'],
  ...['providers', 'replicas', 'chains'],
])

/** Thrown when a change cannot be described in its entry. It must not be made. */
export class IndescribableChange extends Error {
  override readonly name = 'IndescribableChange'
}

/**
 * The bytes of an entry: JSON in the canonical form of RFC 8785, with its own index and the leaf
 * hash of the entry before it, so that a list of entries also verifies line by line.
 *
 * Where an entry would be longer than readers take, its long facts are replaced by their length and SHA-256. What a
 * change leaves behind (`after`) is not: such a change has to be refused.
 *
 * @throws {IndescribableChange}
 */
export function encodeEvent(
  event: AuditEvent,
  index: number,
  previous: Hash | null,
  privacy: Privacy = NO_PRIVACY,
): Uint8Array {
  const shown = privacy.aliasKey === null ? event : concealed(event, privacy.aliasKey)
  const entry = entryOf(shown, index, previous, privacy.blind)
  const json = written(entry)
  const bytes = utf8(isClean(json) ? json : canonical(cleansed(entry)))
  if (bytes.length <= MAX_ENTRY_BYTES) return bytes
  return shortened(cleansed(entry))
}

function shortened(entry: Entry): Uint8Array {
  const { facts, outcome } = entry
  const isChange = outcome === 'ok' && facts.after !== undefined && facts.after !== null
  const bytes = utf8(canonical({ ...entry, facts: digested(facts, isChange ? ['after'] : []) }))
  if (bytes.length > MAX_ENTRY_BYTES) throw new IndescribableChange('Change is too large for its entry')
  return bytes
}

/** Facts with the SHA-256 of those that are long, by their canonical JSON. */
function digested(facts: Facts, whole: readonly string[]): Facts {
  const short = Object.entries(facts).map(([name, fact]) => {
    if (isPlain(fact) || whole.includes(name)) return [name, fact]
    const json = utf8(canonicalize(fact) ?? '')
    return [name, { omittedBytes: json.length, sha256: base64(sha256(json)) }]
  })
  return Object.fromEntries(short)
}

function isPlain(fact: unknown): boolean {
  return typeof fact === 'string' ? fact.length <= MAX_PLAIN_LENGTH : typeof fact !== 'object' || fact === null
}

type Entry = ReturnType<typeof entryOf>

/** The fields of an entry in the order of RFC 8785 section 3.2.3: {@link written} relies on it. */
function entryOf(event: AuditEvent, index: number, previous: Hash | null, blind: boolean) {
  const { action, address, agent, facts, operation, outcome, principal } = event
  const { request, resource, rule, session, severity, token } = event
  const time = new Date(event.at).toISOString()
  return {
    ...{ action, address, agent },
    ...(blind && { blind: base64(randomBytes(BLIND_SIZE)) }),
    ...{ facts, index, operation, outcome, previous: previous === null ? null : base64(previous), principal },
    ...{ request, resource, rule, session, severity, time, token, v: EVENT_VERSION },
  }
}

/**
 * The canonical JSON of an entry whose own fields are in order. For such an entry `JSON.stringify` writes RFC 8785,
 * except for a lone surrogate. That is a third of the work, at every request.
 */
function written(entry: Entry): string {
  const { facts } = entry
  // Zero or one fact is in order, and both functions write a text or a number in the same way.
  const simple = Object.keys(facts).length < 2 && Object.values(facts).every(isScalar)
  const json = simple ? JSON.stringify(entry) : ''
  return json === '' || /\\u[dD]/.test(json) ? canonical(entry) : json
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || Number.isFinite(value)
}

/**
 * Cleans only text that others chose, since one of our own hashes may look like anything. A name stays as it is:
 * entries are found by it.
 */
function cleansed<T extends Pick<AuditEvent, 'resource' | 'agent' | 'facts'>>(entry: T): T {
  const { resource, agent, facts } = entry
  const facets = { resource: printable(resource), agent: agent && cleanse(agent), facts: cleanseAll(facts) as Facts }
  return { ...entry, ...facets }
}

function concealed(event: AuditEvent, key: Privacy['aliasKey'] & object): AuditEvent {
  const { resource, action, facts } = event
  const alias = (name: unknown) => (typeof name === 'string' && !PARTS.has(name) ? aliasOf(key, name) : name)
  return {
    ...event,
    resource: action === 'admin' ? resource : (alias(resource) as string),
    ...('resource' in facts && { facts: { ...facts, resource: alias(facts.resource) } }),
  }
}

/** The library's own error would look like one of the storage. */
function canonical(event: object): string {
  try {
    const json = canonicalize(event)
    if (json !== undefined) return json
  } catch {}
  throw new TypeError('Event has no canonical JSON form')
}
