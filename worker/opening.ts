/**
 * Opening a vault, the same in a process and in a Durable Object: its rows, whether they are whole, and its upkeep.
 *
 * @module
 */
import { securityPolicy } from '../core/access/security_policy.ts'
import { PosternError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import type { Sql } from '../core/sql.ts'
import { Vault } from '../core/vault.ts'
import { dutiesOf } from './duties.ts'
import { logLine } from './oplog.ts'
import { whereabouts } from './problem.ts'
import { type Desk, performer, Upkeep } from './upkeep.ts'

/** What a vault is opened with. */
export type Surroundings = Pick<Desk, 'settings' | 'keyring' | 'upstreams'>

/** A vault, and what is done for it unasked. */
export interface Opened {
  vault: Vault
  upkeep: Upkeep
}

/**
 * Opens the vault in a store.
 *
 * @param id What its host calls it; `undefined` where the host does not know any more.
 * @param wake Has the upkeep run at a time: see {@link Upkeep}.
 * @throws {PosternError} `unavailable`, with a message for the operator, not for a client.
 */
export async function openVault(
  sql: Sql,
  id: string | undefined,
  { settings, keyring, upstreams }: Surroundings,
  wake: (upkeep: Upkeep, at: number) => void,
): Promise<Opened> {
  const vault = migrated(sql, settings)
  if (!vault.claim(keyring.rootId))
    throw new PosternError('unavailable', 'Root key is not the one that sealed this vault')
  const perform = performer((...asked) => vault.perform(...asked))
  const desk = { vault: vault.called(id), settings, keyring, upstreams, perform }
  vault.fallBackTo(upstreams.defaultChain(desk.vault))
  const upkeep: Upkeep = new Upkeep(desk, dutiesOf(desk), (at) => wake(upkeep, at))
  // Everything is due at a start.
  wake(upkeep, Date.now())
  return { vault, upkeep }
}

function migrated(sql: Sql, settings: Settings): Vault {
  try {
    const policy = securityPolicy(settings.security)
    return new Vault(sql, policy, Date.now(), (error) => logLine('error', 'vault_failed', whereabouts(error)))
  } catch (error) {
    const newer = error instanceof RangeError
    throw new PosternError('unavailable', newer ? 'Vault was written by a newer Postern' : 'Vault cannot be opened')
  }
}
