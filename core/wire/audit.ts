/**
 * The log: entries, proofs and how it stands.
 *
 * @module
 */
import * as z from 'zod/mini'
import { ACTIONS } from '../access/policy.ts'
import { FORMATS } from '../audit/format.ts'
import { SEVERITIES } from '../audit/severity.ts'
import { described, line, moment, number } from './parts.ts'

const hash = z.base64().check(z.length(44))
export const InclusionProof = described(
  z.strictObject({ index: z.int(), size: z.int(), leafHash: hash, root: hash, hashes: z.array(hash) }),
  'That an entry is in the tree of this size (RFC 9162 section 2.1.3)',
)
export const ConsistencyProof = described(
  z.strictObject({ from: z.int(), to: z.int(), hashes: z.array(hash) }),
  'That the smaller tree is the beginning of the larger (RFC 9162 section 2.1.4)',
)

/** An entry of the log as it is written, `body` below: `docs/audit-entry.schema.json` is made of this. */
export const AuditEntry = described(
  z.strictObject({
    v: described(z.literal(1), 'The version of this form'),
    index: described(z.int(), 'Its place in the log, from 0'),
    previous: described(z.nullable(hash), 'The leaf hash of the entry before, base64; null for the first'),
    blind: described(z.optional(z.base64()), 'Random bytes, when the log is blinded'),
    time: described(moment, 'When it was decided'),
    request: described(z.nullable(z.string()), 'The Request-Id of the request; null for what the vault did by itself'),
    operation: described(z.string(), 'What was asked, such as secret.read'),
    action: described(z.nullable(z.enum(ACTIONS)), 'The right that it needs; null when it has none of its own'),
    resource: described(z.string(), 'The name of the secret, or an alias of it, or the part of the vault'),
    principal: described(z.nullable(z.string()), 'Who asked; null for the vault itself, and who is not known yet'),
    token: described(z.nullable(z.string()), 'The accessor of the API token'),
    session: described(z.nullable(z.string()), 'The accessor of the session'),
    address: described(z.nullable(z.string()), 'From where'),
    agent: described(z.nullable(z.string()), 'The user agent, as it says'),
    rule: described(z.nullable(z.string()), 'The rule that decided; null for the default, deny'),
    outcome: described(z.string(), '"ok", or the reason of the refusal'),
    severity: described(z.enum(SEVERITIES), 'From notice on it is a security event'),
    facts: described(z.record(z.string(), z.unknown()), 'What else belongs to it; never a value'),
  }),
  'One entry of the log of a Postern vault, in the canonical form of RFC 8785',
)

export type AuditEntry = z.output<typeof AuditEntry>

export const AuditEntries = described(
  z.strictObject({
    size: described(z.int(), 'Entries in the log when it was asked'),
    root: described(z.base64(), 'RFC 6962 root hash over all of them'),
    min: described(z.int(), 'The first entry that is kept: those before are past their retention'),
    frontier: described(
      z.optional(z.array(hash)),
      'What stands for the entries before `min` in the tree: with the first entries that are kept',
    ),
    entries: z.array(
      z.strictObject({ index: z.int(), body: described(z.string(), 'The canonical JSON that was hashed') }),
    ),
    next: described(
      z.optional(z.int()),
      'Where the next page begins; a page may hold fewer entries than were asked for',
    ),
  }),
  'Entries of the log',
)

/** What somebody did last, without what is only an auditor's. */
export const MyEntries = z.strictObject({
  items: z.array(
    z.extend(
      z.pick(AuditEntry, { index: true, time: true, operation: true, resource: true, outcome: true, severity: true }),
      { address: z.optional(z.string()), agent: z.optional(z.string()) },
    ),
  ),
})

/** How the log stands, for whoever runs it. */
export const AuditStatus = z.strictObject({
  size: z.int(),
  min: z.int(),
  retentionDays: z.int(),
  hold: z.optional(z.strictObject({ reason: z.string(), at: moment, by: z.string() })),
  checkpoint: z.optional(z.strictObject({ size: z.int(), signedAt: moment })),
  keyTerm: z.int(),
  deliveries: z.array(
    z.strictObject({
      target: z.string(),
      mark: z.int(),
      lag: described(z.int(), 'Entries that it does not have yet'),
      deliveredAt: z.optional(moment),
      failure: z.optional(z.string()),
      failingSince: z.optional(moment),
    }),
  ),
})

export const RekeyedLog = z.strictObject({ term: z.int(), key: described(z.string(), 'The new verifier key') })

/** Why nothing of the log may be erased; `null` ends the hold. */
export const HoldLog = z.strictObject({ reason: z.nullable(line(1, 256)) })

export const EntriesQuery = z.strictObject({
  from: z._default(number(0, Number.MAX_SAFE_INTEGER), 0),
  limit: z._default(number(1, 1000), 100),
  severity: described(z._default(z.enum(SEVERITIES), 'info'), 'Only those of this severity, and above'),
})
export const ExportQuery = z.extend(EntriesQuery, { format: z._default(z.enum(FORMATS), 'jsonl') })
export const MineQuery = z.strictObject({ limit: z._default(number(1, 200), 50) })

const index = number(0, Number.MAX_SAFE_INTEGER)
export const InclusionQuery = z.strictObject({ size: z.optional(index) })
export const ConsistencyQuery = z.strictObject({ from: index, to: index })
