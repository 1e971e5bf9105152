import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const change = { version: 1, updatedAt: at, updatedBy: 'admin' }

export const policy = group('Policy', 'What holds for all secrets of a vault, its key, and who is told something.', {
  showPolicy: { summary: 'Show the policy of values and versions', answer: wire.Policy },
  putPolicy: {
    summary: 'Set the policy of values and versions',
    body: { shape: wire.PutPolicy, example: { keepVersions: 10 } },
    answer: wire.Policy,
    also: ['not_found'],
    approvable: true,
  },
  listHooks: { summary: 'List hooks', answer: wire.HookList },
  putHook: {
    summary: 'Set where a hook is',
    description: 'A new one, or one with a new address, has a new signing secret, shown this once.',
    body: { shape: wire.PutHook, example: { url: 'https://hooks.example.com/postern' } },
    answer: wire.Hook,
    example: { id: 'ops', url: 'https://hooks.example.com/postern', ...change, secret: 'whsec_example' },
    // A term of the key that began between the two calls that it takes.
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
    summary: 'Begin a term of the key: what is sealed moves to it',
    answer: wire.Term,
    example: { term: 2, state: 'moving', startedAt: at, startedBy: 'admin', moved: 0, failed: 0 },
    status: 201,
    also: ['conflict'],
    approvable: true,
  },
})
