/**
 * Shapes of requests about secrets.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseNamePrefix } from '../names.ts'
import { parsePointer } from '../reference.ts'
import { by, described, tags } from './parts.ts'
import { anyVersion, contentType, number, replace, time, version } from './request_parts.ts'

/** The largest secret value, in bytes of UTF-8 or decoded base64: 64 KiB. */
export const MAX_VALUE_BYTES = 64 * 1024
/** The largest request body, in bytes. */
export const MAX_BODY_BYTES = 128 * 1024
/**
 * The largest request body that has a value or references, in bytes. JSON may write a character of one byte as six
 * (`\u0000`), and some writers escape all but ASCII: the largest value fits in any form.
 */
export const MAX_VALUE_BODY_BYTES = 6 * MAX_VALUE_BYTES + MAX_BODY_BYTES
/** The most references that one hydrate request may hold. */
const MAX_REFERENCES = 200

/** Writes a new version of a secret. */
export const PutSecret = described(
  z.strictObject({
    value: z.string().check(z.refine((text) => text.isWellFormed(), 'Must be well-formed Unicode')),
    encoding: described(z.optional(z.literal('base64')), 'Set if the value is binary, in base64'),
    contentType: z.optional(contentType),
    tags: z.optional(tags),
    expiresAt: z.optional(time),
    replace: z.optional(replace),
  }),
  'A new version of a secret',
)

/** Destroys one version of a secret, or all of them. */
export const DestroySecret = z.strictObject({ version: z.optional(z.int().check(z.gte(1))) })

/** Reads many secrets at once. */
export const Hydrate = described(
  z.strictObject({
    references: z.array(z.string().check(z.maxLength(1024))).check(z.minLength(1), z.maxLength(MAX_REFERENCES)),
  }),
  'References to resolve to values',
)

/** Selects what to read of a secret. */
export const ReadQuery = z.strictObject({
  version: described(
    z.optional(anyVersion),
    'A version number, `current`, `previous`, `pending`, or a version id or staging label of the provider, such as `AWSPREVIOUS`. The current version if missing or empty',
  ),
  field: described(
    z.optional(by(parsePointer).check(z.maxLength(1024))),
    'A JSON pointer (RFC 6901) to one value of a secret that is a JSON document, such as `/password`. Empty is the whole document',
  ),
})
/** Selects a page of secrets. */
export const ListQuery = z.strictObject({
  prefix: z._default(by(parseNamePrefix), ''),
  cursor: z.optional(z.string().check(z.maxLength(2048))),
  limit: z._default(number(1, 200), 50),
  deleted: z.pipe(
    z._default(z.enum(['true', 'false']), 'false'),
    z.transform((text) => text === 'true'),
  ),
})
/** Selects a page of names at a provider. */
export const NamesQuery = z.omit(ListQuery, { deleted: true })

/** Selects a page of versions. */
export const VersionsQuery = z.strictObject({ cursor: z.optional(version), limit: z._default(number(1, 200), 50) })

/** Headers of a read. The edge reads `Cache-Control` itself: directives that it does not know are ignored. */
export const ReadHeaders = z.strictObject({
  'Cache-Control': described(
    z.optional(z.string()),
    '`no-cache` or `max-age` has the provider called although the cache of its chain holds a value of a greater age (RFC 9111 section 5.2.1)',
  ),
})

/** Headers of a request to delete, restore or destroy. */
export const DeleteHeaders = z.strictObject({
  // The strong entity tag is the version number in quotes.
  'If-Match': z.optional(
    z.pipe(
      z
        .string()
        .check(z.regex(/^"[1-9][0-9]{0,15}"$/, 'Must be one version number in quotes, and neither * nor a list')),
      z.transform((text) => Number(text.slice(1, -1))),
    ),
  ),
})

/** Headers of a write. */
export const WriteHeaders = z.strictObject({
  'If-Match': z.optional(
    z.pipe(
      z.pipe(
        // A provider's version id can have any character of an entity tag (RFC 9110 section 8.8.3).
        z
          .string()
          .check(z.regex(/^"[\x21\x23-\x7e]{1,128}"$/, 'Must be one version in quotes, and neither * nor a list')),
        z.transform((text) => text.slice(1, -1)),
      ),
      z.transform((text) => (/^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : text)),
    ),
  ),
  'If-None-Match': z.optional(z.literal('*')),
  'Idempotency-Key': z.optional(
    z.string().check(z.regex(/^[\x21-\x7e]{1,128}$/, 'Must be 1 to 128 visible ASCII characters')),
  ),
})
