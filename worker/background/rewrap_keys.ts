/**
 * The edge's half of rekeying: it has the keys that DEKs are rewrapped with.
 *
 * @module
 */
import { headSize, rewrap } from '../../core/crypto/envelope.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { DAY_MS } from '../../core/durations.ts'
import { PosternError } from '../../core/errors.ts'
import type { Stale } from '../../core/vault/keys/key_store.ts'
import type { StaleBatch } from '../../core/vault/keys/key_tasks.ts'
import { logUnneededRootKeys } from '../integrity/root_keys.ts'
import type { VaultServices } from '../vault_services.ts'
import type { Job } from './scheduler.ts'

/** How often the age of a term is checked, and DEKs that could not be rewrapped are retried. */
const LOOK_MS = DAY_MS / 2
/** How many batches one run rewraps before other jobs have their turn. */
const BATCHES = 20

/** Begins a term when it is due, and rewraps DEKs under the newest, of the same root key or another. */
export const rewrapKeys: Job = {
  name: 'rekeying',
  afterWriteMs: null,
  triggeredBy: ({ operation }) => operation === 'keys.rekey',
  async run(services) {
    const { encryptionKeyRotationDays: days } = services.settings.security
    if (days > 0) await services.perform('keys.age', { maxAgeMs: days * DAY_MS })
    for (let i = 0; i < BATCHES; i++) {
      const batch = await services.perform('keys.stale', {})
      if (batch === null) return Date.now() + LOOK_MS
      if (await move(services, batch)) return Date.now() + LOOK_MS
    }
    return Date.now()
  },
}

/** Rewraps one batch. @returns Whether it was the last of its round. */
async function move(services: VaultServices, batch: StaleBatch): Promise<boolean> {
  const { keyring, vault } = services
  const to = await keyring.kek(vault, batch.kid)
  const heads = await Promise.all(batch.items.map((item) => headFor(keyring, vault, item, to)))
  // The vault replaces exactly the head, so no more of the envelope is kept.
  const items = batch.items.map((item) => ({ ...item, head: item.head.slice(0, headSize(item.kid)) }))
  try {
    const { done, unneeded } = await services.perform('keys.rewrap', { ...batch, items, heads })
    logUnneededRootKeys(services, unneeded)
    return done
  } catch (error) {
    if (error instanceof PosternError && error.detail.reason === 'superseded') return false
    throw error
  }
}

/** The head under the newest key; `null` when the old key does not open it. */
async function headFor(keyring: Keyring, vault: string, { kid, head }: Stale, to: Awaited<ReturnType<Keyring['kek']>>) {
  try {
    const from = await keyring.kek(vault, kid)
    return { kid: to.kid, head: await rewrap(from, to, head.slice(0, headSize(kid))) }
  } catch (error) {
    // Tampered with, under a missing root key, or no envelope: it stays, is counted, and keeps its term in use.
    if (error instanceof PosternError || error instanceof RangeError) return null
    throw error
  }
}
