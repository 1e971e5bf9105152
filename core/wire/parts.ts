/**
 * What shapes are made of.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PosternError } from '../errors.ts'
import { parseId, parseName } from '../secrets/name.ts'

/** Text without control characters, line separators or lone surrogates, so that no log or header breaks on it. */
export const line = (min: number, max: number) =>
  z.string().check(z.minLength(min), z.maxLength(max), z.refine(isPrintable, 'Text must have no control characters'))
// Visible ASCII and spaces: it goes into a header.
export const contentType = z
  .string()
  .check(z.regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, 'Content type must be 1 to 255 of visible ASCII'))
export const time = z
  .pipe(
    z.iso.datetime({ offset: true }),
    z.transform((text) => Date.parse(text)),
  )
  .check(
    // With an offset it may be past the last instant that four digits of a year can write.
    z.refine((ms) => ms <= Date.parse('9999-12-31T23:59:59Z'), 'Time must be before the year 10000'),
  )
export const moment = z.iso.datetime()
export const tags = z
  .record(line(1, 128), line(0, 256))
  .check(z.refine((record) => Object.keys(record).length <= 20, 'At most 20 tags'))

export const secretName = by(parseName)
export const id = by(parseId)
// The pattern's segments are a name's, or "*"; "**" only at the end.
export const pattern = z
  .string()
  .check(
    z.maxLength(512),
    z.regex(
      /^(?:\*\*|(?:[a-z0-9_.-]{1,128}|\*)(?:\/(?:[a-z0-9_.-]{1,128}|\*)){0,7}(?:\/\*\*)?)$/,
      'Pattern must be segments parted by "/", each of a name\'s characters or "*", with "**" only at the end',
    ),
  )

/** A number of ours, or what a provider calls a version. */
export const versionId = z.union([z.int(), z.string()])

export const clock = z
  .string()
  .check(z.regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, 'Must be a time of day such as 08:30'))
export const atLeastOne = <T extends z.ZodMiniType>(item: T, most: number) =>
  z.array(item).check(z.minLength(1), z.maxLength(most))

export const number = (min: number, max: number) =>
  z
    .pipe(z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,15})$/, 'Must be a whole number')), z.transform(Number))
    .check(z.refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`))
export const version = number(1, Number.MAX_SAFE_INTEGER)
/** A number of ours; or what a provider calls a version, where digits alone are too many for a number. */
export const anyVersion = z.pipe(
  z
    .string()
    .check(z.regex(/^(?:[1-9][0-9]{0,14}|(?=.*[A-Za-z_-]|[0-9]{16})[A-Za-z0-9_-]{1,64})$/, 'Must be a version')),
  z.transform((text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : text)),
)

/** The same shape, with what the contract says of it. */
export function described<T extends z.ZodMiniType>(schema: T, description: string): T {
  // A copy: others use the shape that it is made of.
  const copy = schema.clone()
  z.globalRegistry.add(copy, { description })
  return copy
}

/** A schema over one of our own parsers, which throw. */
export function by(parse: (input: unknown) => unknown) {
  return z.string().check(
    z.superRefine((input, context) => {
      try {
        parse(input)
      } catch (error) {
        const message = error instanceof PosternError ? error.message : 'Invalid'
        context.addIssue({ code: 'custom', message })
      }
    }),
  )
}

function isPrintable(text: string): boolean {
  return text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text)
}
