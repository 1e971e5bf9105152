/**
 * Looking at all vaults of a data folder before any is opened: with root keys that are wrong for one, none is touched.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { RootKeyStore } from '../../core/vault/keys/root_key_store.ts'
import { type Roots, rootsOfStore } from '../../core/vault/keys/root_key_tasks.ts'
import { admitRoots, givenRoots } from '../integrity/root_keys.ts'
import { messageOf, VAULT_SUFFIX } from './data_folder.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'

/** A former root key, for the operator. */
export interface FormerRoot {
  id: string
  /** How many vaults need it, of how many. */
  needed: number
  vaults: number
}

/**
 * Refuses to start with root keys that are wrong for a vault, or with a former one that none was ever under: it may be
 * the new one, given in the wrong place. What cannot be opened now, or is no vault, is told of when it is opened.
 *
 * @throws {PosternError} `bad_request`, with a line a vault.
 */
export async function checkRoots(data: string, keyring: Keyring): Promise<FormerRoot[]> {
  const given = givenRoots(keyring)
  const known: Roots[] = []
  const wrong: string[] = []
  const files = readdirSync(data).filter((name) => name.endsWith(VAULT_SUFFIX))
  for (const file of files) {
    await withStore(join(data, file), async (sql) => {
      const roots = rootsIn(sql)
      if (roots === null) return
      known.push(roots)
      const use = (root: string) => new RootKeyStore(sql).use(root)
      await admitRoots(roots, given, use).catch((error) => wrong.push(`${file}: ${messageOf(error)}`))
    })
  }
  if (wrong.length > 0) throw new PosternError('bad_request', `Root keys are wrong\n  ${wrong.join('\n  ')}`)
  const isKnown = (id: string) => known.some((roots) => idsOf(roots).includes(id))
  const unknown = known.length < files.length || files.length === 0 ? [] : given.former.filter((id) => !isKnown(id))
  if (unknown.length > 0) {
    throw new PosternError(
      'bad_request',
      `Former root key ${unknown.join(', ')} is of no vault here. If it is to take the place of ${given.current}, give it as the root key, and ${given.current} as the former one; else take it away`,
    )
  }
  return given.former.map((id) => {
    const needed = known.filter((roots) => roots.needed.includes(id)).length
    return { id, needed, vaults: known.length }
  })
}

/** `null` for what is no vault, or a damaged one: one vault must not keep the others closed. Its opening tells. */
function rootsIn(sql: Sqlite): Roots | null {
  try {
    return rootsOfStore(sql)
  } catch {
    return null
  }
}

function idsOf({ history, earlierRootKeys }: Roots): string[] {
  return [...history.map(({ id }) => id), ...earlierRootKeys]
}

async function withStore(file: string, look: (sql: Sqlite) => Promise<void>): Promise<void> {
  let sql: Sqlite
  try {
    sql = openSqlite(file)
  } catch {
    return
  }
  try {
    await look(sql)
  } finally {
    sql.close()
  }
}
