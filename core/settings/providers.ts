/**
 * Settings for providers: `POSTERN_PROVIDERS__…`. The chains of a vault decide which secrets they keep.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PosternError } from '../errors.ts'
import { parsePrivateRange } from '../http/address_guard.ts'
import { checkRegion } from '../providers/aws/regions.ts'
import { PROVIDER_ID } from '../providers/chain.ts'
import { ALIASES, flat } from './provider_instances.ts'
import { KIND_SHAPES } from './provider_kinds.ts'
import { prefixText, vaultList } from './provider_reach.ts'
import { checked, flag, list, text, whole } from './reader.ts'

const member = (description: string) => checked(checkMember, description)

/** Settings for providers. */
export const ProviderSettings = z.object({
  vaults: z.prefault(
    vaultList(
      'The vaults that may use the providers with settings of their own, not instances. An administrator of such a vault can reach everything below `namePrefix` that the credentials of the server can reach.',
    ),
    'default',
  ),
  namePrefix: z.optional(
    prefixText(
      'The prefix of every name at these providers, such as `postern/{vault}`. A vault reaches nothing outside its prefix. With more than one vault it must contain `{vault}`.',
    ),
  ),
  primaryProvider: z.optional(
    member('The provider of all secrets that no chain covers. Defaults to the sealed store.'),
  ),
  secondaryProvider: z.optional(member('The provider to use while the primary is unavailable.')),
  tertiaryProvider: z.optional(member('The provider to use while the primary and the secondary are unavailable.')),
  deadlineMs: z.optional(
    whole(
      100,
      600_000,
      'The time limit for a read through all providers of a chain, in milliseconds. Less than `requestTimeoutMs`; defaults to four fifths of it.',
    ),
  ),
  attemptMs: z.prefault(whole(50, 600_000, 'The time limit of one provider, in milliseconds.'), '2500'),
  recoveryMs: z.prefault(
    whole(
      10,
      60_000,
      'The longest first delay before a failed provider is tried again, in milliseconds. It doubles up to a minute.',
    ),
    '5000',
  ),
  allowLoopback: z.prefault(flag('Allow providers on this machine over http. For development.'), 'false'),
  privateRanges: z.prefault(
    list(
      parsePrivateRange,
      'address ranges',
      "Private ranges, such as `10.0.0.0/8,fd00::/8`, in which the URLs of providers and the operator's other URLs may have an address, over https. Names are not affected.",
    ),
    '',
  ),

  ...flat('aws', KIND_SHAPES.aws),
  awsRegionBackup: z.optional(checked(checkRegion, 'The region of `aws-backup`, a replica of the first.')),
  awsEndpointBackup: z.optional(text('The endpoint of Secrets Manager for `aws-backup`.')),
  ...flat('azure', KIND_SHAPES.azure),
  azureVaultUrlBackup: z.optional(text('The URL of the Key Vault of `azure-backup`.')),
  ...flat('hashicorp', KIND_SHAPES.hashicorp),
  ...flat('customProvider', KIND_SHAPES.http),
  ...flat('file', KIND_SHAPES.file),
  /** The settings of each instance, by its name in lower case. See {@link findInstances}. */
  instances: z.prefault(z.object({}) as z.ZodMiniType<Record<string, object>, object>, {}),
})

/** Settings for providers, as parsed. */
export type ProviderSettings = Readonly<z.output<typeof ProviderSettings>>

/** Returns the providers of secrets that no chain covers, the primary first. */
export function defaultMembers(
  settings: Pick<ProviderSettings, 'primaryProvider' | 'secondaryProvider' | 'tertiaryProvider'>,
): string[] {
  const { primaryProvider, secondaryProvider, tertiaryProvider } = settings
  return [primaryProvider, secondaryProvider, tertiaryProvider].flatMap((word) =>
    word === undefined ? [] : [ALIASES[word] ?? word],
  )
}

/** The address of a secret at an HTTP store, with `{name}`. */
export function urlTemplateOf(url: string): string {
  return url.includes('{name}') ? url : `${url.replace(/\/$/, '')}/{name}`
}

function checkMember(word: string): void {
  if (Object.hasOwn(ALIASES, word) || PROVIDER_ID.test(word)) return
  throw new PosternError('bad_request', 'Must be the id of a provider, in lower case with "-"')
}
