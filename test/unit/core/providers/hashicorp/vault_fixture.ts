import { type HashicorpConfig, HashicorpProvider } from '../../../../../core/providers/hashicorp/provider.ts'
import type { Provider } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { bytesOf } from '../../../../support/core.ts'
import { type FakeVault, fakeVault } from '../../../../support/fakes/vault.ts'

export const ADDRESS = 'https://vault.example:8200'

export const ROOT = { kind: 'token', token: new Redacted('root-test-token') } as const

export const signal = () => AbortSignal.timeout(5_000)

export const read = (provider: Provider, name = 'prod/db', version?: string) =>
  provider.get(name, { signal: signal(), ...(version ? { version } : {}) })

export const textOf = async (provider: Provider, name?: string) =>
  Buffer.from((await read(provider, name)).value.reveal()).toString()

export const paths = (server: FakeVault) =>
  server.asked.map(({ method, url }) => `${method} ${url.pathname.slice(4)}${url.search}`)

export function open(more: Partial<HashicorpConfig> = {}, server = fakeVault()) {
  const config = { address: ADDRESS, mount: 'secret', credentials: ROOT, ...more }
  return { server, provider: new HashicorpProvider(config, { fetch: server.fetch, now: () => server.now }) }
}

export function put(provider: Provider, value: string | Uint8Array<ArrayBuffer>, name = 'prod/db', expected?: string) {
  const bytes = typeof value === 'string' ? bytesOf(value) : value
  return provider.put(name, new Redacted(bytes), {
    signal: signal(),
    idempotencyKey: 'k'.repeat(32),
    ...(expected ? { expect: expected } : {}),
  })
}
