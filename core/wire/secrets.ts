/**
 * What is told of secrets: their values, names and versions.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described, moment, secretName, tags, versionId } from './parts.ts'
import { PassedOver, Problem } from './problem.ts'

export const PutSecretResult = z.strictObject({ name: secretName, version: versionId })

export const Secret = described(
  z.strictObject({
    name: secretName,
    version: versionId,
    value: z.string(),
    encoding: z.optional(z.literal('base64')),
    contentType: z.string(),
    tags,
    createdAt: described(z.optional(moment), 'Not every provider says'),
    expiresAt: z.optional(moment),
    provider: z.string(),
    passedOver: described(
      z.optional(PassedOver),
      'Members of the chain that were asked before and could not answer, in order',
    ),
    cached: described(
      z.optional(z.strictObject({ ageSeconds: z.int(), stale: z.optional(z.literal(true)) })),
      'Set when it came from the cache; stale when it is there only because no provider could be reached',
    ),
  }),
  'A secret with its value',
)

export const SecretMetadata = z.strictObject({
  name: secretName,
  version: z.int(),
  contentType: z.string(),
  tags,
  createdAt: moment,
  updatedAt: moment,
  expiresAt: z.optional(moment),
  deletedAt: z.optional(moment),
})

export const SecretList = z.strictObject({ items: z.array(SecretMetadata), cursor: z.optional(z.string()) })

export const Version = z.strictObject({
  version: versionId,
  stage: z.optional(z.enum(['current', 'previous', 'pending'])),
  contentType: z.optional(z.string()),
  createdAt: z.optional(moment),
  createdBy: z.optional(z.string()),
  enabled: described(z.optional(z.literal(false)), 'Set when its value cannot be read any more'),
  why: described(z.optional(z.string()), 'What made it, if not a write'),
  currentAt: z.optional(moment),
  checksum: described(z.optional(z.string()), 'The tag of its envelope: keyed, and verified at each read'),
  expiresAt: z.optional(moment),
  destroyedAt: z.optional(moment),
  provider: z.string(),
})

export const VersionList = z.strictObject({
  name: secretName,
  deletedAt: z.optional(moment),
  items: z.array(Version),
  cursor: z.optional(z.string()),
})

export const HydratedItem = z.strictObject({
  reference: z.string(),
  secret: z.optional(Secret),
  error: z.optional(
    z.pick(Problem, { code: true, detail: true, reason: true, field: true, passedOver: true, auditIndex: true }),
  ),
})

export const HydrateResult = z.strictObject({ items: z.array(HydratedItem) })
