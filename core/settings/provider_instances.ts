/**
 * Providers that settings configure: those with settings of their own, and instances, which the operator names:
 * `POSTERN_PROVIDERS__EU__KIND`.
 *
 * @module
 */
import * as z from 'zod/mini'
import { FIXED_PROVIDER_IDS, type FixedProviderId, isFixedProvider, PROVIDER_ID } from '../providers/chain.ts'
import { PROVIDER_KINDS, type ProviderKind } from '../providers/provider.ts'
import { ADDRESSES, KIND_SHAPES, type KindSettings } from './provider_kinds.ts'
import { prefixText, type Reach, vaultList } from './provider_reach.ts'
import {
  choice,
  describeSettings,
  firstGiven,
  givenNames,
  type SettingInfo,
  type Sources,
  settingName,
} from './reader.ts'

/** The words for fixed providers that a default chain accepts beside their ids. */
export const ALIASES: Readonly<Record<string, FixedProviderId>> = {
  aws_secrets_manager: 'aws',
  azure_key_vault: 'azure',
  hashicorp_vault: 'hashicorp',
}
/** Ids that no instance may have. `sealed` names the vault's own store in answers. */
const RESERVED = new Set(['sealed', ...FIXED_PROVIDER_IDS, ...Object.keys(ALIASES).map((word) => idOf(word))])
const PREFIX = 'POSTERN_'
const INSTANCE = /^POSTERN_PROVIDERS__([A-Z0-9]+(?:_[A-Z0-9]+)*)__([A-Z0-9]+(?:_[A-Z0-9]+)*)$/
const KINDS = PROVIDER_KINDS.join(', ')

/** The fixed providers: their kind, the prefix of their settings, and the settings that only they have. */
const FIXED: Record<FixedProviderId, { kind: ProviderKind; prefix: string; own?: Record<string, string> }> = {
  aws: { kind: 'aws', prefix: 'aws' },
  'aws-backup': { kind: 'aws', prefix: 'aws', own: { region: 'awsRegionBackup', endpoint: 'awsEndpointBackup' } },
  azure: { kind: 'azure', prefix: 'azure' },
  'azure-backup': { kind: 'azure', prefix: 'azure', own: { vaultUrl: 'azureVaultUrlBackup' } },
  hashicorp: { kind: 'hashicorp', prefix: 'hashicorp' },
  http: { kind: 'http', prefix: 'customProvider' },
  file: { kind: 'file', prefix: 'file' },
}

/** A provider that is configured, with its settings. */
export type ProviderInstance = { [K in ProviderKind]: InstanceOf<K> }[ProviderKind]

/** A provider of a kind. */
export interface InstanceOf<K extends ProviderKind> {
  id: string
  kind: K
  settings: KindSettings[K]
  reach: Reach
  isFixed: boolean
  /** The place of one of its settings in the schema. */
  path(field: string): string[]
}

/** The settings of an instance of a kind. */
export function instanceShape(kind: ProviderKind) {
  return {
    kind: choice(PROVIDER_KINDS, 'The kind of store.'),
    vaults: z.prefault(
      vaultList('The vaults that may use this provider. An administrator of such a vault reaches what it reaches.'),
      'none',
    ),
    namePrefix: z.optional(
      prefixText(
        'The prefix of every name at this provider, such as `postern/{vault}`. With more than one vault it must contain `{vault}`.',
      ),
    ),
    ...KIND_SHAPES[kind],
  }
}

/** Lists the settings of an instance of a kind, for the settings page. */
export function instanceReference(kind: ProviderKind): SettingInfo[] {
  return describeSettings(z.object(instanceShape(kind)), 'POSTERN_PROVIDERS__<NAME>__')
}

/** Instances of the sources, as a schema, and the explanation of names that are not in it. */
export interface InstanceNames {
  shape: Record<string, z.ZodMiniType>
  explain: (name: string) => string | null | undefined
}

/** Finds the instances that sources name. */
export function findInstances(sources: Sources): InstanceNames {
  const found = new Map<string, string[]>()
  for (const name of givenNames(sources)) {
    const [, instance] = INSTANCE.exec(name) ?? []
    if (instance !== undefined) found.set(instance, [...(found.get(instance) ?? []), name])
  }
  const shapes = [...found].flatMap(([instance, names]): [string, z.ZodMiniType][] => {
    const isGiven = names.some((name) => firstGiven(sources, name) !== undefined)
    const kind = kindOf(sources, instance)
    if (!isGiven || kind === undefined || objectionTo(instance) !== null) return []
    const shape = isKind(kind) ? instanceShape(kind) : { kind: choice(PROVIDER_KINDS, '') }
    return [[instance.toLowerCase(), z.object(shape)]]
  })
  const explain = (name: string) => {
    const [, instance, field] = INSTANCE.exec(name) ?? []
    if (instance === undefined || field === undefined) return explainOther(name)
    const isUnset = found.get(instance)?.every((other) => firstGiven(sources, other) === undefined)
    return isUnset ? null : explainSetting(instance, kindOf(sources, instance))
  }
  return { shape: Object.fromEntries(shapes), explain }
}

function kindOf(sources: Sources, instance: string): string | undefined {
  return firstGiven(sources, `POSTERN_PROVIDERS__${instance}__KIND`)
}

function isKind(word: string): word is ProviderKind {
  return (PROVIDER_KINDS as readonly string[]).includes(word)
}

function idOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** Why an instance cannot have a name; `null` if it can. */
function objectionTo(instance: string): string | null {
  const id = idOf(instance)
  if (RESERVED.has(id)) return `The id ${id} is reserved. Choose another name for the instance`
  return PROVIDER_ID.test(id) ? null : 'The name of an instance has at most 64 characters'
}

/** Says why a setting of an instance is unknown; `null` if the complaint about its kind says it. */
function explainSetting(instance: string, kind: string | undefined): string | null {
  const objection = objectionTo(instance)
  if (objection !== null) return objection
  if (kind === undefined) return `Has no kind. Set POSTERN_PROVIDERS__${instance}__KIND to one of ${KINDS}`
  if (!isKind(kind)) return null
  const fields = Object.keys(instanceShape(kind)).map((field) => settingName('', [field]))
  return `Unknown setting of an instance of the kind ${kind}. It has ${fields.join(', ')}`
}

function explainOther(name: string): string | undefined {
  const isInstance = /^POSTERN_PROVIDERS__.*__/i.test(name)
  return isInstance
    ? 'Unknown setting. The name of an instance is capitals and digits, with single underscores between them'
    : undefined
}

/** The providers with an address: the fixed ones, then the instances. */
export function instancesOf(settings: Reach & { instances: Readonly<Record<string, object>> }): ProviderInstance[] {
  const fixed = FIXED_PROVIDER_IDS.map((id) => fixedProvider(settings, id)).filter(({ kind, settings }) =>
    Object.hasOwn(settings, ADDRESSES[kind]),
  )
  return [...fixed, ...Object.entries(settings.instances).flatMap(([key, given]) => instance(key, given))]
}

function fixedProvider(given: Reach & object, id: FixedProviderId): ProviderInstance {
  const { kind, prefix, own = {} } = FIXED[id]
  const keyOf = (field: string) => own[field] ?? flatKey(prefix, field)
  // An invalid setting has a key, so that it does not seem to be missing.
  const entries = Object.keys(KIND_SHAPES[kind]).flatMap((field): [string, unknown][] => {
    const key = keyOf(field)
    return Object.hasOwn(given, key) ? [[field, Object(given)[key]]] : []
  })
  const path = (field: string) => ['providers', keyOf(field)]
  return { id, kind, settings: Object.fromEntries(entries), reach: given, isFixed: true, path } as ProviderInstance
}

function instance(key: string, given: object): ProviderInstance[] {
  const { kind, ...settings } = given as { kind: ProviderKind } & Reach
  if (!isKind(kind)) return []
  const { vaults = [], namePrefix } = settings
  const path = (field: string) => ['providers', 'instances', key, field]
  const reach = { vaults, namePrefix }
  return [{ id: idOf(key), kind, settings, reach, isFixed: false, path } as ProviderInstance]
}

/** The name of a setting of an instance, for operators. */
export function nameOfSetting({ path }: Pick<ProviderInstance, 'path'>, field: string): string {
  return settingName(PREFIX, path(field))
}

/** The setting that configures the provider with this id. */
export function addressSettingOf(id: string): string {
  if (!isFixedProvider(id)) return `POSTERN_PROVIDERS__${id.toUpperCase().replaceAll('-', '_')}__KIND`
  const { kind, prefix, own } = FIXED[id]
  return settingName(PREFIX, ['providers', own?.[ADDRESSES[kind]] ?? flatKey(prefix, ADDRESSES[kind])])
}

function flatKey(prefix: string, field: string): string {
  return prefix + field.charAt(0).toUpperCase() + field.slice(1)
}

type Flat<P extends string, S> = { [F in keyof S & string as `${P}${Capitalize<F>}`]: S[F] }

/** The settings of a kind under a prefix, as the fixed providers have them. */
export function flat<P extends string, S extends Record<string, z.ZodMiniType>>(prefix: P, shape: S): Flat<P, S> {
  const entries = Object.entries(shape).map(([field, setting]) => [flatKey(prefix, field), setting])
  return Object.fromEntries(entries) as Flat<P, S>
}
