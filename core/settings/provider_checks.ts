/**
 * Checks of the settings of providers that concern more than one of them.
 *
 * @module
 */
import { PosternError } from '../errors.ts'
import { awsDomain } from '../providers/aws/regions.ts'
import { AZURE_RESOURCE, checkVaultHost } from '../providers/azure/api.ts'
import { checkListUrl, checkUrlTemplate } from '../providers/http/provider.ts'
import { identityOrigin } from '../providers/machine_identity.ts'
import type { ProviderKind } from '../providers/provider.ts'
import { type ProviderOptions, parseBaseUrl } from '../providers/request.ts'
import { addressSettingOf, instancesOf, type ProviderInstance } from './provider_instances.ts'
import { type KindSettings, type Lack, lacksOf } from './provider_kinds.ts'
import { keepsVaultsApart } from './provider_reach.ts'
import { defaultMembers, type ProviderSettings, urlTemplateOf } from './providers.ts'

/** A flaw of a setting. */
export interface SettingProblem {
  path: string[]
  message: string
}

/** Finds all that is wrong with the settings of providers, apart from the form of each. */
export function problemsOf(settings: ProviderSettings, environment: string): SettingProblem[] {
  const all = instancesOf(settings)
  const own = all.flatMap((one) => {
    const lacks = [...lacksOf(one.kind, one.settings), ...addressProblems(one, settings), ...placeProblems(one)]
    const production = one.kind === 'file' && environment === 'production'
    const forbidden: Lack[] = production ? [['path', 'Must not be set in production']] : []
    return [...forbidden, ...lacks].map(([field, message]) => ({ path: one.path(field), message }))
  })
  return [...own, ...defaultProblems(settings, all)]
}

function placeProblems({ isFixed, reach }: ProviderInstance): Lack[] {
  if (isFixed || keepsVaultsApart(reach)) return []
  return [['namePrefix', 'Must have the segment {vault} if more than one vault may use the provider']]
}

/** Addresses are checked here, since a setting decides whether they may be on this machine. */
function addressProblems({ kind, settings }: ProviderInstance, options: ProviderOptions): Lack[] {
  const urls = Object.entries(ADDRESS_CHECKS[kind])
  return urls.flatMap(([field, check]): Lack[] => {
    const given = Object(settings)[field]
    if (typeof given !== 'string') return []
    const message = messageOf(() => check(given, settings as never, options))
    return message === null ? [] : [[field, message]]
  })
}

type AddressCheck<K extends ProviderKind> = (given: string, settings: KindSettings[K], options: ProviderOptions) => void

const baseUrl: AddressCheck<ProviderKind> = (given, _, options) => void parseBaseUrl(given, 'url', options)
const ADDRESS_CHECKS: { [K in ProviderKind]: { [F in keyof KindSettings[K]]?: AddressCheck<K> } } = {
  aws: {
    endpoint: baseUrl,
    stsEndpoint: baseUrl,
    metadataEndpoint: (given) => void identityOrigin(given, 'metadataEndpoint'),
    region(given, { endpoint, roleArn, stsEndpoint }) {
      if (endpoint === undefined || (roleArn !== undefined && stsEndpoint === undefined)) awsDomain(given)
    },
  },
  azure: {
    tokenEndpoint: baseUrl,
    resource: baseUrl,
    vaultUrl(given, { resource = AZURE_RESOURCE }, options) {
      const vaultUrl = parseBaseUrl(given, 'vaultUrl', options)
      if (URL.canParse(resource)) checkVaultHost(vaultUrl, resource, options)
    },
  },
  hashicorp: { vaultUrl: baseUrl },
  google: { endpoint: baseUrl, tokenEndpoint: baseUrl },
  http: {
    url: (given, _, options) => checkUrlTemplate(urlTemplateOf(given), options),
    listUrl: (given, _, options) => checkListUrl(given, options),
  },
  file: {},
}

function messageOf(check: () => void): string | null {
  try {
    check()
    return null
  } catch (error) {
    if (error instanceof PosternError) return error.message
    throw error
  }
}

const RANKS = ['primaryProvider', 'secondaryProvider', 'tertiaryProvider'] as const

/** A default member that is not configured would be passed over, and writes would go to another store. */
function defaultProblems(settings: ProviderSettings, all: ProviderInstance[]): SettingProblem[] {
  const [primary, ...rest] = defaultMembers(settings)
  const vaultsOf = (id: string | undefined) => all.find((one) => one.id === id)?.reach.vaults ?? []
  return [primary, ...rest].flatMap((id, i): SettingProblem[] => {
    const path = ['providers', RANKS[i]!]
    if (id === undefined) return []
    if (!all.some((one) => one.id === id)) {
      const advice = `Set ${addressSettingOf(id)}, or name another provider`
      return [{ path, message: `Names ${id}, which is not configured. ${advice}` }]
    }
    const left = vaultsOf(primary).filter((vault) => !vaultsOf(id).includes(vault))
    return left.length === 0 ? [] : [{ path, message: `Names ${id}, which the vault ${left[0]} may not use` }]
  })
}
