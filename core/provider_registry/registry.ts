/**
 * The providers of a server, and the names under which a vault may use each of them.
 *
 * @module
 */
import { badRequest, PosternError, refusal } from '../errors.ts'
import type { Chain, Member, VersionedChain } from '../providers/chain.ts'
import type { ReportEvent } from '../providers/condition.ts'
import type { ResolvedMember } from '../providers/failover.ts'
import { GuardedProvider } from '../providers/guarded_provider.ts'
import { type Naming, namingAdvice, secretName, storeName } from '../providers/store_names.ts'
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
   * Resolves the members of a chain for one secret, in order. A later member that cannot have such a name is left out,
   * because it cannot have the secret.
   *
   * @throws {PosternError} `bad_request` if the primary cannot have such a name; `unavailable` if a provider cannot be
   *   used.
   */
  resolve(vault: string, { members }: Pick<Chain, 'members'>, name: string): ResolvedMember[] {
    return members.flatMap((member, i) => {
      const guarded = this.find(vault, member.provider)
      if (guarded === null) throw refusal('provider_missing')
      const configured = this.#configured.get(member.provider)!
      const { naming } = configured
      const prefix = prefixAt(configured, vault, member)
      const stored = i === 0 ? storeName(naming, name, prefix) : storeNameOrNull(naming, name, prefix)
      return stored === null ? [] : [{ guarded, name: stored }]
    })
  }

  /** The prefix of the names of a chain at one of its providers, and the way back from a name there. */
  names(vault: string, member: Member, prefix: string) {
    if (this.find(vault, member.provider) === null) throw refusal('provider_missing')
    const configured = this.#configured.get(member.provider)!
    const { naming } = configured
    const before = prefixAt(configured, vault, member)
    return {
      prefix: before + prefixOf(naming, prefix),
      nameOf: (stored: string) => secretName(naming, stored, before),
    }
  }

  /**
   * Checks that a chain can work.
   *
   * @throws {PosternError} `bad_request`
   */
  check(vault: string, { members }: Pick<Chain, 'members'>): void {
    members.forEach((member, i) => {
      const field = `members.${i}.provider`
      if (this.find(vault, member.provider) === null)
        throw badRequest(field, 'Provider must be one that this vault may use')
      try {
        this.resolve(vault, { members: [member] }, 'a')
      } catch (error) {
        if (!(error instanceof PosternError)) throw error
        throw badRequest(`members.${i}.prefix`, 'Prefix must be in letters of the provider')
      }
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

/** The prefix of the operator in the characters of the store, then the prefix of the chain. */
function prefixAt(configured: ConfiguredProvider, vault: string, { prefix = '' }: Member): string {
  const own = prefixIn(configured, vault)
  if (own === null) throw refusal('provider_missing')
  return own + prefix
}

function storeNameOrNull(naming: Naming, name: string, prefix: string): string | null {
  try {
    return storeName(naming, name, prefix)
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}

/** Writes a prefix in the characters of the store. */
function prefixOf(naming: Naming, prefix: string): string {
  if (prefix === '') return ''
  const whole = prefix.replace(/(?<![/.-])[/.-]+$/, '')
  return prefix.endsWith('/') ? storeName(naming, `${whole}/x`).slice(0, -1) : storeName(naming, whole)
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
