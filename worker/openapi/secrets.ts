/**
 * OpenAPI texts for secrets.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const example = {
  ...{ name: 'prod/db', version: 3, value: 'example-value', contentType: 'text/plain; charset=utf-8' },
  ...{ tags: { team: 'core' }, createdAt: at, provider: 'sealed' },
}

/** Routes for secrets. */
export const secrets = group(
  'Secrets',
  'Secrets and their versions. The log has an entry for each read and each write.',
  {
    listSecrets: {
      summary: 'List secrets without values',
      description: 'Lists only secrets that the caller may read.',
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
      summary: 'Read a secret',
      description:
        'The read is recorded before the value is released. For a secret at a provider, `Cache-Status` reports the source of the value, and `Age` its age.',
      headers: wire.ReadHeaders,
      answer: wire.Secret,
      example,
      answerHeaders: ['ETag', 'Cache-Status', 'Age'],
      also: ['not_found'],
      sealable: true,
      approvable: true,
    },
    putSecret: {
      summary: 'Write a new version of a secret',
      description:
        '`If-Match` or `If-None-Match` make the write conditional. With an `Idempotency-Key`, a retry within 24 hours gets the first answer and writes nothing.',
      headers: wire.WriteHeaders,
      body: { shape: wire.PutSecret, example: { value: 'example-value', tags: { team: 'core' } } },
      answer: wire.PutSecretResult,
      example: { name: 'prod/db', version: 4 },
      status: 201,
      answerHeaders: ['ETag'],
      also: ['not_found', 'conflict', 'precondition'],
    },
    deleteSecret: {
      summary: 'Delete a secret, so that it can be restored',
      headers: wire.DeleteHeaders,
      answer: answers.DeletedSecret,
      example: { name: 'prod/db', deletedAt: at },
      also: ['not_found', 'conflict', 'precondition'],
    },
    restoreSecret: {
      summary: 'Restore a deleted secret',
      headers: wire.DeleteHeaders,
      answer: answers.RestoredSecret,
      example: { name: 'prod/db', version: 3 },
      also: ['not_found', 'conflict', 'precondition'],
    },
    destroySecret: {
      summary: 'Destroy one version, or all versions, permanently',
      headers: wire.DeleteHeaders,
      body: { shape: wire.DestroySecret, optional: true, example: { version: 2 } },
      answer: answers.DestroyedSecret,
      example: { name: 'prod/db', version: 2, destroyedAt: at },
      also: ['not_found', 'conflict', 'precondition'],
      approvable: true,
    },
    listVersions: {
      summary: 'List the versions of a secret without values',
      answer: wire.VersionList,
      also: ['not_found', 'conflict'],
    },
    hydrate: {
      summary: 'Read up to 200 secrets at once',
      description:
        'Each reference has its own outcome, log entry and item in the answer. All references must name the vault in the path.',
      headers: wire.ReadHeaders,
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
