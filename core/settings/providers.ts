/**
 * What can be set about providers: `POSTERN_PROVIDERS__…`. Which secrets they keep is said by a vault's chains.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseName, parseVaultId } from '../names.ts'
import { PROVIDER_IDS, type ProviderId } from '../providers/chain.ts'
import { Redacted } from '../redacted.ts'
import { choice, flag, list, pattern, secret, text, whole } from './reader.ts'

const VAULT_MARK = '{vault}'
/** How the specification calls them. */
const ALIASES: Record<string, ProviderId> = {
  aws_secrets_manager: 'aws',
  azure_key_vault: 'azure',
  hashicorp_vault: 'hashicorp',
}
const WORDS = [...PROVIDER_IDS, ...Object.keys(ALIASES)] as readonly string[]

const hidden = (description: string) => secret((given) => new Redacted(given), 'text', description)
const member = (description: string) => choice(WORDS, description)

export const ProviderSettings = z.object({
  vaults: z.prefault(
    list(
      (item) => parseVaultId(item),
      'vault ids',
      'The vaults that may use the providers. The credentials are yours: whoever administers one of these vaults reaches what they reach, below `namePrefix`.',
    ),
    'default',
  ),
  namePrefix: z.optional(
    pattern(
      /^(?:[a-z0-9][a-z0-9_.-]*|\{vault\})(?:\/(?:[a-z0-9][a-z0-9_.-]*|\{vault\})){0,3}$/,
      'What stands before every name at every provider, such as `postern/{vault}`; no vault reaches anything else. With more than one vault it must have `{vault}`.',
    ),
  ),
  primaryProvider: z.optional(
    member('Keeps all secrets that no chain of a vault covers. When not given, the sealed store does.'),
  ),
  secondaryProvider: z.optional(member('Is asked when the primary cannot be reached.')),
  tertiaryProvider: z.optional(member('Is asked when the others cannot be reached.')),
  deadlineMs: z.optional(
    whole(
      100,
      600_000,
      'How long a read through all providers of a chain may take, in milliseconds; less than the whole request. Four fifths of it when not given.',
    ),
  ),
  attemptMs: z.prefault(whole(50, 600_000, 'How long one provider may take, in milliseconds.'), '2500'),
  recoveryMs: z.prefault(
    whole(
      10,
      60_000,
      'The longest time after which a provider that failed is tried again, in milliseconds; it doubles up to a minute.',
    ),
    '5000',
  ),
  allowLoopback: z.prefault(flag('Lets providers be on this machine, over http: for development.'), 'false'),

  awsRegion: z.optional(text('The region of AWS Secrets Manager that `aws` is, such as `eu-central-1`.')),
  awsRegionBackup: z.optional(text('The region that `aws-backup` is: a replica of the first.')),
  awsAccessKeyId: z.optional(hidden('An access key of AWS.')),
  awsSecretAccessKey: z.optional(hidden('Its secret.')),
  awsSessionToken: z.optional(hidden('With keys that end: their session token.')),
  awsRoleArn: z.optional(text('In place of keys: a role to take on with the token of an identity provider.')),
  awsWebIdentityToken: z.optional(hidden('That token.')),
  awsWebIdentityTokenFile: z.optional(text('Or the file that holds it, read anew each time.')),
  awsEndpoint: z.optional(text("In place of the region's own endpoint: a VPC endpoint, or an emulator.")),
  awsEndpointBackup: z.optional(text('The same for `aws-backup`.')),
  awsStsEndpoint: z.optional(text("In place of the region's own endpoint of STS.")),

  azureVaultUrl: z.optional(text('The address of the Key Vault that `azure` is: `https://NAME.vault.azure.net`.')),
  azureVaultUrlBackup: z.optional(text('The address of the one that `azure-backup` is.')),
  azureTenantId: z.optional(text('The directory of Entra ID.')),
  azureClientId: z.optional(text('The application of Entra ID.')),
  azureClientSecret: z.optional(hidden('A secret of the application.')),
  azureFederatedToken: z.optional(
    hidden('In place of a secret: a token of an identity provider that the application trusts.'),
  ),
  azureFederatedTokenFile: z.optional(text('Or the file that holds it, read anew each time.')),
  azureTokenEndpoint: z.optional(text('In place of `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`.')),
  azureResource: z.optional(text('In place of `https://vault.azure.net`: another cloud.')),

  hashicorpVaultUrl: z.optional(text('The address of HashiCorp Vault or OpenBao: `https://vault.example:8200`.')),
  hashicorpVaultToken: z.optional(hidden('A token.')),
  hashicorpNamespace: z.optional(text('The namespace.')),
  hashicorpMount: z.prefault(text('Where the KV engine is mounted.'), 'secret'),
  hashicorpKvVersion: z.optional(
    choice(['1', '2'], 'The version of the KV engine; asked of the server when not given.'),
  ),
  hashicorpAuthMount: z.optional(text('Where the AppRole or JWT method is mounted, when elsewhere than usual.')),
  hashicorpRoleId: z.optional(text('In place of a token: an AppRole.')),
  hashicorpSecretId: z.optional(hidden('Its secret id.')),
  hashicorpJwtRole: z.optional(text('In place of a token: a role of the JWT or Kubernetes method.')),
  hashicorpJwt: z.optional(hidden('The JWT to log in with.')),
  hashicorpJwtFile: z.optional(text('Or the file that holds it, read anew each time.')),

  customProviderUrl: z.optional(
    text('The address of any HTTP store, with `{name}` where the name goes; at the end when there is none.'),
  ),
  customProviderToken: z.optional(hidden('Sent to it as `Authorization: Bearer`, or as the header that is named.')),
  customProviderHeader: z.optional(text('The header that the token is sent as, alone.')),
  customProviderPointer: z.prefault(text('Where the value is in the answer: a JSON pointer.'), '/value'),
  customProviderVersionPointer: z.optional(text('Where its version is; the `ETag` when not given.')),
  customProviderListUrl: z.optional(text('The address of its list of names.')),

  filePath: z.optional(text('A file of secrets, `.json` or `.env`, for development. Refused in production.')),
})

export type ProviderSettings = Readonly<z.output<typeof ProviderSettings>>

/** The providers that keep what no chain of a vault covers, the primary first. */
export function defaultMembers(settings: ProviderSettings): ProviderId[] {
  const { primaryProvider, secondaryProvider, tertiaryProvider } = settings
  return [primaryProvider, secondaryProvider, tertiaryProvider].flatMap((word) =>
    word === undefined ? [] : [ALIASES[word] ?? (word as ProviderId)],
  )
}

/** The vault's part of {@link ProviderSettings.namePrefix}, in our own grammar and with a slash behind it. */
export function namePrefixOf({ namePrefix }: ProviderSettings, vault: string): string {
  return namePrefix === undefined ? '' : `${parseName(namePrefix.replaceAll(VAULT_MARK, vault))}/`
}

/** Whether vaults that may use the providers are kept apart there. */
export function keepsVaultsApart({ vaults, namePrefix }: Pick<ProviderSettings, 'vaults' | 'namePrefix'>): boolean {
  return vaults.length <= 1 || namePrefix?.split('/').includes(VAULT_MARK) === true
}
