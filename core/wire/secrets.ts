/**
 * Secrets: their values, names and versions.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseNamePrefix } from '../secrets/name.ts'
import {
  anyVersion,
  by,
  contentType,
  described,
  moment,
  number,
  secretName,
  tags,
  time,
  version,
  versionId,
} from './parts.ts'
import { Problem } from './problem.ts'

/** The largest secret value: 64 KiB, counted in bytes of UTF-8 or of decoded base64. */
export const MAX_VALUE_BYTES = 64 * 1024
/** The largest request body. */
export const MAX_BODY_BYTES = 128 * 1024
/** The most values that one hydrate call returns. */
export const MAX_REFERENCES = 200

export const PutSecret = described(
  z.strictObject({
    value: z.string().check(z.refine((text) => text.isWellFormed(), 'Value must be well-formed Unicode')),
    encoding: described(z.optional(z.literal('base64')), 'Set when the value is bytes in base64'),
    contentType: z.optional(contentType),
    tags: z.optional(tags),
    expiresAt: z.optional(time),
  }),
  'A new version of a secret',
)

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

export const DestroySecret = z.strictObject({ version: z.optional(z.int().check(z.gte(1))) })

export const Hydrate = described(
  z.strictObject({
    references: z.array(z.string().check(z.maxLength(1024))).check(z.minLength(1), z.maxLength(MAX_REFERENCES)),
  }),
  'References to turn into values',
)

export const HydratedItem = z.strictObject({
  reference: z.string(),
  secret: z.optional(Secret),
  error: z.optional(z.pick(Problem, { code: true, detail: true, reason: true, field: true, auditIndex: true })),
})

export const HydrateResult = z.strictObject({ items: z.array(HydratedItem) })

export const ReadQuery = z.strictObject({ version: z.optional(anyVersion) })
export const ListQuery = z.strictObject({
  prefix: z._default(by(parseNamePrefix), ''),
  cursor: z.optional(z.string().check(z.maxLength(2048))),
  limit: z._default(number(1, 200), 50),
  deleted: z.pipe(
    z._default(z.enum(['true', 'false']), 'false'),
    z.transform((text) => text === 'true'),
  ),
})
export const NamesQuery = z.omit(ListQuery, { deleted: true })

export const VersionsQuery = z.strictObject({ cursor: z.optional(version), limit: z._default(number(1, 200), 50) })

/** Headers of a delete. */
export const DeleteHeaders = z.strictObject({
  // A strong entity tag of ours is the version number in quotes.
  'If-Match': z.optional(
    z.pipe(
      z.string().check(z.regex(/^"[1-9][0-9]{0,15}"$/, 'If-Match must be one version number in quotes')),
      z.transform((text) => Number(text.slice(1, -1))),
    ),
  ),
})

/** Headers of a write. */
export const WriteHeaders = z.strictObject({
  'If-Match': z.optional(
    z.pipe(
      z.pipe(
        z.string().check(z.regex(/^"[^"]{1,64}"$/, 'If-Match must be one version in quotes')),
        z.transform((text) => text.slice(1, -1)),
      ),
      anyVersion,
    ),
  ),
  'If-None-Match': z.optional(z.literal('*')),
  'Idempotency-Key': z.optional(
    z.string().check(z.regex(/^[\x21-\x7e]{1,128}$/, 'Idempotency-Key must be 1 to 128 of visible ASCII')),
  ),
})
