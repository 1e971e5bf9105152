/**
 * What the shapes of requests are made of: a client that checks answers goes without.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described } from './parts.ts'

/** A content type: visible ASCII and spaces, since it goes into a header. */
export const contentType = z
  .string()
  .check(z.regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, 'Content type must be 1 to 255 of visible ASCII'))
/** A time with an offset, as milliseconds since 1970. */
export const time = z
  .pipe(
    z.iso.datetime({ offset: true }),
    z.transform((text) => Date.parse(text)),
  )
  .check(
    // With an offset it may be past the last instant that four digits of a year can write.
    z.refine((ms) => ms <= Date.parse('9999-12-31T23:59:59Z'), 'Time must be before the year 10000'),
  )
/** What a rule is about: segments of a name, or `*`; `**` only at the end. */
export const pattern = z
  .string()
  .check(
    z.maxLength(512),
    z.regex(
      /^(?:\*\*|(?:[a-z0-9_.-]{1,128}|\*)(?:\/(?:[a-z0-9_.-]{1,128}|\*)){0,7}(?:\/\*\*)?)$/,
      'Pattern must be segments parted by "/", each of a name\'s characters or "*", with "**" only at the end',
    ),
  )

/** A time of day, from 00:00 to 23:59. */
export const clock = z
  .string()
  .check(z.regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'Must be a time of day such as 08:30'))
/** A list of one to so many items. */
export const atLeastOne = <T extends z.ZodMiniType>(item: T, most: number) =>
  z.array(item).check(z.minLength(1), z.maxLength(most))

/** The most bytes of JSON that a change may have which an audit entry describes: it holds what was before as well. */
export const MAX_DESCRIBED_BYTES = 24 * 1024
/** Whether an audit entry has room for a change. */
export const isDescribable = (change: unknown) =>
  new TextEncoder().encode(JSON.stringify(change)).length <= MAX_DESCRIBED_BYTES
export const describable = z.refine(
  isDescribable,
  `Must have at most ${MAX_DESCRIBED_BYTES} bytes as JSON, so that the log can describe it`,
)

/** A whole number in a query or a header, without a sign or leading zeros, from `min` to `max`. */
export const number = (min: number, max: number) =>
  z
    .pipe(z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,15})$/, 'Must be a whole number')), z.transform(Number))
    .check(z.refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`))
/** A version of the sealed store. */
export const version = number(1, Number.MAX_SAFE_INTEGER)
/** A number of ours; or what a provider calls a version, where digits alone are too many for a number. */
export const anyVersion = z.pipe(
  z
    .string()
    .check(z.regex(/^(?:[1-9][0-9]{0,14}|(?=.*[A-Za-z_-]|[0-9]{16})[A-Za-z0-9_-]{1,64})$/, 'Must be a version')),
  z.transform((text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : text)),
)

/** What a write may replace at a provider. */
export const replace = described(
  z.literal('shape'),
  'Set when a document of a provider may be replaced by a text, or a text by one; refused as `foreign_shape` otherwise',
)
