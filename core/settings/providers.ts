/**
 * Settings for providers: `POSTERN_PROVIDERS__…`. The chains of a vault decide which secrets they keep.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseName, parseVaultId } from '../names.ts'
import { PROVIDER_IDS, type ProviderId } from '../providers/chain.ts'
import { choice, flag, list, parseCredential, pattern, secret, text, whole } from './reader.ts'

const VAULT_MARK = '{vault}'
/** Long names of providers. */
const ALIASES: Record<string, ProviderId> = {
  aws_secrets_manager: 'aws',
  azure_key_vault: 'azure',
  hashicorp_vault: 'hashicorp',
}
const WORDS = [...PROVIDER_IDS, ...Object.keys(ALIASES)] as readonly string[]

const hidden = (description: string) => secret(parseCredential, 'text', description)
const member = (description: string) => choice(WORDS, description)

/** Settings for providers. */
export const ProviderSettings = z.object({
  vaults: z.prefault(
    list(
      (item) => parseVaultId(item),
      'vault ids',
      'The vaults that may use the providers. An administrator of such a vault can reach everything below `namePrefix` that the credentials of the server can reach.',
    ),
    'default',
  ),
  namePrefix: z.optional(
    pattern(
      /^(?:[a-z0-9][a-z0-9_.-]*|\{vault\})(?:\/(?:[a-z0-9][a-z0-9_.-]*|\{vault\})){0,3}$/,
      'The prefix of every name at every provider, such as `postern/{vault}`. A vault reaches nothing outside its prefix. With more than one vault it must contain `{vault}`.',
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

  awsRegion: z.optional(text('The AWS Secrets Manager region of `aws`, such as `eu-central-1`.')),
  awsRegionBackup: z.optional(text('The region of `aws-backup`, a replica of the first.')),
  awsAccessKeyId: z.optional(hidden('The AWS access key id.')),
  awsSecretAccessKey: z.optional(hidden('The AWS secret access key.')),
  awsSessionToken: z.optional(hidden('The session token of temporary credentials.')),
  awsRoleArn: z.optional(text('A role to assume with a web identity token, instead of keys.')),
  awsWebIdentityToken: z.optional(hidden('The web identity token.')),
  awsWebIdentityTokenFile: z.optional(text('A file with the web identity token, read at each use.')),
  awsEndpoint: z.optional(
    text("The endpoint of Secrets Manager, instead of the region's: a VPC endpoint or an emulator."),
  ),
  awsEndpointBackup: z.optional(text('The endpoint of Secrets Manager for `aws-backup`.')),
  awsStsEndpoint: z.optional(text("The endpoint of STS, instead of the region's.")),

  azureVaultUrl: z.optional(text('The URL of the Key Vault of `azure`: `https://NAME.vault.azure.net`.')),
  azureVaultUrlBackup: z.optional(text('The URL of the Key Vault of `azure-backup`.')),
  azureTenantId: z.optional(text('The Entra ID tenant.')),
  azureClientId: z.optional(text('The Entra ID application (client) id.')),
  azureClientSecret: z.optional(hidden('A client secret of the application.')),
  azureFederatedToken: z.optional(
    hidden('A token of an identity provider that the application trusts, instead of a client secret.'),
  ),
  azureFederatedTokenFile: z.optional(text('A file with the federated token, read at each use.')),
  azureTokenEndpoint: z.optional(
    text('The token endpoint, instead of `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`.'),
  ),
  azureResource: z.optional(text('The resource of another Azure cloud, instead of `https://vault.azure.net`.')),

  hashicorpVaultUrl: z.optional(text('The URL of HashiCorp Vault or OpenBao: `https://vault.example:8200`.')),
  hashicorpVaultToken: z.optional(hidden('A Vault token.')),
  hashicorpNamespace: z.optional(text('The Vault namespace.')),
  hashicorpMount: z.prefault(text('The mount path of the KV engine.'), 'secret'),
  hashicorpKvVersion: z.optional(choice(['1', '2'], 'The version of the KV engine. Detected if not set.')),
  hashicorpAuthMount: z.optional(text('The mount path of the AppRole or JWT auth method, if it is not the default.')),
  hashicorpRoleId: z.optional(text('An AppRole role id, instead of a token.')),
  hashicorpSecretId: z.optional(hidden('The AppRole secret id.')),
  hashicorpJwtRole: z.optional(text('A role of the JWT or Kubernetes auth method, instead of a token.')),
  hashicorpJwt: z.optional(hidden('The JWT for that role.')),
  hashicorpJwtFile: z.optional(text('A file with that JWT, read at each login.')),

  customProviderUrl: z.optional(
    text('The URL of an HTTP store. `{name}` marks the place of the name; by default it is appended.'),
  ),
  customProviderToken: z.optional(
    hidden('The token for the HTTP store, sent as `Authorization: Bearer` unless a header is set.'),
  ),
  customProviderHeader: z.optional(text('The header for the token, which is its whole value.')),
  customProviderPointer: z.prefault(text('A JSON pointer to the value in the answer.'), '/value'),
  customProviderVersionPointer: z.optional(
    text('A JSON pointer to the version in the answer. Defaults to the `ETag`.'),
  ),
  customProviderListUrl: z.optional(text('The URL that lists the names of the HTTP store.')),

  filePath: z.optional(text('A `.json` or `.env` file of secrets. For development; refused in production.')),
  fileNames: z.prefault(
    choice(
      ['exact', 'upper'],
      'The keys of a `.env` file of secrets. `exact`: the key `DATABASE_URL` is the secret `DATABASE_URL`. `upper`: it is the secret `database_url`, and `PROD__DB` is `prod/db`, as in 0.1.',
    ),
    'exact',
  ),
})

/** Settings for providers, as parsed. */
export type ProviderSettings = Readonly<z.output<typeof ProviderSettings>>

/** Returns the providers of secrets that no chain covers, the primary first. */
export function defaultMembers(settings: ProviderSettings): ProviderId[] {
  const { primaryProvider, secondaryProvider, tertiaryProvider } = settings
  return [primaryProvider, secondaryProvider, tertiaryProvider].flatMap((word) =>
    word === undefined ? [] : [ALIASES[word] ?? (word as ProviderId)],
  )
}

/** Returns {@link ProviderSettings.namePrefix} for a vault, in Postern's grammar of names, with a trailing slash. */
export function namePrefixOf({ namePrefix }: ProviderSettings, vault: string): string {
  return namePrefix === undefined ? '' : `${parseName(namePrefix.replaceAll(VAULT_MARK, vault))}/`
}

/** Whether each vault has its own prefix at the providers. */
export function keepsVaultsApart({ vaults, namePrefix }: Pick<ProviderSettings, 'vaults' | 'namePrefix'>): boolean {
  return vaults.length <= 1 || namePrefix?.split('/').includes(VAULT_MARK) === true
}
