/**
 * What is asked of secrets.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseNamePrefix } from '../names.ts'
import { by, described, tags } from './parts.ts'
import { anyVersion, contentType, number, replace, time, version } from './request_parts.ts'

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
    replace: z.optional(replace),
  }),
  'A new version of a secret',
)

export const DestroySecret = z.strictObject({ version: z.optional(z.int().check(z.gte(1))) })

export const Hydrate = described(
  z.strictObject({
    references: z.array(z.string().check(z.maxLength(1024))).check(z.minLength(1), z.maxLength(MAX_REFERENCES)),
  }),
  'References to turn into values',
)

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
        // RFC 9110 section 8.8.3: what a provider calls its version may be any of these.
        z.string().check(z.regex(/^"[\x21\x23-\x7e]{1,128}"$/, 'If-Match must be one version in quotes')),
        z.transform((text) => text.slice(1, -1)),
      ),
      z.transform((text) => (/^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : text)),
    ),
  ),
  'If-None-Match': z.optional(z.literal('*')),
  'Idempotency-Key': z.optional(
    z.string().check(z.regex(/^[\x21-\x7e]{1,128}$/, 'Idempotency-Key must be 1 to 128 of visible ASCII')),
  ),
})
