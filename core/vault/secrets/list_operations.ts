/**
 * Lists of secrets and of versions, without values.
 *
 * @module
 */
import { decide, inForce, type Rule } from '../access/rules.ts'
import type { ProviderSecretList } from '../chains/chain_operations.ts'
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import { AFTER_NAMES, type ListedRow, type ListedVersion } from './store.ts'

/** How many names one list call looks at, permitted or not, so that it cannot hold up the vault. */
const LIST_SCAN_LIMIT = 1000
const LIST_CHUNK = 250

/** A page of a list of secrets. */
export interface ListInput {
  prefix: string
  /** The name after which the page begins; `''` for the first page. */
  after: string
  deleted: boolean
  limit: number
}

/** A secret without its value. */
export type ListedSecret = Omit<
  ListedRow,
  'id' | 'tags' | 'previous' | 'pending' | 'latest' | 'current' | 'contentType'
> & {
  version: number
  contentType: string
  tags: Record<string, string>
}

/** A page of the versions of a secret. */
export interface VersionsInput {
  name: string
  below: number
  limit: number
}

/** A history, newest first. */
export interface Versions {
  current: number | null
  previous: number | null
  pending: number | null
  deletedAt: number | null
  items: ListedVersion[]
  cursor: number | null
}

/** Lists the secrets that the caller may read. */
export const listSecrets = operation({
  action: null,
  resource: ({ prefix }: ListInput) => prefix,
  run(
    context: OperationContext,
    { prefix, after, deleted, limit }: ListInput,
  ): Outcome<{ items: ListedSecret[]; after: string | null }> {
    const { secrets, principal, circumstances } = context
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const rules = inForce(context.rules, circumstances)
    const items: ListedSecret[] = []
    const page = (next: string | null) => ({ value: { items, after: next }, facts: { count: items.length } })
    const ranges = readable(rules, prefix)
    let last = after
    for (let scanned = 0; scanned < LIST_SCAN_LIMIT; ) {
      // Lists only where a rule may permit a read: a caller without any costs no work, and learns nothing.
      const range = ranges.find((head) => last < head || (last.startsWith(head) && last !== head + AFTER_NAMES))
      if (range === undefined) return page(null)
      const rows = secrets.list(range, last, LIST_CHUNK)
      for (const row of rows) {
        if (items.length === limit) return page(last)
        last = row.name
        scanned++
        if (row.current === null || (row.deletedAt !== null) !== deleted) continue
        const request = { principal, action: 'read', resource: row.name, context: circumstances } as const
        if (decide(request, rules).allow) items.push(listed(row))
      }
      // Behind every name that begins so, and before any other.
      if (rows.length < LIST_CHUNK) last = range + AFTER_NAMES
    }
    return page(last)
  },
})

/** Lists the versions of a secret, newest first. */
export const listVersions = operation({
  action: 'read',
  resource: ({ name }: VersionsInput) => name,
  approvalBinding: 'nothing',
  run({ secrets, chains }, { name, below, limit }: VersionsInput): Outcome<Versions | ProviderSecretList> {
    const chain = chains.covering(name)
    if (chain !== null) return { value: { chain }, facts: { chain: chain.id } }
    const secret = secrets.find(name)
    if (secret === null) return { reason: 'no_secret' }
    const rows = secrets.versions(secret.id, below, limit + 1)
    const { current, previous, pending, deletedAt } = secret
    const cursor = rows.length > limit ? rows[limit - 1]!.number : null
    return { value: { current, previous, pending, deletedAt, items: rows.slice(0, limit), cursor } }
  },
})

/** The beginnings of names, in order, below which some rule may permit a read. None covers another. */
function readable(rules: readonly Rule[], prefix: string): string[] {
  const heads = rules
    .filter(({ effect, actions }) => effect === 'permit' && actions.includes('read'))
    .map(({ resource }) => (resource.includes('*') ? resource.slice(0, resource.indexOf('*')) : resource))
    // The longer of the two: both must be met.
    .flatMap((head) => (head.startsWith(prefix) ? [head] : prefix.startsWith(head) ? [prefix] : []))
    .sort()
  return heads.filter((head, i) => !heads.slice(0, i).some((shorter) => head.startsWith(shorter)))
}

function listed(row: ListedRow): ListedSecret {
  const { name, current, tags, contentType, createdAt, updatedAt, expiresAt, deletedAt } = row
  return {
    name,
    version: current!,
    contentType: contentType!,
    createdAt,
    updatedAt,
    expiresAt,
    deletedAt,
    tags: JSON.parse(tags),
  }
}
