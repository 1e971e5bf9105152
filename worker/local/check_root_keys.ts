/**
 * Checks the root keys against all vaults of a data folder before any is opened: if they are wrong for one, none is touched.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { RootKeyStore } from '../../core/vault/keys/root_key_store.ts'
import { type RootKeys, rootsOfStore } from '../../core/vault/keys/root_key_tasks.ts'
import { admitRootKeys, givenRootKeys } from '../integrity/root_keys.ts'
import { VAULT_SUFFIX } from './data_folder.ts'
import { messageOf } from './served_vault.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'

/** A former root key, for the operator. */
export interface FormerRootKey {
  id: string
  /** How many vaults need it. */
  needed: number
  /** How many vaults were checked. */
  vaults: number
}

/**
 * Checks the root keys against each vault. A former root key that no vault was ever under is refused too: it may be the
 * new one, given in the wrong place. A file that is not a vault, or cannot be opened now, is reported when it is opened.
 *
 * @throws {PosternError} `bad_request`, with one line for each vault that they are wrong for.
 */
export async function checkRootKeys(data: string, keyring: Keyring): Promise<FormerRootKey[]> {
  const given = givenRootKeys(keyring)
  const known: RootKeys[] = []
  const wrong: string[] = []
  const files = readdirSync(data).filter((name) => name.endsWith(VAULT_SUFFIX))
  for (const file of files) {
    await withStore(join(data, file), async (sql) => {
      const roots = rootsIn(sql)
      if (roots === null) return
      known.push(roots)
      const use = (root: string) => new RootKeyStore(sql).use(root)
      await admitRootKeys(roots, given, use).catch((error) => wrong.push(`${file}: ${messageOf(error)}`))
    })
  }
  if (wrong.length > 0) throw new PosternError('bad_request', `Root keys are wrong\n  ${wrong.join('\n  ')}`)
  const isKnown = (id: string) => known.some((roots) => idsOf(roots).includes(id))
  const unknown = known.length < files.length || files.length === 0 ? [] : given.former.filter((id) => !isKnown(id))
  if (unknown.length > 0) {
    throw new PosternError(
      'bad_request',
      `Former root key ${unknown.join(', ')} belongs to no vault here. To replace ${given.current} by it, set it as the root key, and ${given.current} as the former one; otherwise remove it`,
    )
  }
  return given.former.map((id) => {
    const needed = known.filter((roots) => roots.needed.includes(id)).length
    return { id, needed, vaults: known.length }
  })
}

/** The root keys of a vault; `null` for a damaged vault or another file: opening it reports the damage, and the other vaults open. */
function rootsIn(sql: Sqlite): RootKeys | null {
  try {
    return rootsOfStore(sql)
  } catch {
    return null
  }
}

function idsOf({ history, earlierRootKeys }: RootKeys): string[] {
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
