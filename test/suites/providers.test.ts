/** The contract, against servers that answer as the recorded ones did. */
import { afterEach, describe, expect, it } from 'vitest'
import { AzureProvider } from '../../core/providers/azure/provider.ts'
import { FileProvider } from '../../core/providers/file/provider.ts'
import { GoogleProvider } from '../../core/providers/google/provider.ts'
import { HashicorpProvider } from '../../core/providers/hashicorp/provider.ts'
import { HttpProvider } from '../../core/providers/http/provider.ts'
import { Redacted } from '../../core/redacted.ts'
import type { Fake } from '../support/fakes/fake.ts'
import { fakeHttpStore, LIST, STORE } from '../support/fakes/http_store.ts'
import { fakeKeyVault, TENANT, VAULT } from '../support/fakes/key_vault.ts'
import { fakeSecretManager, PROJECT } from '../support/fakes/secret_manager.ts'
import { fakeVault } from '../support/fakes/vault.ts'
import { providerContract, type Store } from './provider.ts'

const fakes: Fake[] = []
afterEach(() => {
  expect(fakes.flatMap(({ unknown }) => unknown)).toEqual([])
})

const vault = fakeVault()
const keyVault = fakeKeyVault()
const httpStore = fakeHttpStore()
const secretManager = fakeSecretManager()
fakes.push(vault, keyVault, httpStore, secretManager)

const common = { stranger: null, remembersWrites: false, bytes: true, tellsAbsentHistory: true } as const

function hashicorp(mount: string, token = 'root-test-token') {
  const credentials = { kind: 'token', token: new Redacted(token) } as const
  const config = { address: 'https://vault.example:8200', mount, credentials }
  return new HashicorpProvider(config, { fetch: vault.fetch, now: () => vault.now })
}

const asTheyCame = (source: string) => source
/** Requests of others to a fake, which are not counted. */
async function asOthers(server: Fake, url: string, init: RequestInit): Promise<string> {
  const answer = await server.fetch(new Request(url, init))
  server.asked.pop()
  return answer.text()
}

function foreignInVault(
  folder: string,
  wrap: (source: string) => string,
  unwrap: RegExp,
): NonNullable<Store['foreign']> {
  const url = (name: string) => `https://vault.example:8200/v1/${folder}/${name}`
  const headers = { 'x-vault-token': 'root-test-token' }
  return {
    kept: folder === 'kv1' ? asTheyCame : (source) => JSON.stringify(JSON.parse(source)),
    write: async (name, source) =>
      void (await asOthers(vault, url(name), { method: 'POST', headers, body: wrap(source) })),
    read: async (name) => unwrap.exec(await asOthers(vault, url(name), { headers }))![1]!,
  }
}

function foreignInHttp(): NonNullable<Store['foreign']> {
  const url = (name: string) => STORE.replace('{name}', name)
  const headers = { authorization: httpStore.secret }
  return {
    kept: (source) => JSON.stringify(JSON.parse(source)),
    write: async (name, source) =>
      void (await asOthers(httpStore, url(name), { method: 'PUT', headers, body: `{"value":${source}}` })),
    read: async (name) => (await asOthers(httpStore, url(name), { headers })).replace(/,"version":.*/, ''),
  }
}

function foreignInAzure(): NonNullable<Store['foreign']> {
  return {
    kept: asTheyCame,
    write: async (name, source) => {
      const options = {
        signal: AbortSignal.timeout(5000),
        idempotencyKey: crypto.randomUUID(),
        replace: 'shape' as const,
      }
      await azure(keyVault.clientSecret).put(name, new Redacted(new TextEncoder().encode(source)), {
        ...options,
        contentType: 'application/json',
      })
    },
    read: async (name) => {
      const { value } = await azure(keyVault.clientSecret).get(name, { signal: AbortSignal.timeout(5000) })
      return new TextDecoder().decode(value.reveal())
    },
  }
}

function azure(clientSecret: string) {
  const credentials = { kind: 'client_secret', clientSecret: new Redacted(clientSecret) } as const
  const config = { vaultUrl: VAULT, tenantId: TENANT, clientId: 'gw-client', credentials }
  return new AzureProvider(config, { fetch: keyVault.fetch, now: () => keyVault.now })
}

function google(subject: string) {
  const audience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ours'
  const credentials = { kind: 'workload_identity', audience, token: async () => new Redacted(subject) } as const
  const options = { fetch: secretManager.fetch, now: () => secretManager.now }
  return new GoogleProvider({ project: PROJECT, credentials }, options)
}

function foreignInGoogle(): NonNullable<Store['foreign']> {
  const provider = () => google(secretManager.subject)
  const signal = () => AbortSignal.timeout(5000)
  return {
    kept: asTheyCame,
    write: async (name, source) => {
      const options = { signal: signal(), idempotencyKey: crypto.randomUUID(), replace: 'shape' as const }
      await provider().put(name, new Redacted(new TextEncoder().encode(source)), options)
    },
    read: async (name) => new TextDecoder().decode((await provider().get(name, { signal: signal() })).value.reveal()),
  }
}

function http(authorization: string) {
  const headers = { Authorization: new Redacted(authorization) }
  return new HttpProvider({ url: STORE, headers, pointer: '/value', listUrl: LIST }, { fetch: httpStore.fetch })
}

function file(format: 'env' | 'json') {
  let bytes: Uint8Array<ArrayBuffer> | null = null
  return new FileProvider({
    format,
    read: async () => bytes,
    write: async (written) => {
      bytes = written
    },
  })
}

providerContract(
  'HashiCorp KV version 2',
  async (): Promise<Store> => ({
    ...common,
    provider: hashicorp('secret'),
    stranger: hashicorp('secret', 's.doesnotexist'),
    foreign: foreignInVault('secret/data', (source) => `{"data":${source}}`, /^{"data":{"data":(.*),"metadata":/),
    ...{ naming: 'hashicorp', versioned: true, empty: 'kept', maxBytes: null, deleted: 'deleted' },
  }),
)

providerContract(
  'HashiCorp KV version 1',
  async (): Promise<Store> => ({
    ...common,
    provider: hashicorp('kv1'),
    stranger: hashicorp('kv1', 's.doesnotexist'),
    foreign: foreignInVault('kv1', asTheyCame, /"data":(.*),"warnings"/),
    ...{ naming: 'hashicorp', versioned: false, empty: 'kept', maxBytes: null, deleted: 'not_found' },
  }),
)

providerContract(
  'Azure Key Vault',
  async (): Promise<Store> => ({
    ...common,
    provider: azure(keyVault.clientSecret),
    stranger: azure('wrong'),
    foreign: foreignInAzure(),
    ...{
      naming: 'azure',
      versioned: true,
      remembersWrites: true,
      empty: 'refused',
      maxBytes: 25_600,
      deleted: 'deleted',
    },
  }),
)

providerContract(
  'Google Secret Manager',
  async (): Promise<Store> => ({
    ...common,
    provider: google(secretManager.subject),
    stranger: google('another-subject'),
    foreign: foreignInGoogle(),
    ...{ naming: 'google', versioned: true, untyped: true, empty: 'refused', maxBytes: 65_536, deleted: 'not_found' },
  }),
)

providerContract(
  'HTTP',
  async (): Promise<Store> => ({
    ...common,
    provider: http(httpStore.secret),
    stranger: http('Bearer wrong'),
    foreign: foreignInHttp(),
    ...{ naming: 'http', versioned: false, remembersWrites: true, empty: 'kept', maxBytes: null, deleted: 'not_found' },
  }),
)

providerContract(
  'a JSON file',
  async (): Promise<Store> => ({
    ...common,
    provider: file('json'),
    ...{ naming: 'json', versioned: false, empty: 'kept', maxBytes: null, deleted: 'not_found' },
  }),
)

providerContract(
  'a .env file',
  async (): Promise<Store> => ({
    ...common,
    provider: file('env'),
    ...{ naming: 'env', versioned: false, bytes: false, empty: 'kept', maxBytes: null, deleted: 'not_found' },
  }),
)

describe('the fakes', () => {
  it('were asked', () => {
    for (const { asked } of fakes) expect(asked.length).toBeGreaterThan(50)
  })

  it('never saw a method of their own, a value in an address, or a token anywhere but in its header', () => {
    for (const { asked } of fakes) {
      for (const { method, url } of asked) {
        expect(['GET', 'PUT', 'POST', 'PATCH', 'DELETE']).toContain(method)
        expect(url.href).not.toMatch(/Canary|root-test-token|access-token|store-token|gw-client-secret|canary.of/)
      }
    }
  })
})
