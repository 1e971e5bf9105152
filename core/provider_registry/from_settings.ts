/**
 * Creates the configured providers from the settings.
 *
 * @module
 */
import { type Bytes, parseUtf8 } from '../bytes.ts'
import { badRequest, PosternError } from '../errors.ts'
import { AwsProvider } from '../providers/aws/provider.ts'
import { AzureProvider } from '../providers/azure/provider.ts'
import type { ProviderId } from '../providers/chain.ts'
import type { TokenSource } from '../providers/credentials.ts'
import { HashicorpProvider } from '../providers/hashicorp/provider.ts'
import { HttpProvider } from '../providers/http/provider.ts'
import { type Provider, ProviderFailure } from '../providers/provider.ts'
import type { ProviderOptions } from '../providers/request.ts'
import type { Naming } from '../providers/store_names.ts'
import { Redacted } from '../redacted.ts'
import { defaultMembers, type ProviderSettings } from '../settings/providers.ts'
import { parseCredentialFile } from '../settings/reader.ts'

/** Files of this machine, where there are any. */
export interface LocalFiles {
  /** Reads a file; `null` when there is none. */
  read: (path: string) => Promise<Bytes | null>
  /** A file of secrets as a store: given from where there are files, so that Workers go without its code. */
  store: (path: string) => Provider
}

/** What providers are made with beside settings. */
export interface ProviderResources extends ProviderOptions {
  /** `null` on Workers. */
  files: LocalFiles | null
}

/** The setting that configures each provider. */
const ADDRESSES: Record<ProviderId, string> = {
  aws: 'AWS_REGION',
  'aws-backup': 'AWS_REGION_BACKUP',
  azure: 'AZURE_VAULT_URL',
  'azure-backup': 'AZURE_VAULT_URL_BACKUP',
  hashicorp: 'HASHICORP_VAULT_URL',
  http: 'CUSTOM_PROVIDER_URL',
  file: 'FILE_PATH',
}

const RANKS = ['PRIMARY', 'SECONDARY', 'TERTIARY'] as const

/** A provider, and how names are written in its store. */
export interface ConfiguredProvider {
  provider: Provider
  naming: Naming
}

/**
 * Makes the providers that settings configure.
 *
 * @throws {PosternError} `bad_request` naming the provider, for a configuration that cannot work.
 */
export function configuredProviders(
  settings: ProviderSettings,
  means: ProviderResources,
): Map<ProviderId, ConfiguredProvider> {
  const options = { ...means, allowLoopback: settings.allowLoopback }
  const found = new Map<ProviderId, ConfiguredProvider>()
  const add = (id: ProviderId, naming: Naming, given: string | undefined, make: (given: string) => Provider) => {
    if (given !== undefined) found.set(id, { provider: named(id, () => make(given)), naming })
  }
  const aws = (endpoint: string | undefined) => (region: string) =>
    new AwsProvider({ region, credentials: awsCredentialsOf(settings, means), ...(endpoint && { endpoint }) }, options)
  const azure = (vaultUrl: string) => new AzureProvider({ vaultUrl, ...azureAccessOf(settings, means) }, options)
  add('aws', 'aws', settings.awsRegion, aws(settings.awsEndpoint))
  add('aws-backup', 'aws', settings.awsRegionBackup, aws(settings.awsEndpointBackup))
  add('azure', 'azure', settings.azureVaultUrl, azure)
  add('azure-backup', 'azure', settings.azureVaultUrlBackup, azure)
  add('hashicorp', 'hashicorp', settings.hashicorpVaultUrl, (address) => {
    return new HashicorpProvider({ address, ...hashicorpAccessOf(settings, means) }, options)
  })
  add('http', 'http', settings.customProviderUrl, (url) => new HttpProvider(httpConfigOf(settings, url), options))
  add('file', fileNamingOf(settings), settings.filePath, (path) => filesOf(means, 'filePath').store(path))
  checkDefaultMembers(settings, found)
  return found
}

/** A default member that is not configured would be passed over, and writes would go to another store. */
function checkDefaultMembers(settings: ProviderSettings, found: ReadonlyMap<ProviderId, ConfiguredProvider>): void {
  for (const [i, id] of defaultMembers(settings).entries()) {
    if (found.has(id)) continue
    throw new PosternError(
      'bad_request',
      `POSTERN_PROVIDERS__${RANKS[i]}_PROVIDER: Names ${id}, which is not configured. Set POSTERN_PROVIDERS__${ADDRESSES[id]}, or name another provider`,
    )
  }
}

function fileNamingOf({ filePath, fileNames }: ProviderSettings): Naming {
  if (filePath?.endsWith('.json')) return 'json'
  return fileNames === 'upper' ? 'env-upper' : 'env'
}

function awsCredentialsOf(settings: ProviderSettings, means: ProviderResources) {
  const { awsRoleArn, awsAccessKeyId, awsSecretAccessKey, awsSessionToken, awsStsEndpoint } = settings
  if (awsRoleArn !== undefined) {
    const token = sourceOf(settings.awsWebIdentityToken, settings.awsWebIdentityTokenFile, means, 'awsWebIdentityToken')
    const about = { roleArn: awsRoleArn, sessionName: 'postern', token }
    return { kind: 'web_identity' as const, ...about, ...(awsStsEndpoint && { stsEndpoint: awsStsEndpoint }) }
  }
  const secretAccessKey = given(awsSecretAccessKey, 'awsSecretAccessKey')
  const accessKeyId = given(awsAccessKeyId, 'awsAccessKeyId').reveal()
  return {
    kind: 'static' as const,
    accessKeyId,
    secretAccessKey,
    ...(awsSessionToken && { sessionToken: awsSessionToken }),
  }
}

function azureAccessOf(settings: ProviderSettings, means: ProviderResources) {
  const { azureClientSecret, azureFederatedToken, azureFederatedTokenFile, azureTokenEndpoint, azureResource } =
    settings
  return {
    tenantId: given(settings.azureTenantId, 'azureTenantId'),
    clientId: given(settings.azureClientId, 'azureClientId'),
    credentials: azureClientSecret
      ? { kind: 'client_secret' as const, clientSecret: azureClientSecret }
      : {
          kind: 'federated' as const,
          assertion: sourceOf(azureFederatedToken, azureFederatedTokenFile, means, 'azureClientSecret'),
        },
    ...(azureTokenEndpoint && { tokenEndpoint: azureTokenEndpoint }),
    ...(azureResource && { resource: azureResource }),
  }
}

function hashicorpAccessOf(settings: ProviderSettings, means: ProviderResources) {
  const { hashicorpNamespace, hashicorpKvVersion, hashicorpMount } = settings
  return {
    mount: hashicorpMount,
    credentials: hashicorpCredentialsOf(settings, means),
    ...(hashicorpNamespace && { namespace: hashicorpNamespace }),
    ...(hashicorpKvVersion && { kvVersion: Number(hashicorpKvVersion) as 1 | 2 }),
  }
}

function hashicorpCredentialsOf(settings: ProviderSettings, means: ProviderResources) {
  const { hashicorpVaultToken, hashicorpAuthMount, hashicorpRoleId, hashicorpSecretId, hashicorpJwtRole } = settings
  const at = hashicorpAuthMount === undefined ? {} : { mount: hashicorpAuthMount }
  if (hashicorpRoleId !== undefined) {
    const secretId = sourceOf(hashicorpSecretId, undefined, means, 'hashicorpSecretId')
    return { kind: 'approle' as const, roleId: hashicorpRoleId, secretId, ...at }
  }
  if (hashicorpJwtRole !== undefined) {
    const jwt = sourceOf(settings.hashicorpJwt, settings.hashicorpJwtFile, means, 'hashicorpJwt')
    return { kind: 'jwt' as const, role: hashicorpJwtRole, jwt, ...at }
  }
  return { kind: 'token' as const, token: given(hashicorpVaultToken, 'hashicorpVaultToken') }
}

function httpConfigOf(settings: ProviderSettings, url: string) {
  const { customProviderToken, customProviderHeader, customProviderVersionPointer, customProviderListUrl } = settings
  const bearer = customProviderToken && new Redacted(`Bearer ${customProviderToken.reveal()}`)
  const token = customProviderHeader === undefined ? bearer : customProviderToken
  return {
    url: url.includes('{name}') ? url : `${url.replace(/\/$/, '')}/{name}`,
    headers: token ? { [customProviderHeader ?? 'Authorization']: token } : {},
    pointer: settings.customProviderPointer,
    ...(customProviderVersionPointer && { versionPointer: customProviderVersionPointer }),
    ...(customProviderListUrl && { listUrl: customProviderListUrl }),
  }
}

/** A token that was given, or that a file holds now. */
function sourceOf(
  token: Redacted<string> | undefined,
  path: string | undefined,
  means: ProviderResources,
  setting: string,
): TokenSource {
  if (path === undefined) {
    const fixed = given(token, setting)
    return async () => fixed
  }
  const files = filesOf(means, `${setting}File`)
  return async () => {
    const bytes = await files.read(path)
    const text = bytes && parseUtf8(bytes)
    if (text === null) throw new ProviderFailure('credentials', { code: bytes === null ? 'NoFile' : 'File' })
    try {
      return parseCredentialFile(text)
    } catch {
      throw new ProviderFailure('credentials', { code: 'File' })
    }
  }
}

function filesOf({ files }: ProviderResources, setting: string): LocalFiles {
  if (files === null) throw badRequest(setting, 'There are no files here')
  return files
}

function given<T>(value: T | undefined, setting: string): T {
  if (value === undefined) throw badRequest(setting, 'Must be set')
  return value
}

/** Says which provider it is that cannot work. */
function named<T>(id: ProviderId, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof PosternError)) throw error
    throw badRequest(
      'providers',
      `Provider ${id} cannot work: ${error.detail.field ?? 'its settings'}: ${error.message}`,
    )
  }
}
