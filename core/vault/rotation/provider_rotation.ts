/**
 * Rotation of what a provider keeps: where a value is kept, what a run there has to know, and what follows at its end.
 *
 * Either the provider rotates the secret itself, or the value is made here, kept sealed as the pending version until the
 * primary has it, and then erased. The replicas are brought to what the primary has; none that lags is read once the
 * grace is over.
 *
 * @module
 */
import type { Reason } from '../../errors.ts'
import type { VersionedChain } from '../../providers/chain.ts'
import { mappingOf } from '../../providers/name_map.ts'
import { copiesOf } from '../chains/write_operations.ts'
import type { SecretRow } from '../secrets/store.ts'
import type { Stores } from '../stores.ts'
import { firstStep, type TargetConfig } from './state_machine.ts'
import type { ProviderRun, Rotation, Run } from './store.ts'

/** Why a secret cannot rotate in this way where it is kept; `null` when it can. */
export function objectionTo(
  { chains }: Pick<Stores, 'chains'>,
  target: TargetConfig,
  chain: VersionedChain | null,
): Reason | null {
  if (chain === null) return target.kind === 'provider' || intoOf(target) !== null ? 'not_provided' : null
  // A webhook would have to learn two values, and either may be lost: the one here, and the one at the provider.
  if (target.kind === 'webhook') return 'not_sealed'
  const [primary] = chain.members
  return target.kind === 'provider' && !chains.rotatesItself(primary!.provider) ? 'no_provider_rotation' : null
}

/** The place in a provider's document that a generated value is put at; `null`: it is all of the secret. */
export function intoOf(target: TargetConfig): string | null {
  return target.kind === 'generate' ? (target.into ?? null) : null
}

/**
 * Where the value of a rotation is kept: in a chain, or `here`.
 *
 * @returns `null` when it is no longer where it was when its rotation was set, or is deleted.
 */
export function homeOf(
  { chains }: Pick<Stores, 'chains'>,
  secret: SecretRow,
  { config, provided }: Pick<Rotation, 'config' | 'provided'>,
): VersionedChain | 'here' | null {
  const chain = chains.covering(secret.name)
  if (!provided) return chain === null && secret.deletedAt === null && secret.current !== null ? 'here' : null
  return chain !== null && objectionTo({ chains }, config.target, chain) === null ? chain : null
}

/** Whether the value of a run is still where it was at its start. */
export function isAtHome({ chains }: Pick<Stores, 'chains'>, secret: SecretRow, { config, provided }: Run): boolean {
  const home = homeOf({ chains }, secret, { config, provided: provided !== null })
  if (home === null || home === 'here' || provided === null) return home === 'here'
  const primary = home.members[0]!
  const { member, mapping } = provided
  const isSameMember = primary.provider === member.provider && primary.prefix === member.prefix
  return isSameMember && mappingOf(home, primary, secret.name) === mapping
}

/**
 * Begins a run.
 *
 * @returns Its id; `null` when the value is no longer where it was when its rotation was set.
 */
export function beginRun(
  { chains, rotations, now }: Pick<Stores, 'chains' | 'rotations'> & { now: number },
  secret: SecretRow,
  rotation: Rotation,
  { replace, ...about }: Pick<Run, 'why' | 'by' | 'restores'> & Pick<ProviderRun, 'replace'>,
): number | null {
  const home = homeOf({ chains }, secret, rotation)
  if (home === null) return null
  const { config } = rotation
  const [last] = home === 'here' ? [] : rotations.runs(secret.id, 1)
  const provided =
    home === 'here'
      ? null
      : { ...placeOf(home, secret), token: tokenAfter(last, rotation), ...(replace && { replace }) }
  return rotations.start({ ...about, secret: secret.id, config, step: firstStep(config), provided, startedAt: now })
}

/** Where a chain keeps a secret: at its primary, under the name that it writes there. */
function placeOf(chain: VersionedChain, { name }: SecretRow): Pick<ProviderRun, 'member' | 'mapping'> {
  const { provider, prefix } = chain.members[0]!
  const mapping = mappingOf(chain, chain.members[0]!, name)
  return { member: { provider, ...(prefix !== undefined && { prefix }) }, ...(mapping !== undefined && { mapping }) }
}

/**
 * The token of the next run. Where the provider makes the value, a run that changed nothing as far as is known passes
 * its token on: the provider then continues the same rotation instead of starting a second, and a rotation
 * completed meanwhile is found. Putting the rotation again gives a new token.
 */
function tokenAfter(last: Run | undefined, { config, updatedAt }: Rotation): string {
  const goesOn =
    config.target.kind === 'provider' &&
    last?.config.target.kind === 'provider' &&
    last.outcome === 'undone' &&
    last.failure !== 'cancelled' &&
    last.startedAt >= updatedAt
  return (goesOn && last.provided?.token) || crypto.randomUUID()
}

/**
 * Applies the end of a run at a provider, in its transaction: the cache drops older values, the pending value in the
 * vault is erased, and the replicas become due.
 *
 * @param rotated Whether the provider has a new value; `null` when that is unknown.
 */
export function settleProvided(
  { secrets, cache, chains, replication, now }: Stores & { now: number },
  secret: SecretRow,
  run: Run,
  rotated: boolean | null,
): void {
  if (secret.pending !== null && secret.pending === run.number) {
    secrets.dropPending(secret.id)
    secrets.destroy(secret.id, run.number, now)
  }
  cache.purge(secret.name, now)
  if (rotated === false) return
  const serveUntil = rotated ? now + run.config.graceSeconds * 1000 : null
  const begun = { now, dueAt: now, serveUntil, replace: run.provided?.replace, isMade: rotated === true }
  replication.begin(secret.name, copiesOf(chains.covering(secret.name)), 'write', begun)
}
