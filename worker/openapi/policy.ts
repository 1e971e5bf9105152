/**
 * OpenAPI texts for a vault's policy, key and hooks.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const change = { version: 1, updatedAt: at, updatedBy: 'admin' }

/** Routes for the policy of a vault. */
export const policy = group('Policy', "The vault's policy for secrets, its key, and hooks for notifications.", {
  showPolicy: { summary: 'Get the policy for values and versions', answer: wire.Policy },
  putPolicy: {
    summary: 'Set the policy for values and versions',
    body: { shape: wire.PutPolicy, example: { keepVersions: 10 } },
    answer: wire.Policy,
    also: ['not_found'],
    approvable: true,
  },
  listHooks: { summary: 'List hooks', answer: wire.HookList },
  putHook: {
    summary: 'Create or update a hook',
    description:
      'A new hook, and a hook with a new URL, gets a new signing secret. The answer is the only one that shows it.',
    body: { shape: wire.PutHook, example: { url: 'https://hooks.example.com/postern' } },
    answer: wire.Hook,
    example: { id: 'ops', url: 'https://hooks.example.com/postern', ...change, secret: 'whsec_example' },
    // A term of the key may start between the two calls that this takes.
    also: ['conflict'],
    sealable: true,
    approvable: true,
  },
  deleteHook: {
    summary: 'Delete a hook',
    answer: answers.DeletedHook,
    example: { id: 'ops' },
    also: ['not_found', 'conflict'],
  },
  listTerms: { summary: "List the terms of the vault's key", answer: wire.TermList },
  rekey: {
    summary: 'Start a new term of the key and rewrap all secrets under it',
    answer: wire.Term,
    example: { term: 2, state: 'moving', startedAt: at, startedBy: 'admin', moved: 0, failed: 0 },
    status: 201,
    also: ['conflict'],
    approvable: true,
  },
})
