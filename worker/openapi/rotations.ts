/**
 * OpenAPI texts for rotations.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'

/** Routes for rotations. */
export const rotations = group('Rotations', 'New values for secrets, on a schedule or on demand, and rollback.', {
  listRotations: { summary: 'List rotations', answer: wire.RotationList },
  showRotation: {
    summary: 'Get the rotation of a secret and its latest runs',
    answer: wire.RotationWithRuns,
    also: ['not_found'],
  },
  putRotation: {
    summary: 'Set the rotation of a secret',
    body: { shape: wire.PutRotation, example: { rotateEvery: 'P30D', graceSeconds: 3600 } },
    answer: wire.Rotation,
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  deleteRotation: {
    summary: 'Delete the rotation of a secret',
    answer: answers.DeletedRotation,
    example: { name: 'prod/db' },
    also: ['not_found', 'conflict'],
  },
  rotate: {
    summary: 'Rotate a secret now, or act on the current run',
    description: 'Without a body, or with `force`, starts a run (201). With `do`, acts on the current run (200).',
    body: { shape: [wire.Rotate, wire.SteerRotation], optional: true, example: { force: false } },
    answer: wire.Run,
    example: { run: 1, why: 'manual', by: 'admin', state: 'running', step: 'create', attempts: 0, startedAt: at },
    status: 201,
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  rollback: {
    summary: 'Restore the value of an earlier version',
    description:
      'Creates a new version with that value. A secret with a rotation gets a run, so that its target receives the value too.',
    body: { shape: wire.Rollback, example: { version: 2 } },
    answer: wire.RolledBack,
    example: { name: 'prod/db', version: 4 },
    status: 201,
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  showGauges: {
    summary: 'Get Prometheus metrics of pending work',
    description:
      'Counts rotations, requests for approval and values that await rewrapping. The request is not recorded in the log.',
    answer: [{ type: 'text/plain', description: 'Prometheus text format 0.0.4, without names' }],
  },
})
