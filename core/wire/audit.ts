/**
 * The log: entries, proofs and how it stands.
 *
 * @module
 */
import * as z from 'zod'
import { ACTIONS } from '../access/policy.ts'
import { FORMATS } from '../audit/format.ts'
import { SEVERITIES } from '../audit/severity.ts'
import { line, moment, number } from './parts.ts'

const hash = z.base64().length(44)
export const InclusionProof = z
  .strictObject({ index: z.int(), size: z.int(), leafHash: hash, root: hash, hashes: z.array(hash) })
  .describe('That an entry is in the tree of this size (RFC 9162 section 2.1.3)')
export const ConsistencyProof = z
  .strictObject({ from: z.int(), to: z.int(), hashes: z.array(hash) })
  .describe('That the smaller tree is the beginning of the larger (RFC 9162 section 2.1.4)')

/** An entry of the log as it is written, `body` below: `docs/audit-entry.schema.json` is made of this. */
export const AuditEntry = z
  .strictObject({
    v: z.literal(1).describe('The version of this form'),
    index: z.int().describe('Its place in the log, from 0'),
    previous: hash.nullable().describe('The leaf hash of the entry before, base64; null for the first'),
    blind: z.base64().optional().describe('Random bytes, when the log is blinded'),
    time: moment.describe('When it was decided'),
    request: z.string().nullable().describe('The Request-Id of the request; null for what the vault did by itself'),
    operation: z.string().describe('What was asked, such as secret.read'),
    action: z.enum(ACTIONS).nullable().describe('The right that it needs; null when it has none of its own'),
    resource: z.string().describe('The name of the secret, or an alias of it, or the part of the vault'),
    principal: z.string().nullable().describe('Who asked; null for the vault itself, and who is not known yet'),
    token: z.string().nullable().describe('The accessor of the API token'),
    session: z.string().nullable().describe('The accessor of the session'),
    address: z.string().nullable().describe('From where'),
    agent: z.string().nullable().describe('The user agent, as it says'),
    rule: z.string().nullable().describe('The rule that decided; null for the default, deny'),
    outcome: z.string().describe('"ok", or the reason of the refusal'),
    severity: z.enum(SEVERITIES).describe('From notice on it is a security event'),
    facts: z.record(z.string(), z.unknown()).describe('What else belongs to it; never a value'),
  })
  .describe('One entry of the log of a Postern vault, in the canonical form of RFC 8785')

export type AuditEntry = z.output<typeof AuditEntry>

export const AuditEntries = z
  .strictObject({
    size: z.int().describe('Entries in the log when it was asked'),
    root: z.base64().describe('RFC 6962 root hash over all of them'),
    min: z.int().describe('The first entry that is kept: those before are past their retention'),
    frontier: z
      .array(hash)
      .optional()
      .describe('What stands for the entries before `min` in the tree: with the first entries that are kept'),
    entries: z.array(
      z.strictObject({ index: z.int(), body: z.string().describe('The canonical JSON that was hashed') }),
    ),
    next: z.int().optional().describe('Where the next page begins; a page may hold fewer entries than were asked for'),
  })
  .describe('Entries of the log')

/** What somebody did last, without what is only an auditor's. */
export const MyEntries = z.strictObject({
  items: z.array(
    AuditEntry.pick({ index: true, time: true, operation: true, resource: true, outcome: true, severity: true }).extend(
      { address: z.string().optional(), agent: z.string().optional() },
    ),
  ),
})

/** How the log stands, for whoever runs it. */
export const AuditStatus = z.strictObject({
  size: z.int(),
  min: z.int(),
  retentionDays: z.int(),
  hold: z.strictObject({ reason: z.string(), at: moment, by: z.string() }).optional(),
  checkpoint: z.strictObject({ size: z.int(), signedAt: moment }).optional(),
  keyTerm: z.int(),
  deliveries: z.array(
    z.strictObject({
      target: z.string(),
      mark: z.int(),
      lag: z.int().describe('Entries that it does not have yet'),
      deliveredAt: moment.optional(),
      failure: z.string().optional(),
      failingSince: moment.optional(),
    }),
  ),
})

export const RekeyedLog = z.strictObject({ term: z.int(), key: z.string().describe('The new verifier key') })

/** Why nothing of the log may be erased; `null` ends the hold. */
export const HoldLog = z.strictObject({ reason: line(1, 256).nullable() })

export const EntriesQuery = z.strictObject({
  from: number(0, Number.MAX_SAFE_INTEGER).default(0),
  limit: number(1, 1000).default(100),
  severity: z.enum(SEVERITIES).default('info').describe('Only those of this severity, and above'),
})
export const ExportQuery = EntriesQuery.extend({ format: z.enum(FORMATS).default('jsonl') })
export const MineQuery = z.strictObject({ limit: number(1, 200).default(50) })

const index = number(0, Number.MAX_SAFE_INTEGER)
export const InclusionQuery = z.strictObject({ size: index.optional() })
export const ConsistencyQuery = z.strictObject({ from: index, to: index })
