import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'

export const rotations = group('Rotations', 'New values for a secret, on a schedule or now, and back.', {
  listRotations: { summary: 'List the secrets that rotate', query: wire.RotationsQuery, answer: wire.RotationList },
  showRotation: {
    summary: 'Show how a secret rotates, and its last runs',
    answer: wire.RotationWithRuns,
    also: ['not_found'],
  },
  putRotation: {
    summary: 'Set how a secret rotates',
    body: { shape: wire.PutRotation, example: { rotateEvery: 'P30D', graceSeconds: 3600 } },
    answer: wire.Rotation,
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  deleteRotation: {
    summary: 'Let a secret rotate no more',
    answer: answers.DeletedRotation,
    example: { name: 'prod/db' },
    also: ['not_found', 'conflict'],
  },
  rotate: {
    summary: 'Begin a rotation now, or steer the one that goes on',
    description: 'Without a body, or with `force`, it begins one (201); with `do` it steers one (200).',
    body: { shape: [wire.Rotate, wire.SteerRotation], optional: true, example: { force: false } },
    answer: wire.Run,
    example: { run: 1, why: 'manual', by: 'admin', state: 'running', step: 'create', attempts: 0, startedAt: at },
    status: 201,
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  rollback: {
    summary: "Make an earlier version's value the newest",
    description: 'By a rotation where the secret has one, so that its target has it too.',
    body: { shape: wire.Rollback, example: { version: 2 } },
    answer: wire.RolledBack,
    example: { name: 'prod/db', version: 4 },
    status: 201,
    also: ['not_found', 'conflict'],
    approvable: true,
  },
  showGauges: {
    summary: 'Count what waits, for Prometheus',
    description: 'Rotations, requests for approval, and what is to be moved to another key. It is not recorded.',
    answer: [{ type: 'text/plain', description: 'Text format 0.0.4: no name is in it' }],
  },
})
