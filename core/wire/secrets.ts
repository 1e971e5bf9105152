/**
 * Secrets: their values, names and versions.
 *
 * @module
 */
import * as z from 'zod'
import { parseNamePrefix } from '../secrets/name.ts'
import { anyVersion, by, contentType, moment, number, secretName, tags, time, version, versionId } from './parts.ts'
import { Problem } from './problem.ts'

/** The largest secret value: 64 KiB, counted in bytes of UTF-8 or of decoded base64. */
export const MAX_VALUE_BYTES = 64 * 1024
/** The largest request body. */
export const MAX_BODY_BYTES = 128 * 1024
/** The most values that one hydrate call returns. */
export const MAX_REFERENCES = 200

export const PutSecret = z
  .strictObject({
    value: z.string().refine((text) => text.isWellFormed(), 'Value must be well-formed Unicode'),
    encoding: z.literal('base64').optional().describe('Set when the value is bytes in base64'),
    contentType: contentType.optional(),
    tags: tags.optional(),
    expiresAt: time.optional(),
  })
  .describe('A new version of a secret')

export const PutSecretResult = z.strictObject({ name: secretName, version: versionId })

export const Secret = z
  .strictObject({
    name: secretName,
    version: versionId,
    value: z.string(),
    encoding: z.literal('base64').optional(),
    contentType: z.string(),
    tags,
    createdAt: moment.optional().describe('Not every provider says'),
    expiresAt: moment.optional(),
    provider: z.string(),
  })
  .describe('A secret with its value')

export const SecretMetadata = z.strictObject({
  name: secretName,
  version: z.int(),
  contentType: z.string(),
  tags,
  createdAt: moment,
  updatedAt: moment,
  expiresAt: moment.optional(),
  deletedAt: moment.optional(),
})

export const SecretList = z.strictObject({ items: z.array(SecretMetadata), cursor: z.string().optional() })

export const Version = z.strictObject({
  version: versionId,
  stage: z.enum(['current', 'previous', 'pending']).optional(),
  contentType: z.string().optional(),
  createdAt: moment.optional(),
  createdBy: z.string().optional(),
  enabled: z.literal(false).optional().describe('Set when its value cannot be read any more'),
  why: z.string().optional().describe('What made it, if not a write'),
  currentAt: moment.optional(),
  checksum: z.string().optional().describe('The tag of its envelope: keyed, and verified at each read'),
  expiresAt: moment.optional(),
  destroyedAt: moment.optional(),
  provider: z.string(),
})

export const VersionList = z.strictObject({
  name: secretName,
  deletedAt: moment.optional(),
  items: z.array(Version),
  cursor: z.string().optional(),
})

export const DestroySecret = z.strictObject({ version: z.int().min(1).optional() })

export const Hydrate = z
  .strictObject({ references: z.array(z.string().max(1024)).min(1).max(MAX_REFERENCES) })
  .describe('References to turn into values')

export const HydratedItem = z.strictObject({
  reference: z.string(),
  secret: Secret.optional(),
  error: Problem.pick({ code: true, detail: true, reason: true, field: true, auditIndex: true }).optional(),
})

export const HydrateResult = z.strictObject({ items: z.array(HydratedItem) })

export const ReadQuery = z.strictObject({ version: anyVersion.optional() })
export const ListQuery = z.strictObject({
  prefix: by(parseNamePrefix).default(''),
  cursor: z.string().max(2048).optional(),
  limit: number(1, 200).default(50),
  deleted: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
})
export const NamesQuery = ListQuery.omit({ deleted: true })

export const VersionsQuery = z.strictObject({ cursor: version.optional(), limit: number(1, 200).default(50) })

/** Headers of a delete. */
export const DeleteHeaders = z.strictObject({
  // A strong entity tag of ours is the version number in quotes.
  'If-Match': z
    .string()
    .regex(/^"[1-9][0-9]{0,15}"$/, 'If-Match must be one version number in quotes')
    .transform((text) => Number(text.slice(1, -1)))
    .optional(),
})

/** Headers of a write. */
export const WriteHeaders = z.strictObject({
  'If-Match': z
    .string()
    .regex(/^"[^"]{1,64}"$/, 'If-Match must be one version in quotes')
    .transform((text) => text.slice(1, -1))
    .pipe(anyVersion)
    .optional(),
  'If-None-Match': z.literal('*').optional(),
  'Idempotency-Key': z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'Idempotency-Key must be 1 to 128 of visible ASCII')
    .optional(),
})
