/**
 * Another root key, the edge's half: whether a vault may be opened with those that are given, and having the new one
 * take the place of the former.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { formatVerifierKey } from '../../core/tlog/signed_note.ts'
import type { RootUse } from '../../core/vault/keys/root_key_store.ts'
import { type GivenRoots, judgeRoots, type Roots } from '../../core/vault/keys/root_key_tasks.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'
import { signerOf, verifierKeys } from './sign_checkpoint.ts'

/** The root keys of a keyring, by their ids. */
export function givenRoots({ rootId, formerIds, all }: Keyring): GivenRoots {
  return { current: rootId, former: formerIds, all: all.map((ring) => ring.rootId) }
}

/**
 * Refuses a vault that these root keys are not for. Nothing is written.
 *
 * @param use Counts what is sealed under a root key.
 * @returns Whether the vault is to become the new root key's.
 * @throws {PosternError} `unavailable`, with a message for the operator, not for a client.
 */
export async function admitRoots(
  vault: Roots,
  given: GivenRoots,
  use: (root: string) => RootUse | Promise<RootUse>,
): Promise<boolean> {
  const verdict = judgeRoots(vault, given)
  if (verdict === 'own' || verdict === 'replace') return verdict === 'replace'
  throw new PosternError('unavailable', await objection(verdict, vault, given, use))
}

async function objection(
  verdict: 'foreign' | 'missing' | 'swapped',
  { current, needed }: Roots,
  given: GivenRoots,
  use: (root: string) => RootUse | Promise<RootUse>,
): Promise<string> {
  if (verdict === 'swapped') {
    return `Root key ${given.current} was replaced by ${current}, and does not come back: give ${current} as the root key, and ${given.current} as a former one if at all`
  }
  if (verdict === 'foreign') {
    return `Root key is not the one that sealed this vault: it is ${given.current}, and the vault is under ${current}. To replace that, give it as a former one beside the new one`
  }
  const missing = needed.filter((id) => !given.all.includes(id))
  const uses = await Promise.all(missing.map(async (id) => `${id} (${described(await use(id))})`))
  return `Root key is missing that the vault still needs: ${uses.join(', ')}. Give it as a former one until nothing needs it any more`
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
 * Has the new root key take the place of the vault's own, and another of its keys sign the log. Each is one
 * transaction; one that was done is not done again, so that this may be broken off anywhere and begun anew.
 */
export async function replaceRoots(services: VaultServices): Promise<void> {
  const { vault, keyring } = services
  const to = keyring.rootId
  const { current: from } = await services.perform('root.look', {})
  if (from !== to) {
    await services.perform('root.replace', { from, to })
    logLine('warn', 'root_key_replaced', { vault, rootKey: to, before: from })
  }
  const head = await services.perform('audit.head', {})
  // As long as its key is of the former root key, the log needs that.
  if ((await services.perform('root.look', {})).signing === to) return
  const key = formatVerifierKey(await signerOf(services, head.term + 1, to))
  const first = (await verifierKeys(services, head)).at(-1)!
  await services.perform('audit.rekey', { term: head.term + 1, key, root: to, first })
}

/** Tells which root keys the operator can take away. */
export function tellUnneeded({ vault }: Pick<VaultServices, 'vault'>, roots: readonly string[]): void {
  for (const rootKey of roots) logLine('info', 'root_key_unneeded', { vault, rootKey })
}
