/**
 * Building blocks for the shapes of requests and answers. `request_parts.ts` has those of requests alone.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PosternError } from '../errors.ts'
import { parseId, parseName } from '../names.ts'
import { isVisible } from '../sanitize.ts'

/**
 * Text that is displayed verbatim: no control characters or line separators, which would break a log or a header, no
 * invisible characters, no bidirectional controls, no lone surrogates.
 *
 * @param min The shortest text, in UTF-16 code units.
 * @param max The longest text, in UTF-16 code units.
 */
export const line = (min: number, max: number) =>
  z
    .string()
    .check(
      z.minLength(min),
      z.maxLength(max),
      z.refine(isVisible, 'Must not have control characters, bidirectional controls or invisible characters'),
    )
/** A time in ISO 8601, in UTC. */
export const moment = z.iso.datetime()
/** Tags of a secret. */
export const tags = z
  .record(line(1, 128), line(0, 256))
  .check(z.refine((record) => Object.keys(record).length <= 20, 'Must have at most 20 tags'))

/** The name of a secret. */
export const secretName = by(parseName)
/** The id of a principal, rule, chain or the like. */
export const id = by(parseId)
/** A version: a number in the sealed store, an opaque string at a provider. */
export const versionId = z.union([z.int(), z.string()])

/** Copies a shape and adds its description for the OpenAPI document. */
export function described<T extends z.ZodMiniType>(schema: T, description: string): T {
  // A copy, because other shapes use the original.
  const copy = schema.clone()
  z.globalRegistry.add(copy, { description })
  return copy
}

/**
 * Makes a schema of a parser.
 *
 * @param parse Throws for invalid input. The message of a `PosternError` becomes the message of the schema.
 */
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
