/**
 * Building blocks for the shapes of requests. A client that only checks answers does not load them.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described } from './parts.ts'

/** A content type: visible ASCII and spaces, because it becomes a header. */
export const contentType = z
  .string()
  .check(z.regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, 'Must be 1 to 255 visible ASCII characters'))
/** A time in ISO 8601 with an offset, read as milliseconds since the Unix epoch. */
export const time = z
  .pipe(
    z.iso.datetime({ offset: true }),
    z.transform((text) => Date.parse(text)),
  )
  .check(
    // With an offset, a time can be later than the last instant of a four-digit year.
    z.refine((ms) => ms <= Date.parse('9999-12-31T23:59:59Z'), 'Must be before the year 10000'),
  )
/** The pattern of a rule: segments of a name or `*`, with `**` only at the end. */
export const pattern = z
  .string()
  .check(
    z.maxLength(512),
    z.regex(
      /^(?:\*\*|(?:[A-Za-z0-9_.+=@-]{1,128}|\*)(?:\/(?:[A-Za-z0-9_.+=@-]{1,128}|\*)){0,15}(?:\/\*\*)?)$/,
      'Must be segments separated by "/", each of a name\'s characters or "*", with "**" only at the end',
    ),
  )

/** A time of day, from 00:00 to 23:59. */
export const clock = z
  .string()
  .check(z.regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'Must be a time of day such as 08:30'))
/** A list of at least one item.
 *
 * @param most The largest number of items.
 */
export const atLeastOne = <T extends z.ZodMiniType>(item: T, most: number) =>
  z.array(item).check(z.minLength(1), z.maxLength(most))

/** The largest change, in bytes of JSON, that fits into its audit entry. The entry also holds the previous state. */
export const MAX_DESCRIBED_BYTES = 24 * 1024
/** Whether a change fits into its audit entry. */
export const isDescribable = (change: unknown) =>
  new TextEncoder().encode(JSON.stringify(change)).length <= MAX_DESCRIBED_BYTES
/** Refuses a change that does not fit into its audit entry. */
export const describable = z.refine(
  isDescribable,
  `Must have at most ${MAX_DESCRIBED_BYTES} bytes as JSON, to fit into a log entry`,
)

/** A whole number in a query or a header, without a sign or leading zeros, from `min` to `max`. */
export const number = (min: number, max: number) =>
  z
    .pipe(z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,15})$/, 'Must be a whole number')), z.transform(Number))
    .check(z.refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`))
/** A version of the sealed store. */
export const version = number(1, Number.MAX_SAFE_INTEGER)
/**
 * A version number, a stage, or a provider's version id or label. Digits alone are an id if they are too many for a
 * number. Empty counts as not given: clients with a template send it.
 */
export const anyVersion = z.pipe(
  z
    .string()
    .check(
      z.regex(
        /^(?:|[1-9][0-9]{0,14}|(?=.*[A-Za-z_-]|[0-9]{16})[\w.:+=@/~-]{1,128})$/,
        'Must be a version number, a stage such as previous, or a version id or label of the provider',
      ),
    ),
  z.transform((text) => (text === '' ? undefined : /^[0-9]{1,15}$/.test(text) ? Number(text) : text)),
)

/** Allows a write to change the shape of a secret at a provider. */
export const replace = described(
  z.literal('shape'),
  'Allows a write to replace a JSON document at a provider with text, or text with a document. Refused as `foreign_shape` if not set',
)
