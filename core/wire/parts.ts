/**
 * What the shapes of requests and answers are made of; `request_parts.ts` has what only requests are.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PosternError } from '../errors.ts'
import { parseId, parseName } from '../names.ts'
import { isVisible } from '../sanitize.ts'

/**
 * Text that people read as it is: no control characters or line separators, on which a log or a header breaks, nothing
 * invisible, no marks that turn its direction, no lone surrogates.
 */
export const line = (min: number, max: number) =>
  z
    .string()
    .check(
      z.minLength(min),
      z.maxLength(max),
      z.refine(isVisible, 'Text must have no control characters, no marks of direction and nothing invisible'),
    )
export const moment = z.iso.datetime()
export const tags = z
  .record(line(1, 128), line(0, 256))
  .check(z.refine((record) => Object.keys(record).length <= 20, 'At most 20 tags'))

export const secretName = by(parseName)
export const id = by(parseId)
/** A number of ours, or what a provider calls a version. */
export const versionId = z.union([z.int(), z.string()])

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
