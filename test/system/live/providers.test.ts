/** The provider contract, against the stores that the environment names. */

import { afterAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { awsCaller } from '../../../core/providers/aws/api.ts'
import { type AwsConfig, AwsProvider } from '../../../core/providers/aws/provider.ts'
import { azureCaller } from '../../../core/providers/azure/api.ts'
import { type AzureConfig, AzureProvider } from '../../../core/providers/azure/provider.ts'
import { hashicorpCaller } from '../../../core/providers/hashicorp/api.ts'
import { type HashicorpConfig, HashicorpProvider } from '../../../core/providers/hashicorp/provider.ts'
import { ProviderFailure } from '../../../core/providers/provider.ts'
import { Redacted } from '../../../core/redacted.ts'
import { providerContract, type Store } from '../../suites/provider.ts'
import { needs } from '../../support/needs.ts'
import { required, variable } from './environment.ts'

const options = { allowLoopback: true }
const forGood = () => AbortSignal.timeout(30_000)
const ignored = () => {}

const awsEndpoint = variable('AWS_ENDPOINT')
const awsRegion = variable('AWS_REGION')
const vaultAddress = variable('VAULT_ADDR')
const azureUrl = variable('AZURE_URL')

describe('the stores of the environment', () => {
  const stores = [
    ['AWS Secrets Manager', 'AWS_ENDPOINT or POSTERN_LIVE_AWS_REGION', awsEndpoint ?? awsRegion],
    ['HashiCorp Vault', 'VAULT_ADDR', vaultAddress],
    ['Azure Key Vault', 'AZURE_URL', azureUrl],
  ] as const
  for (const [store, name, address] of stores) {
    const given = { met: address !== undefined, remedy: `set POSTERN_LIVE_${name}` }
    it(`${store} is tried`, needs(given), () => {
      expect(address).toMatch(/^https?:\/\/[^/]+\/?$|^[a-z]{2}-[a-z-]+-[0-9]+$/)
    })
  }
})

if (awsEndpoint !== undefined || awsRegion !== undefined) {
  const token = variable('AWS_SESSION_TOKEN', 'AWS_SESSION_TOKEN')
  const config: AwsConfig = {
    region: awsRegion ?? variable('AWS_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION') ?? 'us-east-1',
    ...(awsEndpoint === undefined ? {} : { endpoint: awsEndpoint }),
    credentials: {
      kind: 'static',
      accessKeyId: variable('AWS_ACCESS_KEY_ID', 'AWS_ACCESS_KEY_ID') ?? 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: new Redacted(
        variable('AWS_SECRET_ACCESS_KEY', 'AWS_SECRET_ACCESS_KEY') ?? 'example-secret-access-key',
      ),
      ...(token === undefined ? {} : { sessionToken: new Redacted(token) }),
    },
  }
  const verifies = awsEndpoint === undefined || variable('AWS_VERIFIES') === '1'
  const wrong = {
    ...config,
    credentials: { ...config.credentials, secretAccessKey: new Redacted('wrong') } as AwsConfig['credentials'],
  }
  const open = (access: AwsConfig) => async (): Promise<Store> => ({
    provider: new AwsProvider(access, options),
    stranger: verifies ? new AwsProvider(wrong, options) : null,
    ...{
      naming: 'aws',
      versioned: true,
      remembersWrites: true,
      bytes: true,
      empty: 'refused',
      maxBytes: 65_536,
      deleted: 'deleted',
    },
    foreign: {
      kept: (source) => source,
      write: async (SecretId, SecretString) => {
        const call = awsCaller(access, options)
        const request = { SecretString, ClientRequestToken: crypto.randomUUID() }
        await call('CreateSecret', { Name: SecretId, ...request }, z.unknown(), { signal: forGood() }).catch(() =>
          call('PutSecretValue', { SecretId, ...request }, z.unknown(), { signal: forGood() }),
        )
      },
      read: async (SecretId) => {
        const answer = z.object({ SecretString: z.string() })
        return (
          await awsCaller(access, options)('GetSecretValue', { SecretId, VersionStage: 'AWSCURRENT' }, answer, {
            signal: forGood(),
          })
        ).SecretString
      },
    },
    // moto answers 500.
    tellsAbsentHistory: awsEndpoint === undefined,
    purge: async (SecretId) => {
      const input = { SecretId, ForceDeleteWithoutRecovery: true }
      await awsCaller(access, options)('DeleteSecret', input, z.unknown(), { signal: forGood() }).catch(ignored)
    },
  })
  providerContract('AWS Secrets Manager', open(config))

  it(
    'row 52: signs by the clock of the service, when its own is wrong, and goes back with it',
    needs({ met: verifies, remedy: 'set POSTERN_LIVE_AWS_VERIFIES=1 for a store that checks signatures' }),
    async () => {
      let offMs = 600_000
      const provider = new AwsProvider(config, { ...options, now: () => Date.now() + offMs })
      await provider.health({ signal: forGood() })
      offMs = -600_000
      await provider.health({ signal: forGood() })
    },
  )

  // Where the function that rotates a secret is not known, only the answer of the service without one can be checked.
  const rotating = variable('AWS_ROTATING_SECRET')
  describe('rotation by AWS Secrets Manager', () => {
    const provider = new AwsProvider(config, options)
    const call = awsCaller(config, options)
    const rotate = (name: string, token: string, begin: boolean) =>
      provider.rotate!(name, { token, begin, signal: forGood() })
    const failure = async (promise: Promise<unknown>) => {
      const error = await promise.catch((error: unknown) => error)
      expect(error).toBeInstanceOf(ProviderFailure)
      return (error as ProviderFailure).kind
    }
    const made = `postern-live/${crypto.randomUUID()}/rotated`

    afterAll(async () => {
      const input = { SecretId: made, ForceDeleteWithoutRecovery: true }
      await call('DeleteSecret', input, z.unknown(), { signal: forGood() }).catch(ignored)
    })

    it('is refused for a missing secret', async () => {
      expect(await failure(rotate(`${made}-not`, crypto.randomUUID(), true))).toBe('not_found')
    })

    it('begins nothing while it is only looked at', async () => {
      const value = new Redacted(new TextEncoder().encode('first value'))
      const { version } = await provider.put(made, value, { idempotencyKey: crypto.randomUUID(), signal: forGood() })
      const token = crypto.randomUUID()
      expect(await rotate(made, token, false)).toEqual({ version: token, isDone: false })
      expect((await provider.get(made, { signal: forGood() })).version).toBe(version)
    })

    const emulator = { met: awsEndpoint !== undefined, remedy: 'set POSTERN_LIVE_AWS_ENDPOINT' }
    it('is done under its token, by an emulator that needs no function', needs(emulator), async () => {
      const { version: before } = await provider.get(made, { signal: forGood() })
      const token = crypto.randomUUID()
      expect(await rotate(made, token, true)).toEqual({ version: token, isDone: false })
      for (const begin of [false, true])
        expect(await rotate(made, token, begin)).toEqual({ version: token, isDone: true })
      const history = await provider.versions!(made, { signal: forGood() })
      expect(history.filter(({ stage }) => stage !== null).map(({ version, stage }) => [version, stage])).toEqual([
        [token, 'current'],
        [before, 'previous'],
      ])
    })

    const aws = { met: awsEndpoint === undefined, remedy: 'run against AWS itself' }
    it('is refused by AWS itself for a secret without a function', needs(aws), async () => {
      expect(await failure(rotate(made, crypto.randomUUID(), true))).toBe('invalid')
    })

    it('is done by the function of a secret that has one', {
      ...needs({ met: rotating !== undefined, remedy: 'set POSTERN_LIVE_AWS_ROTATING_SECRET' }),
      timeout: 900_000,
    }, async () => {
      const token = crypto.randomUUID()
      await rotate(rotating!, token, true)
      while (!(await rotate(rotating!, token, false)).isDone) await new Promise((resolve) => setTimeout(resolve, 5000))
      expect((await provider.get(rotating!, { signal: forGood() })).version).toBe(token)
    })
  })

  const sessionKeyId = variable('AWS_SESSION_KEY_ID')
  const session = { met: sessionKeyId !== undefined, remedy: 'set POSTERN_LIVE_AWS_SESSION_KEY_ID' }
  it('signs with the keys of a session', needs(session), async () => {
    const sessionToken = new Redacted(required('AWS_SESSION_KEY_TOKEN'))
    const credentials = { ...config.credentials, accessKeyId: sessionKeyId!, sessionToken } as AwsConfig['credentials']
    await expect(
      new AwsProvider({ ...config, credentials }, options).health({ signal: forGood() }),
    ).resolves.toBeUndefined()
  })

  const roleArn = variable('AWS_ROLE_ARN')
  if (roleArn !== undefined) {
    const jwt = new Redacted(required('AWS_WEB_IDENTITY_TOKEN'))
    const stsEndpoint = variable('AWS_STS_ENDPOINT')
    const endpoint = variable('AWS_KEYLESS_ENDPOINT') ?? awsEndpoint
    const role = { kind: 'web_identity', roleArn, sessionName: 'postern-live', token: async () => jwt } as const
    const credentials = { ...role, ...(stsEndpoint === undefined ? {} : { stsEndpoint }) }
    providerContract(
      'AWS Secrets Manager, without keys',
      open({ region: config.region, credentials, ...(endpoint === undefined ? {} : { endpoint }) }),
    )
  }
}

if (vaultAddress !== undefined) {
  const namespace = variable('VAULT_NAMESPACE')
  const mount = variable('VAULT_MOUNT') ?? 'secret'
  const server = { address: vaultAddress, ...(namespace === undefined ? {} : { namespace }) }
  const token = new Redacted(required('VAULT_TOKEN'))
  const config: HashicorpConfig = { ...server, mount, credentials: { kind: 'token', token } }
  const call = hashicorpCaller(server, options)
  const purge = async (name: string) => {
    const path = `${mount}/metadata/${name}`
    await call({ method: 'DELETE', path, token, signal: forGood() }).catch(ignored)
  }
  const open = (access: HashicorpConfig, versioned: boolean) => async (): Promise<Store> => ({
    provider: new HashicorpProvider(access, options),
    stranger: new HashicorpProvider(
      { ...access, credentials: { kind: 'token', token: new Redacted('s.wrong') } },
      options,
    ),
    ...{
      naming: 'hashicorp',
      versioned,
      remembersWrites: false,
      bytes: true,
      empty: 'kept',
      maxBytes: null,
      tellsAbsentHistory: true,
    },
    ...(versioned ? { deleted: 'deleted', purge } : { deleted: 'not_found' }),
  })
  providerContract('HashiCorp Vault', async () => {
    // Which version is mounted is the server's matter; the contract differs.
    const made = await open(config, true)()
    const probe = await made.provider.put('postern-live/probe', new Redacted(new Uint8Array([97])), {
      signal: forGood(),
      idempotencyKey: 'a'.repeat(32),
    })
    await made.provider.remove('postern-live/probe', { signal: forGood() })
    await purge('postern-live/probe')
    return probe.version === 'unversioned' ? open(config, false)() : made
  })
  const kv1 = variable('VAULT_KV1_MOUNT')
  if (kv1 !== undefined) providerContract('HashiCorp Vault, KV version 1', open({ ...config, mount: kv1 }, false))
  const roleId = variable('VAULT_ROLE_ID')
  if (roleId !== undefined) {
    const secretId = new Redacted(required('VAULT_SECRET_ID'))
    const login = {
      kind: 'approle',
      mount: variable('VAULT_APPROLE_MOUNT') ?? 'approle',
      roleId,
      secretId: async () => secretId,
    } as const
    providerContract('HashiCorp Vault, by AppRole', open({ ...config, credentials: login }, true))
  }
}

if (azureUrl !== undefined) {
  const given = variable('AZURE_TOKEN_ENDPOINT', 'POSTERN_LIVE_AZURE_TOKEN_URL')?.replace(/\/+$/, '')
  const tenantId =
    variable('AZURE_TENANT', 'POSTERN_LIVE_AZURE_TENANT_ID') ?? tenantIn(given) ?? required('AZURE_TENANT')
  const tokenEndpoint =
    given === undefined || given.endsWith('/token')
      ? given
      : `${given.replace(`/${tenantId}`, '')}/${tenantId}/oauth2/v2.0/token`
  const resource = variable('AZURE_RESOURCE')
  const config: AzureConfig = {
    vaultUrl: azureUrl,
    tenantId,
    clientId: required('AZURE_CLIENT_ID'),
    credentials: { kind: 'client_secret', clientSecret: new Redacted(required('AZURE_CLIENT_SECRET')) },
    ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
    ...(resource === undefined ? {} : { resource }),
  }
  const wrong: AzureConfig = { ...config, credentials: { kind: 'client_secret', clientSecret: new Redacted('wrong') } }
  const call = azureCaller(config, options)
  providerContract(
    'Azure Key Vault',
    async (): Promise<Store> => ({
      provider: new AzureProvider(config, options),
      stranger: new AzureProvider(wrong, options),
      ...{
        naming: 'azure',
        versioned: true,
        remembersWrites: true,
        bytes: true,
        empty: 'refused',
        maxBytes: 25_600,
        deleted: 'deleted',
      },
      tellsAbsentHistory: true,
      purge: async (name) => {
        await call({ method: 'DELETE', path: `/deletedsecrets/${name}`, signal: forGood() }, z.unknown()).catch(ignored)
      },
    }),
  )
}

function tenantIn(tokenEndpoint: string | undefined): string | undefined {
  return /^https?:\/\/[^/]+\/([^/]+)\/oauth2\//.exec(tokenEndpoint ?? '')?.[1]
}
