/**
 * A vault's policy, the terms of its key, and its hooks.
 *
 * @module
 */
import * as z from 'zod'
import { atLeastOne, id, line, moment, pattern } from './parts.ts'

/** What values of a vault have to be like, and how many old ones are kept. */
const SecretComplexity = z
  .strictObject({
    resources: atLeastOne(pattern, 100).default(['**']),
    minLength: z.int().min(1).max(1024).default(8),
    requireUpper: z.boolean().default(true),
    requireLower: z.boolean().default(true),
    requireDigit: z.boolean().default(true),
    requireSpecial: z.boolean().default(true),
    minEntropyBits: z.int().min(0).max(256).default(0),
    denied: z.array(line(3, 64)).max(1000).default([]),
  })
  .describe('Of values that are given; what is generated follows it too')
export const PutPolicy = z.strictObject({
  secretComplexity: SecretComplexity.nullable().default(null),
  keepVersions: z.int().min(2).max(1_000_000).nullable().default(null),
  keepVersionDays: z.int().min(1).max(36_500).nullable().default(null),
  notify: id.nullable().default(null).describe('The hook that is told of what needs somebody'),
})
export const Policy = z.strictObject({
  ...PutPolicy.shape,
  version: z.int(),
  updatedAt: moment.optional(),
  updatedBy: z.string().optional(),
})

/** A term of the vault's key. */
export const Term = z.strictObject({
  term: z.int(),
  state: z.enum(['current', 'moving', 'in use', 'retired']),
  startedAt: moment,
  startedBy: z.string().optional(),
  moved: z.int().describe('Sealed values that were moved to it'),
  failed: z.int().describe('Sealed values that could not be moved to it, and keep older terms in use'),
  doneAt: moment.optional().describe('Since when nothing is sealed under an older term'),
})
export const TermList = z.strictObject({ items: z.array(Term) })

/** Another server that is told something. */
export const PutHook = z.strictObject({ url: z.string().max(512), newSecret: z.boolean().default(false) })
export const Hook = z.strictObject({
  id,
  url: z.string(),
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
  secret: z.string().optional().describe('The signing secret, when it is new: shown this once'),
})
export const HookList = z.strictObject({ items: z.array(Hook) })
