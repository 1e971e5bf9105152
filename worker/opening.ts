/**
 * Opening a vault, the same in a process and in a Durable Object: its rows, whether they are whole, and its upkeep.
 *
 * @module
 */
import { securityPolicy } from '../core/access/security_policy.ts'
import type { Privacy } from '../core/audit/privacy.ts'
import { PosternError } from '../core/errors.ts'
import { migrate, vaultIdOf } from '../core/schema.ts'
import type { Sql } from '../core/sql.ts'
import { Vault } from '../core/vault.ts'
import { dutiesOf } from './duties.ts'
import { logLine } from './oplog.ts'
import { whereabouts } from './problem.ts'
import { type Desk, performer, Upkeep } from './upkeep.ts'

/** What a vault is opened with. */
export type Surroundings = Pick<Desk, 'settings' | 'keyring'>

/** A vault, and what is done for it unasked. */
export interface Opened {
  vault: Vault
  upkeep: Upkeep
}

/**
 * Opens the vault in a store.
 *
 * @param given What its host calls it; `undefined` where the host does not know any more.
 * @param wake Has the upkeep run at a time: see {@link Upkeep}.
 * @throws {PosternError} `unavailable`, with a message for the operator, not for a client.
 */
export async function openVault(
  sql: Sql,
  given: string | undefined,
  { settings, keyring }: Surroundings,
  wake: (upkeep: Upkeep, at: number) => void,
): Promise<Opened> {
  const id = identified(sql, given)
  const privacy = await privacyOf(id, { settings, keyring })
  const onFailure = (error: unknown) => logLine('error', 'vault_failed', whereabouts(error))
  const vault = new Vault(sql, securityPolicy(settings.security), Date.now(), { onFailure, privacy })
  if (!vault.claim(keyring.rootId))
    throw new PosternError('unavailable', 'Root key is not the one that sealed this vault')
  const perform = performer((...asked) => vault.perform(...asked))
  const upkeep: Upkeep = new Upkeep({ vault: id, settings, keyring, perform }, dutiesOf(), (at) => wake(upkeep, at))
  // Everything is due at a start.
  wake(upkeep, Date.now())
  return { vault, upkeep }
}

/** Brings a store to the newest schema, and tells whose it is. */
function identified(sql: Sql, given: string | undefined): string {
  try {
    migrate(sql, Date.now())
    return vaultIdOf(sql, given)
  } catch (error) {
    const newer = error instanceof RangeError
    throw new PosternError('unavailable', newer ? 'Vault was written by a newer Postern' : 'Vault cannot be opened')
  }
}

/** The key of aliases opens nothing: it is the one key that a vault is given. */
async function privacyOf(id: string, { settings, keyring }: Surroundings): Promise<Privacy> {
  const { aliasNames, blind } = settings.audit
  return { aliasKey: aliasNames ? await keyring.macKey(id, 'alias') : null, blind }
}
