/**
 * The shape of a run: one rotation of one secret, from start to end.
 *
 * @module
 */
import * as z from 'zod/mini'
import { FAILURES, STEPS } from '../vault/rotation/state_machine.ts'
import { described, moment } from './parts.ts'

/** A rotation run. */
export const Run = z.strictObject({
  run: z.int(),
  why: z.enum(['schedule', 'manual', 'rollback']),
  by: z.string(),
  state: z.enum(['running', 'rotated', 'undone', 'abandoned']),
  step: z.enum(STEPS),
  attempts: z.int(),
  startedAt: moment,
  version: z.optional(z.int()),
  replaces: z.optional(z.int()),
  restores: z.optional(z.int()),
  provider: described(z.optional(z.string()), 'The provider that keeps the secret, if it is not the sealed store'),
  providerVersion: described(z.optional(z.string()), 'The version id at the provider'),
  failure: z.optional(z.enum(FAILURES)),
  nextTryAt: z.optional(moment),
  finishedAt: z.optional(moment),
})
