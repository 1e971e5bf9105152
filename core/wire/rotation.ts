/**
 * Rotation of secrets, and what a value is made as.
 *
 * @module
 */
import * as z from 'zod/mini'
import { CLASSES } from '../values/strength.ts'
import { parsePeriod } from '../vault/rotation/schedule.ts'
import { STEERS } from '../vault/rotation/state_machine.ts'
import { described, id, moment, secretName, versionId } from './parts.ts'
import { atLeastOne, clock, describable, number, replace, time } from './request_parts.ts'
import { Run } from './run.ts'

/** What a value is made as. */
export const Recipe = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('password'),
    length: z._default(z.int().check(z.gte(8), z.lte(1024)), 32),
    alphabet: z.optional(
      z.string().check(
        z.regex(/^[\x21-\x7e]{2,94}$/, 'Alphabet must be 2 to 94 of visible ASCII'),
        z.refine((text) => new Set(text).size === text.length, 'Alphabet must have no character twice'),
      ),
    ),
    require: z.optional(z.array(z.enum(CLASSES)).check(z.maxLength(CLASSES.length))),
  }),
  z.strictObject({
    kind: z.literal('passphrase'),
    words: z._default(z.int().check(z.gte(4), z.lte(64)), 12),
    // Without one, or with a letter, two lists of words could be the same text.
    separator: z._default(z.string().check(z.regex(/^[ ._,:-]$/, 'Separator must be one of " ._,:-"')), '-'),
  }),
  z.strictObject({
    kind: z.enum(['hex', 'base64', 'base64url']),
    bytes: z._default(z.int().check(z.gte(8), z.lte(1024)), 32),
  }),
  z.strictObject({ kind: z.literal('uuid') }),
  z.strictObject({ kind: z.literal('ed25519'), format: z._default(z.enum(['pem', 'jwk']), 'pem') }),
  z.strictObject({
    kind: z.literal('rsa'),
    bits: z._default(z.union([z.literal(2048), z.literal(3072), z.literal(4096)]), 3072),
    format: z._default(z.enum(['pem', 'jwk']), 'pem'),
  }),
])

const hours = z
  .strictObject({ from: clock, to: clock })
  .check(z.refine(({ from, to }) => from !== to, 'Hours must have a length'))
const weekdays = atLeastOne(z.int().check(z.gte(1), z.lte(7)), 7)
const Freeze = z.union([
  z.strictObject({ days: z.optional(weekdays), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: time, to: time }).check(z.refine(({ from, to }) => from < to, 'from must be before to')),
])

/** How a secret rotates. */
export const PutRotation = z
  .strictObject({
    rotateEvery: described(
      z._default(z.nullable(z.union([z.int(), z.string().check(z.maxLength(32))])), null),
      'Days, or an ISO 8601 duration such as P30D; null: by hand only',
    ),
    jitterSeconds: z._default(z.int().check(z.gte(0), z.lte(604_800)), 0),
    freeze: z._default(z.array(Freeze).check(z.maxLength(50)), []),
    target: z._default(
      z.discriminatedUnion('kind', [
        z.strictObject({
          kind: z.literal('generate'),
          into: described(
            z.optional(
              z.string().check(z.regex(/^(?:\/(?:[^~/]|~[01])*)+$/, 'Must be a JSON pointer'), z.maxLength(1024)),
            ),
            'Where in the document that a provider keeps the value is put (RFC 6901); all else of it stays',
          ),
        }),
        z.strictObject({ kind: z.literal('webhook'), hook: id }),
        z.strictObject({ kind: z.literal('provider') }),
      ]),
      { kind: 'generate' },
    ),
    generate: z._default(Recipe, { kind: 'password', length: 32, require: [...CLASSES] }),
    graceSeconds: z._default(z.int().check(z.gte(0), z.lte(2_592_000)), 3600),
  })
  .check(
    z.superRefine(({ rotateEvery }, context) => {
      try {
        if (rotateEvery !== null) parsePeriod(rotateEvery)
      } catch (error) {
        context.addIssue({ code: 'custom', path: ['rotateEvery'], message: (error as Error).message })
      }
    }),
    describable,
  )
const StoredFreeze = z.union([
  z.strictObject({ days: z.optional(weekdays), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: moment, to: moment }),
])
export const Rotation = z.strictObject({
  ...PutRotation.shape,
  freeze: z.array(StoredFreeze),
  name: secretName,
  state: z.enum(['idle', 'due', 'running', 'failing']),
  version: z.int(),
  failures: described(z.int(), 'Runs in a row that changed nothing'),
  nextAt: z.optional(moment),
  run: described(z.optional(Run), 'The run that goes on, or went last'),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const RotationWithRuns = z.extend(Rotation, { runs: z.array(Run) })
export const RotationList = z.strictObject({ items: z.array(Rotation), cursor: z.optional(z.string()) })
export const Rotate = z.strictObject({ force: z._default(z.boolean(), false), replace: z.optional(replace) })
export const SteerRotation = z.strictObject({ do: z.enum(STEERS) })
export const Rollback = z.strictObject({ version: z.int().check(z.gte(1)), force: z._default(z.boolean(), false) })
export const RolledBack = z.strictObject({ name: secretName, version: z.optional(versionId), run: z.optional(Run) })

export const RotationsQuery = z.strictObject({
  cursor: z.optional(z.string().check(z.maxLength(2048))),
  limit: z._default(number(1, 200), 50),
})
