/**
 * Opens a vault, the same in a process and in a Durable Object: migrates its schema, checks its log, and starts its jobs.
 *
 * @module
 */

import { PosternError, type Reason } from '../../core/errors.ts'
import { anchorRequired } from '../../core/settings/settings.ts'
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
import { acceptRollback, recordRestore } from '../integrity/accept_rollback.ts'
import { acceptedSchemas, changedSchema, claimedVaultId } from '../integrity/accept_schema.ts'
import { checkBeginning, checkRest, hasSoundEnd } from '../integrity/check_log.ts'
import { continuityOf } from '../integrity/continuity.ts'
import { admitRootKeys, givenRootKeys, logUnneededRootKeys, moveToRootKey } from '../integrity/root_keys.ts'
import { VanishedFile } from '../integrity/vanished_file.ts'
import { logLine } from '../telemetry/log.ts'
import { whereabouts } from '../telemetry/whereabouts.ts'
import { performer, type VaultServices } from '../vault_services.ts'
import { bindHooks } from './bind_webhooks.ts'

/** The services and callbacks that a vault is opened with. */
export interface OpenVaultOptions
  extends Pick<VaultServices, 'settings' | 'keyring' | 'anchors' | 'registry' | 'readFile' | 'fetch' | 'backupStore'> {
  /** The runtime's own implementation, for the log. */
  sha256?: Sha256
  /**
   * Checks the size of a log that continues its anchors, before anything is written to it. Is not called for a rollback
   * that the operator accepts.
   *
   * @throws {PosternError} `unavailable` for fewer entries than the host has seen.
   */
  admitSize?(size: number): Promise<void>
  /** Is called for every commit that is refused because a file of the vault is no longer where it was opened. */
  onVanished?(error: VanishedFile): void
}

/** An open vault and its scheduler. */
export interface OpenVault {
  vault: Vault
  scheduler: Scheduler
}

/**
 * Opens the vault in a store.
 *
 * @param given The vault's id by its host; `undefined` when the host does not know it.
 * @param wake Schedules the next run of the jobs, at a time in milliseconds since the Unix epoch.
 * @throws {PosternError} `unavailable`, with a message for the operator, not for a client.
 */
export async function openVault(
  sql: Sql,
  given: string | undefined,
  options: OpenVaultOptions,
  wake: (scheduler: Scheduler, at: number) => void,
): Promise<OpenVault> {
  const { settings, registry } = options
  const claimed = claimedVaultId(sql, given)
  const acceptable = acceptedSchemas(settings, claimed)
  let accepted: AcceptedSchema | null
  try {
    accepted = migrated(sql, claimed, acceptable)
  } catch (error) {
    if (error instanceof SchemaMismatch) return quarantined(sql, claimed, error, options)
    throw error
  }
  const id = idOf(sql, given)
  const onFailure = (error: unknown) => {
    if (error instanceof VanishedFile) options.onVanished?.(error)
    else logLine('error', 'vault_failed', whereabouts(error))
  }
  const onClockBehind = (behindMs: number) => tellClock(id, behindMs)
  const privacy = await privacyOf(id, options)
  const vault = new Vault(sql, serverPolicy(settings.security), Date.now(), {
    ...{ onFailure, onClockBehind, privacy, sha256: options.sha256, acceptedSchemas: acceptable },
  })
  const roots = givenRootKeys(options.keyring)
  vault.claim(roots.current, roots.former, roots.all)
  const perform = performer((...asked) => vault.perform(...asked))
  const quarantine = (reason: Reason) => vault.quarantine(reason)
  const services: VaultServices = {
    ...options,
    vault: id,
    perform,
    quarantine,
    notifyWrite: () => scheduler.notifyWrite(Date.now()),
  }
  await admitRootKeys(await perform('root.look', {}), roots, (root) => perform('root.use', { root }))
  const rest = await checkLog(services, options)
  const whole = rest !== 'changed'
  if (whole) await recordRestore(services)
  if (whole) await perform('vault.schema', accepted)
  if (whole) await followRoots(services)
  if (whole) await bindHooks(services)
  vault.fallBackTo(registry.defaultChain(id))
  vault.exceptFromRotation(registry.usableBy(id).flatMap((one) => (one.provider.rotate ? [] : [one.id])))
  const scheduler: Scheduler = new Scheduler(services, whole ? [...jobsOf(services), ...rest] : [], (at) =>
    wake(scheduler, at),
  )
  // All jobs are due at a start.
  if (whole) wake(scheduler, Date.now())
  tellPrintedTokens(id, vault)
  if (whole && !vault.isEmpty()) await perform('vault.configure', configurationOf(recordedSettings(options)))
  return { vault, scheduler }
}

/**
 * Checks the log, and compares it with its anchors, before anything is written to it.
 *
 * @returns The checks to finish while the vault is served; `changed` when the vault must not be served.
 * @throws {PosternError} `unavailable` when a required anchor cannot be read or holds no checkpoint of this log.
 */
async function checkLog(services: VaultServices, options: OpenVaultOptions): Promise<Job[][] | 'changed'> {
  if (!(await hasSoundEnd(services))) return 'changed'
  const heads = await checkContinuity(services, options)
  if (heads === null) return 'changed'
  const state = await checkBeginning(services, heads)
  if (state === 'changed') return state
  return state === null ? [] : [[checkRest(state, heads)]]
}

/** @returns The heads in the anchors; `null` when the log does not continue them, and the vault must not be served. */
async function checkContinuity(
  services: VaultServices,
  { admitSize }: Pick<OpenVaultOptions, 'admitSize'>,
): Promise<readonly TreeHead[] | null> {
  let { continuity, heads } = await continuityOf(services)
  let isAccepted = false
  if (continuity === 'rolled_back') {
    // Then the anchors are read again: all must have been moved, and must agree.
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

/** Moves the vault to the configured root key, and logs unneeded and unknown root keys. */
async function followRoots(services: VaultServices): Promise<void> {
  const { vault, keyring, perform } = services
  await moveToRootKey(services)
  const { history, earlierRootKeys, needed } = await perform('root.look', {})
  const known = [...history.map(({ id }) => id), ...earlierRootKeys]
  const [unneeded, unknown] = [
    keyring.formerIds.filter((id) => known.includes(id) && !needed.includes(id)),
    keyring.formerIds.filter((id) => !known.includes(id)),
  ]
  logUnneededRootKeys(services, unneeded)
  for (const rootKey of unknown) logLine('warn', 'root_key_unknown', { vault, rootKey })
}

/** The settings that concern the users of a vault, and so are recorded in its log. */
function recordedSettings({ settings, keyring }: Pick<OpenVaultOptions, 'settings' | 'keyring'>) {
  const { environment, publicUrl, clientAddress, logOrigin, security, audit } = settings
  const { anchor: _, ...rest } = audit
  const shown = { environment, publicUrl, clientAddress, logOrigin, security, audit: rest }
  return { ...shown, ...(keyring.formerIds.length > 0 && { formerRootKeys: keyring.formerIds }) }
}

/** Logs the tokens that 0.1 printed, which do not expire. */
function tellPrintedTokens(id: string, vault: Vault): void {
  for (const accessor of vault.printedTokens()) {
    const message =
      'Postern 0.1 printed this token at a start, and it does not expire: make another for admin, then revoke this one'
    logLine('warn', 'bootstrap_token', { vault: id, accessor, message })
  }
}

/** Logs a clock that is behind the log. Nothing expires later for it: see `core/vault/clock.ts`. */
function tellClock(vault: string, behindMs: number): void {
  if (behindMs === 0) logLine('info', 'clock_right', { vault })
  else logLine('warn', 'clock_behind', { vault, behindSeconds: Math.ceil(behindMs / 1000) })
}

/**
 * Migrates a store to the newest schema.
 *
 * @returns The differences that the operator accepts; `null` when the schema has none.
 * @throws {SchemaMismatch} for differences that the operator does not accept.
 */
function migrated(sql: Sql, vault: string, acceptable: readonly string[]): AcceptedSchema | null {
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

function idOf(sql: Sql, given: string | undefined): string {
  try {
    return vaultIdOf(sql, given)
  } catch {
    throw new PosternError('unavailable', 'Vault cannot be opened')
  }
}

/** Opens a vault that refuses every call. Its store is left as it is, and the log names the differences. */
function quarantined(sql: Sql, vault: string, { differences }: SchemaMismatch, options: OpenVaultOptions): OpenVault {
  logLine('error', 'schema_changed', { vault, ...changedSchema(vault, differences) })
  const policy = serverPolicy(options.settings.security)
  const closed = new Vault(sql, policy, Date.now(), { quarantined: 'schema_changed' })
  const perform = performer((...asked) => closed.perform(...asked))
  const services: VaultServices = { ...options, vault, perform, quarantine: () => {}, notifyWrite: () => {} }
  return { vault: closed, scheduler: new Scheduler(services, [], () => {}) }
}

/** Privacy settings with the key of aliases. It opens nothing, so the vault may have it. */
async function privacyOf(
  id: string,
  { settings, keyring }: Pick<OpenVaultOptions, 'settings' | 'keyring'>,
): Promise<Privacy> {
  const { aliasNames, blind } = settings.audit
  return { aliasKey: aliasNames ? await keyring.macKey(id, 'alias') : null, blind }
}
