import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const example = {
  ...{ name: 'prod/db', version: 3, value: 'example-value', contentType: 'text/plain; charset=utf-8' },
  ...{ tags: { team: 'core' }, createdAt: at, provider: 'sealed' },
}

export const secrets = group(
  'Secrets',
  'Values and their versions. Each read and each write has an entry in the log.',
  {
    listSecrets: {
      summary: 'List names and metadata, never values',
      description: 'Only of what the caller may read.',
      query: wire.ListQuery,
      answer: wire.SecretList,
      example: {
        items: [
          {
            ...{ name: 'prod/db', version: 3, contentType: 'text/plain; charset=utf-8', tags: {} },
            ...{ createdAt: at, updatedAt: at },
          },
        ],
      },
    },
    readSecret: {
      summary: 'Read a value',
      description:
        'Recorded before it is released. Where a chain of providers keeps the name, `Cache-Status` says where the value comes from, and `Age` how old it is.',
      query: wire.ReadQuery,
      answer: wire.Secret,
      example,
      answerHeaders: ['ETag', 'Cache-Status', 'Age'],
      also: ['not_found'],
      sealable: true,
      approvable: true,
    },
    putSecret: {
      summary: 'Write a new version',
      description:
        '`If-Match` or `If-None-Match` make it check-and-set. With an `Idempotency-Key` a repeat within 24 hours is answered as the first was, and written once.',
      headers: wire.WriteHeaders,
      body: { shape: wire.PutSecret, example: { value: 'example-value', tags: { team: 'core' } } },
      answer: wire.PutSecretResult,
      example: { name: 'prod/db', version: 4 },
      status: 201,
      answerHeaders: ['ETag'],
      also: ['not_found', 'conflict', 'precondition'],
    },
    deleteSecret: {
      summary: 'Delete, so that it can be restored',
      headers: wire.DeleteHeaders,
      answer: answers.DeletedSecret,
      example: { name: 'prod/db', deletedAt: at },
      also: ['not_found', 'conflict', 'precondition'],
    },
    restoreSecret: {
      summary: 'Take a delete back',
      headers: wire.DeleteHeaders,
      answer: answers.RestoredSecret,
      example: { name: 'prod/db', version: 3 },
      also: ['not_found', 'conflict', 'precondition'],
    },
    destroySecret: {
      summary: 'Erase one version, or all, for good',
      headers: wire.DeleteHeaders,
      body: { shape: wire.DestroySecret, optional: true, example: { version: 2 } },
      answer: answers.DestroyedSecret,
      example: { name: 'prod/db', version: 2, destroyedAt: at },
      also: ['not_found', 'conflict', 'precondition'],
      approvable: true,
    },
    listVersions: {
      summary: 'List the versions of a secret, never values',
      query: wire.VersionsQuery,
      answer: wire.VersionList,
      also: ['not_found', 'conflict'],
    },
    hydrate: {
      summary: 'Read up to 200 values at once',
      description:
        'Each reference has its own outcome, its own entry in the log, and its own place in the answer. All of them are to the vault that is asked.',
      body: {
        shape: wire.Hydrate,
        example: { references: ['postern://default/prod/db', 'postern://default/prod/none'] },
      },
      answer: wire.HydrateResult,
      example: {
        items: [
          { reference: 'postern://default/prod/db', secret: example },
          {
            reference: 'postern://default/prod/none',
            error: { code: 'not_found', detail: 'No secret has this name', reason: 'no_secret', auditIndex: 1235 },
          },
        ],
      },
      sealable: true,
    },
  },
)
