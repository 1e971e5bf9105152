/**
 * Root keys of a vault, the edge's half: whether the given ones may open it, and moving it to a new one.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { formatVerifierKey } from '../../core/tlog/signed_note.ts'
import type { RootUse } from '../../core/vault/keys/root_key_store.ts'
import { type GivenRootKeys, judgeRoots, type RootKeys } from '../../core/vault/keys/root_key_tasks.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'
import { signerOf, verifierKeys } from './sign_checkpoint.ts'

/** The ids of the root keys of a keyring. */
export function givenRootKeys({ rootId, formerIds, all }: Keyring): GivenRootKeys {
  return { current: rootId, former: formerIds, all: all.map((ring) => ring.rootId) }
}

/**
 * Refuses a vault that the given root keys do not fit. Nothing is written.
 *
 * @param use Counts what is sealed under a root key.
 * @returns Whether the vault moves to the given root key.
 * @throws {PosternError} `unavailable`, with a message for the operator, not for a client.
 */
export async function admitRootKeys(
  vault: RootKeys,
  given: GivenRootKeys,
  use: (root: string) => RootUse | Promise<RootUse>,
): Promise<boolean> {
  const verdict = judgeRoots(vault, given)
  if (verdict === 'own' || verdict === 'replace') return verdict === 'replace'
  throw new PosternError('unavailable', await objection(verdict, vault, given, use))
}

async function objection(
  verdict: 'foreign' | 'missing' | 'swapped',
  { current, needed }: RootKeys,
  given: GivenRootKeys,
  use: (root: string) => RootUse | Promise<RootUse>,
): Promise<string> {
  if (verdict === 'swapped') {
    return `Root key ${given.current} was replaced by ${current}, and cannot return: set ${current} as the root key, and ${given.current} at most as a former one`
  }
  if (verdict === 'foreign') {
    return `Root key is not the one that sealed this vault: it is ${given.current}, and the vault is under ${current}. To replace ${current}, set it as a former root key beside the new one`
  }
  const missing = needed.filter((id) => !given.all.includes(id))
  const uses = await Promise.all(missing.map(async (id) => `${id} (${described(await use(id))})`))
  return `A root key that the vault still needs is missing: ${uses.join(', ')}. Set it as a former root key until nothing needs it`
}

function described({ versions, factors, hooks }: RootUse): string {
  const counts = [
    [versions, 'versions of secrets'],
    [factors, 'second factors'],
    [hooks, 'signing secrets of hooks'],
  ] as const
  const sealed = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  return sealed.length > 0 ? `${sealed.join(', ')} would be lost` : 'it signs the log'
}

/**
 * Moves a vault to the given root key, and has a key of that sign the log. Each of the two is one transaction, and is done
 * once, so this may be interrupted anywhere and run again.
 */
export async function moveToRootKey(services: VaultServices): Promise<void> {
  const { vault, keyring } = services
  const to = keyring.rootId
  const { current: from } = await services.perform('root.look', {})
  if (from !== to) {
    await services.perform('root.replace', { from, to })
    logLine('warn', 'root_key_replaced', { vault, rootKey: to, before: from })
  }
  const head = await services.perform('audit.head', {})
  // The log needs the former root key as long as a key of it signs.
  if ((await services.perform('root.look', {})).signing === to) return
  const key = formatVerifierKey(await signerOf(services, head.term + 1, to))
  const first = (await verifierKeys(services, head)).at(-1)!
  await services.perform('audit.rekey', { term: head.term + 1, key, root: to, first })
}

/** Logs the former root keys that the operator can remove. */
export function logUnneededRootKeys({ vault }: Pick<VaultServices, 'vault'>, roots: readonly string[]): void {
  for (const rootKey of roots) logLine('info', 'root_key_unneeded', { vault, rootKey })
}
