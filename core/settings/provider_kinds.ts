/**
 * The settings of each kind of provider. The fixed providers have them with a prefix of their own
 * (`POSTERN_PROVIDERS__AWS_REGION`), instances under their names (`POSTERN_PROVIDERS__EU__REGION`).
 *
 * @module
 */
import * as z from 'zod/mini'
import { checkRoleArn } from '../providers/aws/credentials.ts'
import { checkRegion } from '../providers/aws/regions.ts'
import { checkClientId, checkTenant } from '../providers/azure/api.ts'
import { checkLocation, checkProject } from '../providers/google/api.ts'
import { checkPoolProvider, checkServiceAccount } from '../providers/google/credentials.ts'
import { checkNamespace, parseMount } from '../providers/hashicorp/api.ts'
import { checkHeaderName, checkPointer } from '../providers/http/provider.ts'
import type { ProviderKind } from '../providers/provider.ts'
import { checkHeaderValue } from '../providers/request.ts'
import { Redacted } from '../redacted.ts'
import { checked, choice, fileName, parseCredential, secret, settingName, text } from './reader.ts'

const hidden = (description: string) => z.optional(secret(parseCredential, 'text', description))
/** A credential that is sent in a header. */
const sent = (description: string) => z.optional(secret(headerValue, 'text', description))
const file = (content: string) => z.optional(fileName(`A file with ${content}, read again at each use.`))

const authorities = z.optional(
  fileName('A PEM file of certificate authorities to trust besides the public ones. It is read again when it changes.'),
)

/** The settings of each kind, in the order of the docs. */
export const KIND_SHAPES = {
  aws: {
    region: z.optional(checked(checkRegion, 'The region of AWS Secrets Manager, such as `eu-central-1`.')),
    accessKeyId: sent('The AWS access key id.'),
    accessKeyIdFile: file('the access key id'),
    secretAccessKey: hidden('The AWS secret access key.'),
    secretAccessKeyFile: file('the secret access key'),
    sessionToken: sent('The session token of temporary credentials.'),
    sessionTokenFile: file('the session token'),
    identity: z.optional(
      choice(
        ['container', 'instance'],
        'The identity that the platform gives, instead of keys: `container`, the role of a task of ECS or of a pod of EKS (Pod Identity), at the URL in `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `…_RELATIVE_URI`; `instance`, the role of an instance of EC2 (IMDSv2).',
      ),
    ),
    metadataEndpoint: z.optional(
      text(
        'The metadata service of the instance, instead of `http://169.254.169.254`: `http://[fd00:ec2::254]` for IPv6.',
      ),
    ),
    roleArn: z.optional(checked(checkRoleArn, 'A role to assume with a web identity token, instead of keys.')),
    webIdentityToken: hidden('The web identity token.'),
    webIdentityTokenFile: file('the web identity token'),
    endpoint: z.optional(
      text("The endpoint of Secrets Manager, instead of the region's: a VPC endpoint or an emulator."),
    ),
    stsEndpoint: z.optional(text("The endpoint of STS, instead of the region's.")),
    caFile: authorities,
  },
  azure: {
    vaultUrl: z.optional(text('The URL of the Key Vault: `https://NAME.vault.azure.net`.')),
    tenantId: z.optional(checked(checkTenant, 'The Entra ID tenant.')),
    clientId: z.optional(checked(checkClientId, 'The Entra ID application (client) id.')),
    identity: z.optional(
      choice(
        ['workload', 'instance', 'app_service'],
        'The identity that the platform gives, instead of a secret: `workload`, of a pod of AKS (Workload ID), from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_FEDERATED_TOKEN_FILE`; `instance`, the managed identity of a virtual machine (IMDS); `app_service`, that of App Service, Functions or Container Apps, from `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`. A client id selects an identity that a user assigned.',
      ),
    ),
    clientSecret: hidden('A client secret of the application.'),
    clientSecretFile: file('the client secret'),
    federatedToken: hidden('A token of an identity provider that the application trusts, instead of a client secret.'),
    federatedTokenFile: file('the federated token'),
    tokenEndpoint: z.optional(
      text('The token endpoint, instead of `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`.'),
    ),
    resource: z.optional(text('The resource of another Azure cloud, instead of `https://vault.azure.net`.')),
    caFile: authorities,
  },
  hashicorp: {
    vaultUrl: z.optional(text('The URL of HashiCorp Vault or OpenBao: `https://vault.example:8200`.')),
    vaultToken: sent('A Vault token.'),
    vaultTokenFile: file('the Vault token'),
    namespace: z.optional(checked(checkNamespace, 'The Vault namespace.')),
    mount: z.prefault(
      checked((given) => void parseMount(given, 'mount'), 'The mount path of the KV engine.'),
      'secret',
    ),
    kvVersion: z.optional(choice(['1', '2'], 'The version of the KV engine. Detected if not set.')),
    authMount: z.optional(
      checked(
        (given) => void parseMount(given, 'authMount'),
        'The mount path of the AppRole or JWT auth method, if it is not the default.',
      ),
    ),
    roleId: z.optional(text('An AppRole role id, instead of a token.')),
    roleIdFile: file('the role id'),
    secretId: hidden('The AppRole secret id.'),
    secretIdFile: file('the secret id'),
    kubernetesRole: z.optional(
      text(
        'A role of the Kubernetes auth method, instead of a token. The JWT is the projected token of the pod, read at each login from `/var/run/secrets/kubernetes.io/serviceaccount/token` unless a file is set.',
      ),
    ),
    jwtRole: z.optional(text('A role of the JWT or Kubernetes auth method, instead of a token.')),
    jwt: hidden('The JWT for that role.'),
    jwtFile: file('that JWT'),
    caFile: authorities,
  },
  google: {
    project: z.optional(checked(checkProject, 'The id or the number of the project of Secret Manager.')),
    location: z.optional(
      checked(checkLocation, 'The location of regional secrets, such as `europe-west3`. Global secrets by default.'),
    ),
    audience: z.optional(
      checked(
        checkPoolProvider,
        'The provider of a workload identity pool: `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.',
      ),
    ),
    identityToken: hidden('A token of the issuer that the pool trusts.'),
    identityTokenFile: file('that token'),
    serviceAccount: z.optional(
      checked(
        checkServiceAccount,
        'The service account to act as by that token. Without one the pool itself needs the rights.',
      ),
    ),
    serviceAccountKey: z.optional(
      secret((given) => new Redacted(given), 'JSON', 'The key of a service account, instead of a pool.'),
    ),
    serviceAccountKeyFile: file('the key of a service account, as Google makes it'),
    identity: z.optional(
      choice(['instance'], 'The service account of the machine (Compute Engine, GKE, Cloud Run), instead of a key.'),
    ),
    endpoint: z.optional(text('The endpoint of Secret Manager, instead of that of Google.')),
    tokenEndpoint: z.optional(text('The endpoint for tokens, instead of that of Google.')),
  },
  http: {
    url: z.optional(text('The URL of an HTTP store. `{name}` marks the place of the name; by default it is appended.')),
    token: sent('The token for the HTTP store, sent as `Authorization: Bearer` unless a header is set.'),
    tokenFile: file('the token'),
    header: z.optional(checked(checkHeaderName, 'The header for the token, which is its whole value.')),
    pointer: z.prefault(checked(checkPointer, 'A JSON pointer to the value in the answer.'), '/value'),
    versionPointer: z.optional(
      checked(checkPointer, 'A JSON pointer to the version in the answer. Defaults to the `ETag`.'),
    ),
    listUrl: z.optional(text('The URL that lists the names of the HTTP store.')),
    caFile: authorities,
  },
  file: {
    path: z.optional(fileName('A `.json` or `.env` file of secrets. For development; refused in production.')),
    names: z.prefault(
      choice(
        ['exact', 'upper'],
        'The keys of a `.env` file of secrets. `exact`: the key `DATABASE_URL` is the secret `DATABASE_URL`. `upper`: it is the secret `database_url`, and `PROD__DB` is `prod/db`, as in 0.1.',
      ),
      'exact',
    ),
  },
} as const satisfies Record<ProviderKind, Record<string, z.ZodMiniType>>

type Shapes = typeof KIND_SHAPES
/** The settings of a provider of each kind, as parsed. */
export type KindSettings = { [K in ProviderKind]: Readonly<z.output<z.ZodMiniObject<Shapes[K]>>> }

/** The setting that says where a store of each kind is. Without it there is no such provider. */
export const ADDRESSES = {
  aws: 'region',
  azure: 'vaultUrl',
  hashicorp: 'vaultUrl',
  google: 'project',
  http: 'url',
  file: 'path',
} as const satisfies { [K in ProviderKind]: keyof Shapes[K] }

function headerValue(given: string): Redacted<string> {
  const value = parseCredential(given)
  checkHeaderValue(value, 'token')
  return value
}

/** What a provider of a kind lacks: settings, with the reason. */
export type Lack = [field: string, message: string]

/** Finds the settings that a provider of a kind cannot do without. */
export function lacksOf<K extends ProviderKind>(kind: K, settings: KindSettings[K]): Lack[] {
  // An invalid one is there and undefined.
  const given = (field: string) => Object.hasOwn(settings, field)
  const need = (field: string, why = 'Must be set'): Lack[] =>
    given(field) || given(`${field}File`) ? [] : [[field, why]]
  return [...need(ADDRESSES[kind]), ...CREDENTIALS[kind](need, given)]
}

type Need = (field: string, why?: string) => Lack[]

/** What each kind needs for its credentials. The first way that has begun decides. */
const CREDENTIALS: Record<ProviderKind, (need: Need, given: (field: string) => boolean) => Lack[]> = {
  aws(need, given) {
    if (given('identity')) return beside('identity', ['roleArn', 'accessKeyId', 'accessKeyIdFile'], given)
    if (given('roleArn')) return need('webIdentityToken', 'Must be set, or given as a file, for the role')
    return [...need('accessKeyId', 'Must be set, or a role'), ...need('secretAccessKey', 'Must be set, or a role')]
  },
  azure(need, given) {
    if (given('identity')) {
      const others = ['clientSecret', 'clientSecretFile', 'federatedToken', 'federatedTokenFile']
      return beside('identity', others, given)
    }
    const isFederated = given('federatedToken') || given('federatedTokenFile')
    return [
      ...need('tenantId'),
      ...need('clientId'),
      ...(isFederated ? [] : need('clientSecret', 'Must be set, or a federated token')),
    ]
  },
  hashicorp(need, given) {
    if (given('kubernetesRole'))
      return beside('kubernetesRole', ['roleId', 'roleIdFile', 'jwtRole', 'vaultToken'], given)
    if (given('roleId') || given('roleIdFile')) return need('secretId', 'Must be set for the role id')
    if (given('jwtRole')) return need('jwt', 'Must be set for the role')
    return need('vaultToken', 'Must be set, or an AppRole role id, or a JWT role')
  },
  google(need, given) {
    const isKey = given('serviceAccountKey') || given('serviceAccountKeyFile')
    if (given('identity')) return beside('identity', ['audience', 'serviceAccountKey', 'serviceAccountKeyFile'], given)
    if (isKey) return beside('serviceAccountKey', ['audience'], given)
    return [
      ...need('audience', 'Must be set, or the key of a service account, or an identity'),
      ...(given('audience') ? need('identityToken', 'Must be set, or given as a file, for the pool') : []),
    ]
  },
  http: () => [],
  file: () => [],
}

/** Two ways to get credentials exclude each other: only one would be used. */
function beside(field: string, others: readonly string[], given: (field: string) => boolean): Lack[] {
  const other = others.find(given)
  return other === undefined ? [] : [[other, `Must not be set beside ${settingName('', [field])}`]]
}
