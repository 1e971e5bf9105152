/**
 * Opening a vault, the same in a process and in a Durable Object: its rows, whether they are whole, and its jobs.
 *
 * @module
 */

import { PosternError, type Reason } from '../../core/errors.ts'
import { anchorRequired, type Settings } from '../../core/settings/settings.ts'
import type { Sha256, TreeHead } from '../../core/tlog/merkle.ts'
import { serverPolicy } from '../../core/vault/access/server_policy.ts'
import type { AcceptedSchema } from '../../core/vault/audit/accepted_schema_task.ts'
import { configurationOf } from '../../core/vault/audit/configuration_task.ts'
import type { Privacy } from '../../core/vault/audit/privacy.ts'
import { describeNewer, migrate, vaultIdOf } from '../../core/vault/migrate.ts'
import { SchemaMismatch } from '../../core/vault/schema_check.ts'
import type { Sql } from '../../core/vault/sql.ts'
import { Vault } from '../../core/vault/vault.ts'
import { jobsOf } from '../background/jobs.ts'
import { type Job, Scheduler } from '../background/scheduler.ts'
import { acceptRollback, noteRestore } from '../integrity/accept_rollback.ts'
import { acceptedSchemas, changedSchema, claimedVaultId } from '../integrity/accept_schema.ts'
import { checkBeginning, isSound, restOfLog } from '../integrity/check_log.ts'
import { continuityOf } from '../integrity/continuity.ts'
import { admitRoots, givenRoots, replaceRoots, tellUnneeded } from '../integrity/root_keys.ts'
import { VanishedFile } from '../integrity/vanished_file.ts'
import { logLine } from '../telemetry/log.ts'
import { whereabouts } from '../telemetry/whereabouts.ts'
import { performer, type VaultServices } from '../vault_services.ts'
import { bindHooks } from './bind_webhooks.ts'

/** What a vault is opened with. */
export interface Surroundings
  extends Pick<VaultServices, 'settings' | 'keyring' | 'anchors' | 'registry' | 'backupStore'> {
  /** The runtime's own, for the log. */
  sha256?: Sha256
  /**
   * Judges the size of a log that goes on from its anchors, before anything is written to it. A rollback that the operator
   * accepts is not judged.
   *
   * @throws {PosternError} `unavailable` for fewer entries than the host knows of.
   */
  admitSize?(size: number): Promise<void>
  /** Is told of every commit that was refused because a file of the vault is not where it was opened. */
  onVanished?(error: VanishedFile): void
}

/** A vault, and what is done for it unasked. */
export interface OpenVault {
  vault: Vault
  scheduler: Scheduler
}

/**
 * Opens the vault in a store.
 *
 * @param given What its host calls it; `undefined` where the host does not know any more.
 * @param wake Schedules a run of the jobs: see {@link Scheduler}.
 * @throws {PosternError} `unavailable`, with a message for the operator, not for a client.
 */
export async function openVault(
  sql: Sql,
  given: string | undefined,
  surroundings: Surroundings,
  wake: (scheduler: Scheduler, at: number) => void,
): Promise<OpenVault> {
  const { settings, registry } = surroundings
  const claimed = claimedVaultId(sql, given)
  const acceptable = acceptedSchemas(settings, claimed)
  let accepted: AcceptedSchema | null
  try {
    accepted = upgraded(sql, claimed, acceptable)
  } catch (error) {
    if (error instanceof SchemaMismatch) return quarantined(sql, claimed, error, surroundings)
    throw error
  }
  const id = identified(sql, given)
  const onFailure = (error: unknown) => {
    if (error instanceof VanishedFile) surroundings.onVanished?.(error)
    else logLine('error', 'vault_failed', whereabouts(error))
  }
  const onClockBehind = (behindMs: number) => tellClock(id, behindMs)
  const privacy = await privacyOf(id, surroundings)
  const options = { onFailure, onClockBehind, privacy, sha256: surroundings.sha256, acceptedSchemas: acceptable }
  const vault = new Vault(sql, serverPolicy(settings.security), Date.now(), options)
  const roots = givenRoots(surroundings.keyring)
  vault.claim(roots.current, roots.former, roots.all)
  const perform = performer((...asked) => vault.perform(...asked))
  const quarantine = (reason: Reason) => vault.quarantine(reason)
  const services: VaultServices = {
    ...surroundings,
    vault: id,
    perform,
    quarantine,
    notifyWrite: () => scheduler.notifyWrite(Date.now()),
  }
  await admitRoots(await perform('root.look', {}), roots, (root) => perform('root.use', { root }))
  const rest = await checkLog(services, surroundings)
  const whole = rest !== 'changed'
  if (whole) await noteRestore(services)
  if (whole) await perform('vault.schema', accepted)
  if (whole) await followRoots(services)
  if (whole) await bindHooks(services)
  vault.fallBackTo(registry.defaultChain(id))
  const scheduler: Scheduler = new Scheduler(services, whole ? [...jobsOf(services), ...rest] : [], (at) =>
    wake(scheduler, at),
  )
  // Everything is due at a start.
  if (whole) wake(scheduler, Date.now())
  for (const accessor of vault.printedTokens()) {
    const message =
      'Postern 0.1 printed this token at a start, and it does not expire: make another for admin, then revoke this one'
    logLine('warn', 'bootstrap_token', { vault: id, accessor, message })
  }
  if (whole && !vault.isEmpty()) {
    const { formerIds } = surroundings.keyring
    const shown = { ...tenantSettings(settings), ...(formerIds.length > 0 && { formerRootKeys: formerIds }) }
    await perform('vault.configure', configurationOf(shown))
  }
  return { vault, scheduler }
}

/**
 * Checks the log, and compares it with its anchors, before anything is written to it.
 *
 * @returns What is left to be checked while the vault is served; `changed` when it is not served.
 * @throws {PosternError} `unavailable` when that cannot be told, and must be.
 */
async function checkLog(services: VaultServices, surroundings: Surroundings): Promise<Job[][] | 'changed'> {
  if (!(await isSound(services))) return 'changed'
  const heads = await checkContinuity(services, surroundings)
  if (heads === null) return 'changed'
  const state = await checkBeginning(services, heads)
  if (state === 'changed') return state
  return state === null ? [] : [[restOfLog(state, heads)]]
}

/** @returns The heads that its anchors keep; `null` when the log does not go on from them, and is not served. */
async function checkContinuity(
  services: VaultServices,
  { admitSize }: Pick<Surroundings, 'admitSize'>,
): Promise<readonly TreeHead[] | null> {
  let { continuity, heads } = await continuityOf(services)
  let isAccepted = false
  if (continuity === 'rolled_back') {
    // Then the anchors are asked again: all of them have to agree, and to have been moved.
    isAccepted = await acceptRollback(services)
    if (isAccepted) ({ continuity, heads } = await continuityOf(services))
    if (continuity === 'rolled_back') {
      services.quarantine('rolled_back')
      return null
    }
  }
  if (continuity === 'unknown') throw new PosternError('unavailable', 'Anchor holds no checkpoint of this log')
  if (continuity === 'unread') {
    if (anchorRequired(services.settings)) throw new PosternError('unavailable', 'Anchor of the log cannot be read')
    logLine('warn', 'anchor_unread', { vault: services.vault })
  }
  if (!isAccepted) await admitSize?.((await services.perform('audit.head', {})).head.size)
  return heads
}

/** Has the vault become that of the root key given, and tells which others are of no use to it. */
async function followRoots(services: VaultServices): Promise<void> {
  const { vault, keyring, perform } = services
  await replaceRoots(services)
  const { history, earlierRootKeys, needed } = await perform('root.look', {})
  const known = [...history.map(({ id }) => id), ...earlierRootKeys]
  const [unneeded, unknown] = [
    keyring.formerIds.filter((id) => known.includes(id) && !needed.includes(id)),
    keyring.formerIds.filter((id) => !known.includes(id)),
  ]
  tellUnneeded(services, unneeded)
  for (const rootKey of unknown) logLine('warn', 'root_key_unknown', { vault, rootKey })
}

/** Of an operator's settings, those that concern whoever uses a vault. */
function tenantSettings({ environment, publicUrl, clientAddress, logOrigin, security, audit }: Settings) {
  const { anchor: _, ...shown } = audit
  return { environment, publicUrl, clientAddress, logOrigin, security, audit: shown }
}

/** Nothing ends later for a clock that is behind the log: see `core/vault/clock.ts`. */
function tellClock(vault: string, behindMs: number): void {
  if (behindMs === 0) logLine('info', 'clock_right', { vault })
  else logLine('warn', 'clock_behind', { vault, behindSeconds: Math.ceil(behindMs / 1000) })
}

/**
 * Brings a store to the newest schema.
 *
 * @returns The differences that the operator accepts; `null` for a schema that is Postern's own.
 * @throws {SchemaMismatch} for others.
 */
function upgraded(sql: Sql, vault: string, acceptable: readonly string[]): AcceptedSchema | null {
  try {
    const differences = migrate(sql, Date.now(), acceptable)
    if (differences.length === 0) return null
    const { acceptSchema, ...about } = changedSchema(vault, differences)
    return { ...about, digest: acceptSchema.slice(vault.length + 1) }
  } catch (error) {
    if (error instanceof SchemaMismatch) throw error
    const message = error instanceof RangeError ? `Vault ${describeNewer(error)}` : 'Vault cannot be opened'
    throw new PosternError('unavailable', message)
  }
}

function identified(sql: Sql, given: string | undefined): string {
  try {
    return vaultIdOf(sql, given)
  } catch {
    throw new PosternError('unavailable', 'Vault cannot be opened')
  }
}

/** A vault that answers nothing: its store is left as it is, and the operator is told what differs. */
function quarantined(sql: Sql, vault: string, { differences }: SchemaMismatch, surroundings: Surroundings): OpenVault {
  logLine('error', 'schema_changed', { vault, ...changedSchema(vault, differences) })
  const policy = serverPolicy(surroundings.settings.security)
  const closed = new Vault(sql, policy, Date.now(), { quarantined: 'schema_changed' })
  const perform = performer((...asked) => closed.perform(...asked))
  const services: VaultServices = { ...surroundings, vault, perform, quarantine: () => {}, notifyWrite: () => {} }
  return { vault: closed, scheduler: new Scheduler(services, [], () => {}) }
}

/** The key of aliases opens nothing: it is the one key that a vault is given. */
async function privacyOf(
  id: string,
  { settings, keyring }: Pick<Surroundings, 'settings' | 'keyring'>,
): Promise<Privacy> {
  const { aliasNames, blind } = settings.audit
  return { aliasKey: aliasNames ? await keyring.macKey(id, 'alias') : null, blind }
}
