/**
 * Creates the configured providers from the settings.
 *
 * @module
 */
import type { Bytes } from '../bytes.ts'
import { badRequest, PosternError } from '../errors.ts'
import type { Fetch } from '../http/send.ts'
import { ECS_ORIGIN } from '../providers/aws/machine_credentials.ts'
import { AwsProvider } from '../providers/aws/provider.ts'
import { AzureProvider } from '../providers/azure/provider.ts'
import { credentialFile } from '../providers/credential_file.ts'
import type { StoreCredential, TokenSource } from '../providers/credentials.ts'
import type { GoogleCredentials } from '../providers/google/credentials.ts'
import { GoogleProvider } from '../providers/google/provider.ts'
import { HashicorpProvider } from '../providers/hashicorp/provider.ts'
import { HttpProvider } from '../providers/http/provider.ts'
import type { Provider } from '../providers/provider.ts'
import { checkHeaderValue, type ProviderOptions } from '../providers/request.ts'
import type { Naming } from '../providers/store_names.ts'
import { Redacted } from '../redacted.ts'
import { instancesOf, nameOfSetting, type ProviderInstance } from '../settings/provider_instances.ts'
import { ADDRESSES, type KindSettings } from '../settings/provider_kinds.ts'
import type { Reach } from '../settings/provider_reach.ts'
import { type ProviderSettings, urlTemplateOf } from '../settings/providers.ts'
import { parseCredentialFile } from '../settings/reader.ts'

/** Files of this machine, and what its platform says, where there are any. */
export interface LocalFiles {
  /** A variable that the platform sets, such as `AWS_CONTAINER_CREDENTIALS_FULL_URI`. */
  variable: (name: string) => string | undefined
  /** Reads a file; `null` when there is none. */
  read: (path: string) => Promise<Bytes | null>
  /** A file of secrets as a store: given from where there are files, so that Workers go without its code. */
  store: (path: string) => Provider
}

/** Where Kubernetes projects the token of a pod's service account. */
const POD_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** What providers are made with beside settings. */
export interface ProviderResources extends ProviderOptions {
  /** `null` on Workers. */
  files: LocalFiles | null
  /**
   * Makes the fetch of one provider, which trusts the authorities in a file besides all others. Missing on Workers.
   *
   * @param setting The setting that names the file.
   */
  trusting?: ((file: string, setting: string) => Fetch) | undefined
}

/** A provider, how names are written in its store, and who may use it. */
export interface ConfiguredProvider {
  provider: Provider
  naming: Naming
  reach: Reach
}

/**
 * Makes the providers that settings configure.
 *
 * @throws {PosternError} `bad_request` naming the setting, for a configuration that cannot work.
 */
export function configuredProviders(
  settings: ProviderSettings,
  means: ProviderResources,
): Map<string, ConfiguredProvider> {
  const { allowLoopback, privateRanges } = settings
  const made = instancesOf(settings).map((instance): [string, ConfiguredProvider] => {
    const reach = { allowLoopback, privateRanges, fetch: fetchOf(instance, means) }
    const options = { ...means, ...reach, report: reportOf(instance, means) }
    const provider = named(instance, () => providerOf(instance, options))
    return [instance.id, { provider, naming: namingOf(instance), reach: instance.reach }]
  })
  return new Map(made)
}

/** The fetch of a provider, which trusts the authorities of its own file too. */
function fetchOf(instance: ProviderInstance, { fetch, trusting }: ProviderResources): ProviderResources['fetch'] {
  const file: unknown = Object(instance.settings).caFile
  return typeof file === 'string' ? trusting?.(file, nameOfSetting(instance, 'caFile')) : fetch
}

function providerOf(instance: ProviderInstance, options: ProviderResources): Provider {
  switch (instance.kind) {
    case 'aws':
      return awsOf(instance.settings, options)
    case 'azure':
      return new AzureProvider(azureConfigOf(instance.settings, options), options)
    case 'hashicorp':
      return new HashicorpProvider(hashicorpConfigOf(instance.settings, options), options)
    case 'google':
      return new GoogleProvider(googleConfigOf(instance.settings, options), options)
    case 'http':
      return new HttpProvider(httpConfigOf(instance.settings, options), options)
    case 'file':
      return filesOf(options).store(instance.settings.path!)
  }
}

function namingOf({ kind, settings }: ProviderInstance): Naming {
  if (kind !== 'file') return kind
  if (settings.path?.endsWith('.json')) return 'json'
  return settings.names === 'upper' ? 'env-upper' : 'env'
}

/** An adapter reports its own fields; the operator knows them as settings. */
function reportOf(instance: ProviderInstance, { report }: ProviderResources): ProviderResources['report'] {
  return (level, event, { setting, ...facts }) =>
    report?.(level, event, {
      provider: instance.id,
      ...facts,
      ...(typeof setting === 'string' && { setting: nameOfSetting(instance, setting) }),
    })
}

function awsOf(settings: KindSettings['aws'], options: ProviderResources): Provider {
  const { region = '', endpoint } = settings
  const config = { region, credentials: awsCredentialsOf(settings, options), ...(endpoint && { endpoint }) }
  return new AwsProvider(config, options)
}

function awsCredentialsOf(settings: KindSettings['aws'], options: ProviderResources) {
  const { roleArn, stsEndpoint, identity, metadataEndpoint: endpoint } = settings
  if (identity === 'instance') return { kind: identity, endpoint }
  if (identity === 'container') return awsContainerRole(options)
  if (roleArn !== undefined) {
    const token = given(settings, 'webIdentityToken', options)
    const about = { roleArn, sessionName: 'postern', token: sourceOf(token) }
    return { kind: 'web_identity' as const, ...about, ...(stsEndpoint && { stsEndpoint }) }
  }
  const accessKeyId = idOf(given(settings, 'accessKeyId', options))
  const secretAccessKey = given(settings, 'secretAccessKey', options)
  const sessionToken = maybeGiven(settings, 'sessionToken', options)
  return { kind: 'static' as const, accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
}

/** The role of a container, from the variables that ECS and EKS set. */
function awsContainerRole(options: ProviderResources) {
  const { variable } = filesOf(options, 'identity')
  const path = variable('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI')
  const url = path ? ECS_ORIGIN + path : variable('AWS_CONTAINER_CREDENTIALS_FULL_URI')
  if (!url)
    throw badRequest('identity', 'AWS_CONTAINER_CREDENTIALS_FULL_URI is not set. ECS and EKS Pod Identity set it')
  const file = variable('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE')
  const fixed = variable('AWS_CONTAINER_AUTHORIZATION_TOKEN')
  const token = file ? fileSource(file, 'identity', options) : fixed && (async () => new Redacted(fixed))
  return { kind: 'container' as const, url, ...(token && { token }) }
}

function azureConfigOf(settings: KindSettings['azure'], options: ProviderResources) {
  const { vaultUrl = '', tokenEndpoint, resource } = settings
  return {
    vaultUrl,
    ...azureIdentityOf(settings, options),
    ...(tokenEndpoint && { tokenEndpoint }),
    ...(resource && { resource }),
  }
}

function azureIdentityOf(settings: KindSettings['azure'], options: ProviderResources) {
  const { tenantId, clientId, identity } = settings
  if (identity === 'instance') return { tenantId, clientId, credentials: { kind: identity } as const }
  if (identity === 'app_service') {
    const endpoint = fromPlatform('IDENTITY_ENDPOINT', options)
    const header = new Redacted(fromPlatform('IDENTITY_HEADER', options))
    return { tenantId, clientId, credentials: { kind: identity, endpoint, header } as const }
  }
  if (identity === 'workload') {
    const assertion = fileSource(fromPlatform('AZURE_FEDERATED_TOKEN_FILE', options), 'identity', options)
    return {
      tenantId: tenantId ?? fromPlatform('AZURE_TENANT_ID', options),
      clientId: clientId ?? fromPlatform('AZURE_CLIENT_ID', options),
      credentials: { kind: 'federated', assertion } as const,
    }
  }
  const clientSecret = maybeGiven(settings, 'clientSecret', options)
  const credentials = clientSecret
    ? { kind: 'client_secret' as const, clientSecret }
    : { kind: 'federated' as const, assertion: sourceOf(given(settings, 'federatedToken', options)) }
  return { tenantId, clientId, credentials }
}

/** A variable of the platform, which the setting of an identity relies on. */
function fromPlatform(name: string, options: ProviderResources): string {
  const value = filesOf(options, 'identity').variable(name)
  if (value) return value
  throw badRequest('identity', `${name} is not set. The platform sets it where it gives this identity`)
}

function hashicorpConfigOf(settings: KindSettings['hashicorp'], options: ProviderResources) {
  const { vaultUrl = '', mount, namespace, kvVersion } = settings
  return {
    address: vaultUrl,
    mount,
    credentials: hashicorpCredentialsOf(settings, options),
    ...(namespace && { namespace }),
    ...(kvVersion && { kvVersion: Number(kvVersion) as 1 | 2 }),
  }
}

function hashicorpCredentialsOf(settings: KindSettings['hashicorp'], options: ProviderResources) {
  const { authMount, jwtRole, kubernetesRole } = settings
  if (kubernetesRole !== undefined) {
    const jwt = fileSource(settings.jwtFile ?? POD_TOKEN, 'jwtFile', options)
    return { kind: 'jwt' as const, role: kubernetesRole, jwt, mount: authMount ?? 'kubernetes' }
  }
  const at = authMount === undefined ? {} : { mount: authMount }
  const roleId = maybeGiven(settings, 'roleId', options)
  if (roleId !== undefined) {
    const secretId = sourceOf(given(settings, 'secretId', options))
    return { kind: 'approle' as const, roleId: idOf(roleId), secretId, ...at }
  }
  if (jwtRole !== undefined) {
    return { kind: 'jwt' as const, role: jwtRole, jwt: sourceOf(given(settings, 'jwt', options)), ...at }
  }
  return { kind: 'token' as const, token: given(settings, 'vaultToken', options) }
}

function googleConfigOf(settings: KindSettings['google'], options: ProviderResources) {
  const { project = '', location, endpoint } = settings
  const credentials = googleCredentialsOf(settings, options)
  return { project, credentials, ...(location && { location }), ...(endpoint && { endpoint }) }
}

function googleCredentialsOf(settings: KindSettings['google'], options: ProviderResources): GoogleCredentials {
  const { identity, audience = '', serviceAccount, tokenEndpoint, serviceAccountKey, serviceAccountKeyFile } = settings
  if (identity !== undefined) return { kind: identity }
  if (serviceAccountKey !== undefined)
    return { kind: 'service_account', key: async () => serviceAccountKey, tokenEndpoint }
  if (serviceAccountKeyFile !== undefined) {
    const { read } = filesOf(options, 'serviceAccountKeyFile')
    // A file of JSON has many lines. Its fields are checked when it is used.
    const about = { read, parse: (text: string) => new Redacted(text), setting: 'serviceAccountKeyFile' }
    const key = credentialFile(serviceAccountKeyFile, { ...about, report: options.report })
    return { kind: 'service_account', key, tokenEndpoint }
  }
  const token = sourceOf(given(settings, 'identityToken', options))
  return { kind: 'workload_identity', audience, token, serviceAccount, tokenEndpoint }
}

function httpConfigOf(settings: KindSettings['http'], options: ProviderResources) {
  const { url = '', header, pointer, versionPointer, listUrl } = settings
  const token = maybeGiven(settings, 'token', options)
  return {
    url: urlTemplateOf(url),
    headers: token ? { [header ?? 'Authorization']: header === undefined ? bearer(token) : token } : {},
    pointer,
    ...(versionPointer && { versionPointer }),
    ...(listUrl && { listUrl }),
  }
}

function bearer(token: StoreCredential): StoreCredential {
  if (token instanceof Redacted) return new Redacted(`Bearer ${token.reveal()}`)
  return async (signal) => new Redacted(`Bearer ${(await token(signal)).reveal()}`)
}

/** The credentials that are sent in headers as they are. */
const SENT = ['accessKeyId', 'sessionToken', 'vaultToken', 'token']

function parseSentCredential(text: string): Redacted<string> {
  const value = parseCredentialFile(text)
  checkHeaderValue(value, 'token')
  return value
}

/** A credential of the settings, or of a file that one of them names. */
function maybeGiven(settings: object, field: string, options: ProviderResources): StoreCredential | undefined {
  const value: unknown = Object(settings)[field]
  if (value instanceof Redacted) return value
  const path: unknown = Object(settings)[`${field}File`]
  if (typeof path !== 'string') return typeof value === 'string' ? new Redacted(value) : undefined
  return fileSource(path, `${field}File`, options, SENT.includes(field) ? parseSentCredential : parseCredentialFile)
}

/** A token or another credential in a file that is replaced while the server runs. */
function fileSource(
  path: string,
  setting: string,
  options: ProviderResources,
  parse: (text: string) => Redacted<string> = parseCredentialFile,
): TokenSource {
  const { read } = filesOf(options, setting)
  return credentialFile(path, { read, parse, setting, report: options.report })
}

function given(settings: object, field: string, options: ProviderResources): StoreCredential {
  const found = maybeGiven(settings, field, options)
  if (found === undefined) throw badRequest(field, 'Must be set')
  return found
}

/** An id is not secret, unlike what it is given with. */
function idOf(credential: StoreCredential): string | TokenSource {
  return credential instanceof Redacted ? credential.reveal() : credential
}

function sourceOf(credential: StoreCredential): TokenSource {
  return credential instanceof Redacted ? async () => credential : credential
}

function filesOf({ files }: ProviderResources, field = 'path'): LocalFiles {
  if (files === null) throw badRequest(field, 'There are no files here')
  return files
}

/** The settings of fields that an adapter calls otherwise. */
const SETTINGS: Readonly<Record<string, string>> = { address: 'vaultUrl', headers: 'token' }

/** Says which setting cannot work. The checks of the settings find all of them before; this is the last one. */
function named<T>(instance: ProviderInstance, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof PosternError)) throw error
    const { field = ADDRESSES[instance.kind] } = error.detail
    const setting = nameOfSetting(instance, SETTINGS[field] ?? field)
    throw badRequest('providers', `${setting}: ${error.message}`)
  }
}
