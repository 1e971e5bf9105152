/**
 * Checks the entries of a log against its tree and its anchors when a vault is opened. A short log is checked before the
 * first answer; the rest of a longer one while the vault is served, some entries at a time.
 *
 * @module
 */

import type { TreeHead } from '../../core/tlog/merkle.ts'
import type { Checked, CheckResult } from '../../core/vault/audit/recheck_task.ts'
import type { Job } from '../background/scheduler.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'

/** How many entries are checked before a vault is served: this takes some tenths of a second at most. */
const AT_OPENING = 10_000
/** How many entries are checked in one transaction, so that no request waits long for it. */
const AT_A_TIME = 500
/** How long requests have the vault to themselves between two of them. */
const PAUSE_MS = 20

/** Checks that the end of the log was neither cut nor lengthened, before anything else reads or writes it. */
export async function hasSoundEnd(services: VaultServices): Promise<boolean> {
  if (await services.perform('audit.sound', {})) return true
  refuse(services, null)
  return false
}

/**
 * Checks the first entries.
 *
 * @param heads What the anchors have.
 * @returns Where to continue; `null` at the end of the log; `changed` if the vault is quarantined.
 */
export async function checkBeginning(
  services: VaultServices,
  heads: readonly TreeHead[],
): Promise<Checked | null | 'changed'> {
  let state: Checked | null = null
  for (let done = 0; done < AT_OPENING; done += AT_A_TIME) {
    const result: CheckResult = await services.perform('audit.recheck', { state, limit: AT_A_TIME, heads })
    if (result.kind === 'changed') {
      refuse(services, result.index)
      return 'changed'
    }
    if (result.kind === 'whole') return null
    state = result.state
  }
  return state
}

/** A job that checks the rest while the vault is served. */
export function checkRest(from: Checked, heads: readonly TreeHead[]): Job {
  let state: Checked | null = from
  return {
    name: 'log_check',
    afterWriteMs: null,
    async run(services) {
      if (state === null) return null
      const result = await services.perform('audit.recheck', { state, limit: AT_A_TIME, heads })
      if (result.kind === 'changed') refuse(services, result.index)
      state = result.kind === 'going' ? result.state : null
      return state === null ? null : Date.now() + PAUSE_MS
    },
  }
}

function refuse({ vault, quarantine }: VaultServices, entry: number | null): void {
  quarantine('log_changed')
  logLine('error', 'log_changed', { vault, entry })
}
