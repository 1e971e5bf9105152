/**
 * The providers of a server, and the names under which a vault may use each of them.
 *
 * @module
 */
import { badRequest, PosternError, refusal } from '../errors.ts'
import type { Chain, Member, VersionedChain } from '../providers/chain.ts'
import type { ReportEvent } from '../providers/condition.ts'
import type { ChainMember } from '../providers/failover.ts'
import { GuardedProvider } from '../providers/guarded_provider.ts'
import { type MappedChain, NameMap } from '../providers/name_map.ts'
import { namingAdvice, storeName } from '../providers/store_names.ts'
import { namePrefixOf } from '../settings/provider_reach.ts'
import { defaultMembers, type ProviderSettings } from '../settings/providers.ts'
import type { ConfiguredProvider } from './from_settings.ts'

/** The id of the chain that the settings define. No vault can change it. */
export const DEFAULT_CHAIN = 'default'

/** Every configured provider, each behind the breaker that all vaults share. */
export class ProviderRegistry {
  readonly #settings: ProviderSettings
  readonly #configured: ReadonlyMap<string, ConfiguredProvider>
  readonly #guarded: ReadonlyMap<string, GuardedProvider>

  /** @param report Writes the operational log. */
  constructor(settings: ProviderSettings, configured: ReadonlyMap<string, ConfiguredProvider>, report?: ReportEvent) {
    this.#settings = settings
    this.#configured = configured
    const { recoveryMs } = settings
    const guarded = [...configured].map(
      ([id, { provider }]) => [id, new GuardedProvider(id, provider, { recoveryMs, report })] as const,
    )
    this.#guarded = new Map(guarded)
  }

  /** All providers, for the operator. */
  list(): GuardedProvider[] {
    return [...this.#guarded.values()]
  }

  /** The providers that a vault may use. It learns about no others. */
  usableBy(vault: string): GuardedProvider[] {
    return this.list().filter(({ id }) => this.find(vault, id) !== null)
  }

  /** Finds a provider that a vault may use; `null` if it is not configured, or not for this vault. */
  find(vault: string, provider: string): GuardedProvider | null {
    const configured = this.#configured.get(provider)
    const isUsable = configured?.reach.vaults.includes(vault) && prefixIn(configured, vault) !== null
    return (isUsable && this.#guarded.get(provider)) || null
  }

  /** Explains how a provider names secrets, for a name that is not found there; `null` if the names need no explanation. */
  namingAdvice(provider: string): string | null {
    const configured = this.#configured.get(provider)
    return configured === undefined ? null : namingAdvice(configured.naming)
  }

  /** Whether a vault may use providers at all. */
  permits(vault: string): boolean {
    return this.usableBy(vault).length > 0
  }

  /**
   * Resolves the members of a chain for one secret, in order. A member that cannot have such a name has no place, and the
   * sentence that says why.
   *
   * @throws {PosternError} `unavailable` if a provider cannot be used.
   */
  resolve(vault: string, chain: MappedChain & Pick<Chain, 'members'>, name: string): ChainMember[] {
    return chain.members.map((member) => {
      const guarded = this.find(vault, member.provider)
      if (guarded === null) throw refusal('provider_missing')
      const placed = this.names(vault, chain, member).place(name)
      return 'stored' in placed ? { guarded, name: placed.stored } : { guarded, name: null, problem: placed.problem }
    })
  }

  /**
   * Returns the names of the secrets of a chain at one of its members.
   *
   * @throws {PosternError} `unavailable` if the provider cannot be used.
   */
  names(vault: string, chain: MappedChain, member: Member): NameMap {
    const configured = this.#configured.get(member.provider)
    const prefix = configured === undefined ? null : prefixIn(configured, vault)
    if (configured === undefined || prefix === null || this.find(vault, member.provider) === null)
      throw refusal('provider_missing')
    return new NameMap(configured.naming, prefix, chain, member)
  }

  /**
   * Checks that a chain can work.
   *
   * @throws {PosternError} `bad_request`
   */
  check(vault: string, chain: MappedChain & Pick<Chain, 'members'>): void {
    chain.members.forEach((member, i) => {
      if (this.find(vault, member.provider) === null)
        throw badRequest(`members.${i}.provider`, 'Provider must be one that this vault may use')
      this.names(vault, chain, member).check(`members.${i}`, chain, member)
    })
  }

  /** The chain of the settings, for names that no chain of the vault covers. */
  defaultChain(vault: string): VersionedChain | null {
    const members = defaultMembers(this.#settings).map((provider) => ({ provider }))
    const [primary] = members
    // The settings see to it that the vaults of the primary may use the others.
    if (primary === undefined || this.find(vault, primary.provider) === null) return null
    const rest = {
      onNotFound: 'stop',
      onDenied: 'stop',
      cacheSeconds: 0,
      maxStaleSeconds: 0,
      replicate: false,
    } as const
    const revision = JSON.stringify([DEFAULT_CHAIN, ...members.map(({ provider }) => provider)])
    return {
      id: DEFAULT_CHAIN,
      resource: '**',
      members,
      ...rest,
      revision,
      version: 1,
      updatedAt: 0,
      updatedBy: 'settings',
    }
  }
}

/**
 * The prefix of the operator in the characters of the store; `null` if the id of the vault forms none there: `-a` would
 * run into the text before it.
 */
function prefixIn({ naming, reach }: ConfiguredProvider, vault: string): string | null {
  try {
    const own = namePrefixOf(reach, vault)
    // Written with a name after it, so that the separator is the one that the store uses for a slash.
    return own === '' ? '' : storeName(naming, `${own}x`).slice(0, -1)
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}
