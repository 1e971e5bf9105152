/** The documented table of outcomes, against the code. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { refusal } from '../../../../../core/errors.ts'
import { ON_FAILURE } from '../../../../../core/providers/failover.ts'
import { type FailureKind, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { ABSENT } from '../../../../../core/providers/skipped.ts'
import { reasonOf } from '../../../../../core/vault/chains/read_operations.ts'
import { statusOf } from '../../../../../worker/http/problem.ts'

const DOCS = join(import.meta.dirname, '../../../../../docs/concepts/chains.md')
const HEAD = '| Outcome | Then |'

function rowOf(kind: FailureKind): string {
  const isOutage = new ProviderFailure(kind).isOutage
  const error = refusal(reasonOf(kind))
  const cells = [
    `\`${kind}\``,
    ON_FAILURE[kind] === 'next'
      ? 'tries the next member'
      : kind === 'not_found'
        ? 'ends the search, unless `onNotFound` is `next`'
        : kind === 'name'
          ? 'ends the search at the primary, and passes over any other member'
          : 'ends the search',
    isOutage ? 'yes' : 'no, it is purged',
    ABSENT.includes(kind) ? 'briefly' : 'no',
    isOutage ? 'yes' : 'no',
    `${statusOf(error)} \`${error.code}\`${error.detail.reason ? `, \`${error.detail.reason}\`` : ''}`,
  ]
  return `| ${cells.join(' | ')} |`
}

describe('the table of outcomes', () => {
  it('has a row for every failure, as the code treats it', () => {
    const expected = (Object.keys(ON_FAILURE) as FailureKind[]).map(rowOf)
    const lines = readFileSync(DOCS, 'utf8').split('\n')
    const at = lines.findIndex((line) => line.startsWith(HEAD))
    const rows = lines.slice(at + 2, lines.indexOf('', at))
    expect(rows).toEqual(expected)
  })

  it('tries the next member after outages only', () => {
    for (const [kind, then] of Object.entries(ON_FAILURE)) {
      expect([kind, then]).toEqual([kind, new ProviderFailure(kind as FailureKind).isOutage ? 'next' : 'stop'])
    }
  })
})
