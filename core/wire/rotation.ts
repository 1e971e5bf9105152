/**
 * Shapes of rotations, and recipes for generated values.
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

/** A recipe for a generated value. */
export const Recipe = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('password'),
    length: z._default(z.int().check(z.gte(8), z.lte(1024)), 32),
    alphabet: z.optional(
      z.string().check(
        z.regex(/^[\x21-\x7e]{2,94}$/, 'Must be 2 to 94 visible ASCII characters'),
        z.refine((text) => new Set(text).size === text.length, 'Must not have a character twice'),
      ),
    ),
    require: z.optional(z.array(z.enum(CLASSES)).check(z.maxLength(CLASSES.length))),
  }),
  z.strictObject({
    kind: z.literal('passphrase'),
    words: z._default(z.int().check(z.gte(4), z.lte(64)), 12),
    // Without a separator, or with a letter, two word lists could produce the same text.
    separator: z._default(z.string().check(z.regex(/^[ ._,:-]$/, 'Must be one of " ._,:-"')), '-'),
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
  .check(z.refine(({ from, to }) => from !== to, 'from and to must differ'))
const weekdays = atLeastOne(z.int().check(z.gte(1), z.lte(7)), 7)
const Freeze = z.union([
  z.strictObject({ days: z.optional(weekdays), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: time, to: time }).check(z.refine(({ from, to }) => from < to, 'from must be before to')),
])

/** Sets the rotation of a secret. */
export const PutRotation = z
  .strictObject({
    rotateEvery: described(
      z._default(z.nullable(z.union([z.int(), z.string().check(z.maxLength(32))])), null),
      'Days, or an ISO 8601 duration such as P30D. null for manual rotation only',
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
            "A JSON pointer (RFC 6901) to the value in the provider's document. The rest of the document stays as it is",
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
/** The rotation of a secret. */
export const Rotation = z.strictObject({
  ...PutRotation.shape,
  freeze: z.array(StoredFreeze),
  name: secretName,
  state: z.enum(['idle', 'due', 'running', 'failing']),
  version: z.int(),
  failures: described(z.int(), 'The number of consecutive runs that changed nothing'),
  nextAt: z.optional(moment),
  run: described(z.optional(Run), 'The current run, or the last one'),
  updatedAt: moment,
  updatedBy: z.string(),
})
/** The rotation of a secret with its latest runs. */
export const RotationWithRuns = z.extend(Rotation, { runs: z.array(Run) })
/** Rotations of a vault. */
export const RotationList = z.strictObject({ items: z.array(Rotation), cursor: z.optional(z.string()) })
/** Starts a rotation. */
export const Rotate = z.strictObject({ force: z._default(z.boolean(), false), replace: z.optional(replace) })
/** Acts on the current run: retries, cancels, finishes or abandons it. */
export const SteerRotation = z.strictObject({ do: z.enum(STEERS) })
/** Makes the value of an earlier version the newest version. */
export const Rollback = z.strictObject({ version: z.int().check(z.gte(1)), force: z._default(z.boolean(), false) })
/** The result of restoring an earlier version: a new version, or a rotation run. */
export const RolledBack = z.strictObject({ name: secretName, version: z.optional(versionId), run: z.optional(Run) })

/** Selects a page of rotations. */
export const RotationsQuery = z.strictObject({
  cursor: z.optional(z.string().check(z.maxLength(2048))),
  limit: z._default(number(1, 200), 50),
})
