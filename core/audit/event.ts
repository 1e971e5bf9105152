/**
 * What the log records of one request, and its canonical bytes.
 *
 * @module
 */
import canonicalize from 'canonicalize'
import type { Action } from '../access/policy.ts'
import { base64, randomBytes, utf8 } from '../bytes.ts'
import type { Reason } from '../errors.ts'
import type { Facts } from '../operation.ts'
import { cleanse, cleanseAll, isClean, printable } from '../redaction.ts'
import type { Hash } from './merkle.ts'
import { aliasOf, NO_PRIVACY, type Privacy } from './privacy.ts'
import type { Severity } from './severity.ts'

/** The version of the entries' form. An entry of another version has other fields. */
export const EVENT_VERSION = 1

/** Every fact of one request. Never a value, a token, or a hash of a value. */
export interface AuditEvent {
  /** When it was decided, in milliseconds since the Unix epoch. */
  at: number
  /** The request's id, as the client got it; `null` for what the vault does by itself. */
  request: string | null
  /** What was asked, such as `secret.read`. */
  operation: string
  principal: string | null
  /** The accessors of the API token and of the session. */
  token: string | null
  session: string | null
  /** The client's address and user agent, as the edge saw them; `null` when it could not tell. */
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

/** The most that readers take (C2SP tlog-tiles): facts that make an entry longer are left out. */
const MAX_ENTRY_BYTES = 65_535
/** 128 bits: nobody tries them all. */
const BLIND_SIZE = 16
/** Resources that are parts of a vault: what is done to anything else is done to a secret. */
const PARTS = new Set([
  ...['', 'self', 'audit', 'sessions', 'issuers', 'principals', 'rules', 'tokens'],
  ...['approvals', 'break-glass', 'hooks', 'keys', 'policy', 'rotations'],
  ...['providers', 'replicas', 'chains'],
])

/**
 * The bytes of an entry: JSON in the canonical form of RFC 8785, with its own index and the leaf
 * hash of the entry before it, so that a list of entries also verifies line by line.
 */
export function encodeEvent(
  event: AuditEvent,
  index: number,
  previous: Hash | null,
  privacy: Privacy = NO_PRIVACY,
): Uint8Array {
  const { at, ...rest } = privacy.aliasKey === null ? event : concealed(event, privacy.aliasKey)
  const place = { v: EVENT_VERSION, index, previous: previous === null ? null : base64(previous) }
  const blind = privacy.blind ? { blind: base64(randomBytes(BLIND_SIZE)) } : {}
  const entry = { ...place, ...blind, time: new Date(at).toISOString(), ...rest }
  const json = canonical(entry)
  const bytes = utf8(isClean(json) ? json : canonical(cleansed(entry)))
  if (bytes.length <= MAX_ENTRY_BYTES) return bytes
  return utf8(canonical(cleansed({ ...entry, facts: { omittedBytes: bytes.length } })))
}

/** Only what others chose: a hash of ours may look like anything. The name stays a name: an entry is found by it. */
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
