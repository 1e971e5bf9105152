/**
 * Answers about the audit log: entries, proofs and status.
 *
 * @module
 */
import * as z from 'zod/mini'
import { SEVERITIES } from '../vault/audit/severity.ts'
import { described, moment } from './parts.ts'

/** A hash of the Merkle tree, in base64. */
export const Hash = z.base64().check(z.length(44))
/** An inclusion proof (RFC 9162 section 2.1.3). */
export const InclusionProof = described(
  z.strictObject({ index: z.int(), size: z.int(), leafHash: Hash, root: Hash, hashes: z.array(Hash) }),
  'Proves that the tree of this size contains an entry (RFC 9162 section 2.1.3)',
)
/** A consistency proof (RFC 9162 section 2.1.4). */
export const ConsistencyProof = described(
  z.strictObject({ from: z.int(), to: z.int(), hashes: z.array(Hash) }),
  'Proves that the larger tree extends the smaller one (RFC 9162 section 2.1.4)',
)

/** A page of the log. */
export const AuditEntries = described(
  z.strictObject({
    size: described(z.int(), 'The number of entries in the log at the time of the request'),
    root: described(z.base64(), 'The RFC 6962 root hash of all these entries'),
    min: described(z.int(), 'The index of the first entry that is kept. Earlier entries are past their retention'),
    frontier: described(
      z.optional(z.array(Hash)),
      'Hashes that represent the entries before `min` in the tree. Sent with the first entries that are kept',
    ),
    entries: z.array(
      z.strictObject({ index: z.int(), body: described(z.string(), 'The canonical JSON that is hashed') }),
    ),
    next: described(
      z.optional(z.int()),
      'The index where the next page begins. A page may hold fewer entries than requested',
    ),
  }),
  'A page of log entries',
)

/** Fields of an entry that its principal may see. */
export const told = {
  index: described(z.int(), 'The index of the entry in the log, from 0'),
  time: described(moment, 'When the request was decided'),
  operation: described(z.string(), 'The operation, such as secret.read'),
  resource: described(z.string(), 'The name of the secret, its alias, or the part of the vault'),
  outcome: described(z.string(), '"ok", or the reason for the refusal'),
  severity: described(z.enum(SEVERITIES), 'A security event is notice or higher'),
}

/** The caller's own latest entries, without the fields reserved for auditors. */
export const MyEntries = z.strictObject({
  items: z.array(z.strictObject({ ...told, address: z.optional(z.string()), agent: z.optional(z.string()) })),
})

/** The status of the log, for its operator. */
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
      lag: described(z.int(), 'The number of entries that the target has not received yet'),
      deliveredAt: z.optional(moment),
      failure: z.optional(z.string()),
      failingSince: z.optional(moment),
    }),
  ),
})

/** A new term of the key that signs checkpoints. */
export const RekeyedLog = z.strictObject({ term: z.int(), key: described(z.string(), 'The new verifier key') })
