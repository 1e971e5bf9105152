/**
 * What can be set about providers: `POSTERN_PROVIDERS__…`. Which secrets they keep is said by a vault's chains.
 *
 * @module
 */
import * as z from 'zod'
import { Redacted } from '../redacted.ts'
import { parseName, parseVaultId } from '../secrets/name.ts'
import { choice, flag, list, pattern, secret, text, whole } from '../settings_reader.ts'
import { PROVIDER_IDS, type ProviderId } from './chain.ts'

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
  vaults: list(
    (item) => parseVaultId(item),
    'vault ids',
    'The vaults that may use the providers. The credentials are yours: whoever administers one of these vaults reaches what they reach, below `namePrefix`.',
  ).prefault('default'),
  namePrefix: pattern(
    /^(?:[a-z0-9][a-z0-9_.-]*|\{vault\})(?:\/(?:[a-z0-9][a-z0-9_.-]*|\{vault\})){0,3}$/,
    'What stands before every name at every provider, such as `postern/{vault}`; no vault reaches anything else. With more than one vault it must have `{vault}`.',
  ).optional(),
  primaryProvider: member(
    'Keeps all secrets that no chain of a vault covers. When not given, the sealed store does.',
  ).optional(),
  secondaryProvider: member('Is asked when the primary cannot be reached.').optional(),
  tertiaryProvider: member('Is asked when the others cannot be reached.').optional(),
  deadlineMs: whole(
    100,
    600_000,
    'How long a read through all providers of a chain may take, in milliseconds; less than the whole request. Four fifths of it when not given.',
  ).optional(),
  attemptMs: whole(50, 600_000, 'How long one provider may take, in milliseconds.').prefault('2500'),
  recoveryMs: whole(
    10,
    60_000,
    'The longest time after which a provider that failed is tried again, in milliseconds; it doubles up to a minute.',
  ).prefault('5000'),
  allowLoopback: flag('Lets providers be on this machine, over http: for development.').prefault('false'),

  awsRegion: text('The region of AWS Secrets Manager that `aws` is, such as `eu-central-1`.').optional(),
  awsRegionBackup: text('The region that `aws-backup` is: a replica of the first.').optional(),
  awsAccessKeyId: hidden('An access key of AWS.').optional(),
  awsSecretAccessKey: hidden('Its secret.').optional(),
  awsSessionToken: hidden('With keys that end: their session token.').optional(),
  awsRoleArn: text('In place of keys: a role to take on with the token of an identity provider.').optional(),
  awsWebIdentityToken: hidden('That token.').optional(),
  awsWebIdentityTokenFile: text('Or the file that holds it, read anew each time.').optional(),
  awsEndpoint: text("In place of the region's own endpoint: a VPC endpoint, or an emulator.").optional(),
  awsEndpointBackup: text('The same for `aws-backup`.').optional(),
  awsStsEndpoint: text("In place of the region's own endpoint of STS.").optional(),

  azureVaultUrl: text('The address of the Key Vault that `azure` is: `https://NAME.vault.azure.net`.').optional(),
  azureVaultUrlBackup: text('The address of the one that `azure-backup` is.').optional(),
  azureTenantId: text('The directory of Entra ID.').optional(),
  azureClientId: text('The application of Entra ID.').optional(),
  azureClientSecret: hidden('A secret of the application.').optional(),
  azureFederatedToken: hidden(
    'In place of a secret: a token of an identity provider that the application trusts.',
  ).optional(),
  azureFederatedTokenFile: text('Or the file that holds it, read anew each time.').optional(),
  azureTokenEndpoint: text('In place of `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`.').optional(),
  azureResource: text('In place of `https://vault.azure.net`: another cloud.').optional(),

  hashicorpVaultUrl: text('The address of HashiCorp Vault or OpenBao: `https://vault.example:8200`.').optional(),
  hashicorpVaultToken: hidden('A token.').optional(),
  hashicorpNamespace: text('The namespace.').optional(),
  hashicorpMount: text('Where the KV engine is mounted.').prefault('secret'),
  hashicorpKvVersion: choice(
    ['1', '2'],
    'The version of the KV engine; asked of the server when not given.',
  ).optional(),
  hashicorpAuthMount: text('Where the AppRole or JWT method is mounted, when elsewhere than usual.').optional(),
  hashicorpRoleId: text('In place of a token: an AppRole.').optional(),
  hashicorpSecretId: hidden('Its secret id.').optional(),
  hashicorpJwtRole: text('In place of a token: a role of the JWT or Kubernetes method.').optional(),
  hashicorpJwt: hidden('The JWT to log in with.').optional(),
  hashicorpJwtFile: text('Or the file that holds it, read anew each time.').optional(),

  customProviderUrl: text(
    'The address of any HTTP store, with `{name}` where the name goes; at the end when there is none.',
  ).optional(),
  customProviderToken: hidden('Sent to it as `Authorization: Bearer`, or as the header that is named.').optional(),
  customProviderHeader: text('The header that the token is sent as, alone.').optional(),
  customProviderPointer: text('Where the value is in the answer: a JSON pointer.').prefault('/value'),
  customProviderVersionPointer: text('Where its version is; the `ETag` when not given.').optional(),
  customProviderListUrl: text('The address of its list of names.').optional(),

  filePath: text('A file of secrets, `.json` or `.env`, for development. Refused in production.').optional(),
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
