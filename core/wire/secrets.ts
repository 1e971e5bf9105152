/**
 * Answers about secrets: values, names and versions.
 *
 * @module
 */
import * as z from 'zod/mini'
import { STAGES } from '../stages.ts'
import { described, moment, secretName, tags, versionId } from './parts.ts'
import { PassedOver, Problem } from './problem.ts'

/** The version that a write created. */
export const PutSecretResult = z.strictObject({ name: secretName, version: versionId })

/** The tags of a provider that do not fit into `tags`. */
const moreTags = described(
  z.optional(z.record(z.string(), z.string())),
  'Tags of the provider beyond 20, or longer than those of a write',
)

/** A secret with its value. */
export const Secret = described(
  z.strictObject({
    name: secretName,
    version: versionId,
    value: z.string(),
    encoding: z.optional(z.literal('base64')),
    contentType: z.string(),
    tags,
    moreTags,
    createdAt: described(z.optional(moment), 'Missing if the provider does not report it'),
    expiresAt: z.optional(moment),
    provider: z.string(),
    passedOver: described(z.optional(PassedOver), 'Earlier members of the chain that could not answer, in order'),
    cached: described(
      z.optional(z.strictObject({ ageSeconds: z.int(), stale: z.optional(z.literal(true)) })),
      'Set if the value came from the cache. stale if it is past its lifetime, and served because no provider was available',
    ),
  }),
  'A secret with its value',
)

/** A secret without its value. */
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

/** A page of secrets, without values. */
export const SecretList = z.strictObject({ items: z.array(SecretMetadata), cursor: z.optional(z.string()) })

/** A version of a secret, without its value. */
export const Version = z.strictObject({
  version: versionId,
  stage: z.optional(z.enum(STAGES)),
  contentType: z.optional(z.string()),
  createdAt: z.optional(moment),
  createdBy: z.optional(z.string()),
  enabled: described(z.optional(z.literal(false)), 'Set to false if the value can no longer be read'),
  why: described(z.optional(z.string()), 'What created the version, if it was not a write'),
  currentAt: z.optional(moment),
  checksum: described(z.optional(z.string()), 'The keyed tag of the envelope, verified at each read'),
  expiresAt: z.optional(moment),
  destroyedAt: z.optional(moment),
  provider: z.string(),
})

/** A page of versions, newest first. */
export const VersionList = z.strictObject({
  name: secretName,
  tags: described(z.optional(tags), 'The tags at the provider, if it sends them with another request alone (AWS)'),
  moreTags,
  description: described(z.optional(z.string()), 'The description of the secret at the provider (AWS)'),
  deletedAt: z.optional(moment),
  items: z.array(Version),
  cursor: z.optional(z.string()),
})

/** The value for one reference, or the error. */
export const HydratedItem = z.strictObject({
  reference: z.string(),
  secret: z.optional(Secret),
  error: z.optional(
    z.pick(Problem, { code: true, detail: true, reason: true, field: true, passedOver: true, auditIndex: true }),
  ),
})

/** The values and errors for all references, in the order of the request. */
export const HydrateResult = z.strictObject({ items: z.array(HydratedItem) })
