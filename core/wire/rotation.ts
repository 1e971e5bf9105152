/**
 * Rotation of secrets, and what a value is made as.
 *
 * @module
 */
import * as z from 'zod'
import { FAILURES, STEERS, STEPS } from '../secrets/rotation.ts'
import { parsePeriod } from '../secrets/schedule.ts'
import { CLASSES } from '../secrets/strength.ts'
import { atLeastOne, clock, id, moment, number, secretName, time, versionId } from './parts.ts'

/** What a value is made as. */
export const Recipe = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('password'),
    length: z.int().min(8).max(1024).default(32),
    alphabet: z
      .string()
      .regex(/^[\x21-\x7e]{2,94}$/, 'Alphabet must be 2 to 94 of visible ASCII')
      .refine((text) => new Set(text).size === text.length, 'Alphabet must have no character twice')
      .optional(),
    require: z.array(z.enum(CLASSES)).max(CLASSES.length).optional(),
  }),
  z.strictObject({
    kind: z.literal('passphrase'),
    words: z.int().min(4).max(64).default(12),
    // Without one, or with a letter, two lists of words could be the same text.
    separator: z
      .string()
      .regex(/^[ ._,:-]$/, 'Separator must be one of " ._,:-"')
      .default('-'),
  }),
  z.strictObject({ kind: z.enum(['hex', 'base64', 'base64url']), bytes: z.int().min(8).max(1024).default(32) }),
  z.strictObject({ kind: z.literal('uuid') }),
  z.strictObject({ kind: z.literal('ed25519'), format: z.enum(['pem', 'jwk']).default('pem') }),
  z.strictObject({
    kind: z.literal('rsa'),
    bits: z.union([z.literal(2048), z.literal(3072), z.literal(4096)]).default(3072),
    format: z.enum(['pem', 'jwk']).default('pem'),
  }),
])

const hours = z
  .strictObject({ from: clock, to: clock })
  .refine(({ from, to }) => from !== to, 'Hours must have a length')
const weekdays = atLeastOne(z.int().min(1).max(7), 7)
const Freeze = z.union([
  z.strictObject({ days: weekdays.optional(), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: time, to: time }).refine(({ from, to }) => from < to, 'from must be before to'),
])

/** How a secret rotates. */
export const PutRotation = z
  .strictObject({
    rotateEvery: z
      .union([z.int(), z.string().max(32)])
      .nullable()
      .default(null)
      .describe('Days, or an ISO 8601 duration such as P30D; null: by hand only'),
    jitterSeconds: z.int().min(0).max(604_800).default(0),
    freeze: z.array(Freeze).max(50).default([]),
    target: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('generate') }),
        z.strictObject({ kind: z.literal('webhook'), hook: id }),
      ])
      .default({ kind: 'generate' }),
    generate: Recipe.default({ kind: 'password', length: 32, require: [...CLASSES] }),
    graceSeconds: z.int().min(0).max(2_592_000).default(3600),
  })
  .superRefine(({ rotateEvery }, context) => {
    try {
      if (rotateEvery !== null) parsePeriod(rotateEvery)
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['rotateEvery'], message: (error as Error).message })
    }
  })
const StoredFreeze = z.union([
  z.strictObject({ days: weekdays.optional(), hours }),
  z.strictObject({ days: weekdays }),
  z.strictObject({ from: moment, to: moment }),
])
export const Run = z.strictObject({
  run: z.int(),
  why: z.enum(['schedule', 'manual', 'rollback']),
  by: z.string(),
  state: z.enum(['running', 'rotated', 'undone', 'abandoned']),
  step: z.enum(STEPS),
  attempts: z.int(),
  startedAt: moment,
  version: z.int().optional(),
  replaces: z.int().optional(),
  restores: z.int().optional(),
  failure: z.enum(FAILURES).optional(),
  nextTryAt: moment.optional(),
  finishedAt: moment.optional(),
})
export const Rotation = z.strictObject({
  ...PutRotation.shape,
  freeze: z.array(StoredFreeze),
  name: secretName,
  state: z.enum(['idle', 'due', 'running', 'failing']),
  version: z.int(),
  failures: z.int().describe('Runs in a row that changed nothing'),
  nextAt: moment.optional(),
  run: Run.optional().describe('The run that goes on, or went last'),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const RotationWithRuns = Rotation.extend({ runs: z.array(Run) })
export const RotationList = z.strictObject({ items: z.array(Rotation), cursor: z.string().optional() })
export const Rotate = z.strictObject({ force: z.boolean().default(false) })
export const SteerRotation = z.strictObject({ do: z.enum(STEERS) })
export const Rollback = z.strictObject({ version: z.int().min(1), force: z.boolean().default(false) })
export const RolledBack = z.strictObject({ name: secretName, version: versionId.optional(), run: Run.optional() })

export const RotationsQuery = z.strictObject({
  cursor: z.string().max(2048).optional(),
  limit: number(1, 200).default(50),
})
