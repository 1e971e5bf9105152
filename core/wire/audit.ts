/**
 * What is told of the log: entries, proofs and how it stands.
 *
 * @module
 */
import * as z from 'zod/mini'
import { SEVERITIES } from '../vault/audit/severity.ts'
import { described, moment } from './parts.ts'

/** A hash of the tree, in base64. */
export const Hash = z.base64().check(z.length(44))
export const InclusionProof = described(
  z.strictObject({ index: z.int(), size: z.int(), leafHash: Hash, root: Hash, hashes: z.array(Hash) }),
  'That an entry is in the tree of this size (RFC 9162 section 2.1.3)',
)
export const ConsistencyProof = described(
  z.strictObject({ from: z.int(), to: z.int(), hashes: z.array(Hash) }),
  'That the smaller tree is the beginning of the larger (RFC 9162 section 2.1.4)',
)

export const AuditEntries = described(
  z.strictObject({
    size: described(z.int(), 'Entries in the log when it was asked'),
    root: described(z.base64(), 'RFC 6962 root hash over all of them'),
    min: described(z.int(), 'The first entry that is kept: those before are past their retention'),
    frontier: described(
      z.optional(z.array(Hash)),
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

/** The facts of an entry that are told to whoever it is about. */
export const told = {
  index: described(z.int(), 'Its place in the log, from 0'),
  time: described(moment, 'When it was decided'),
  operation: described(z.string(), 'What was asked, such as secret.read'),
  resource: described(z.string(), 'The name of the secret, or an alias of it, or the part of the vault'),
  outcome: described(z.string(), '"ok", or the reason of the refusal'),
  severity: described(z.enum(SEVERITIES), 'From notice on it is a security event'),
}

/** What somebody did last, without what is only an auditor's. */
export const MyEntries = z.strictObject({
  items: z.array(z.strictObject({ ...told, address: z.optional(z.string()), agent: z.optional(z.string()) })),
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
