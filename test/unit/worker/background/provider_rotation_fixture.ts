/**
 * A vault whose secret is kept by a provider and rotates there, with a replica, and processes that die.
 *
 * @module
 */

import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { ProviderRegistry } from '../../../../core/provider_registry/registry.ts'
import { AwsProvider } from '../../../../core/providers/aws/provider.ts'
import type { Chain } from '../../../../core/providers/chain.ts'
import type { Provider } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import type { ProviderRead } from '../../../../core/vault/chains/read_operations.ts'
import type { RotationConfig } from '../../../../core/vault/rotation/state_machine.ts'
import { unwrap } from '../../../../core/vault/rpc.ts'
import { replicate } from '../../../../worker/background/replicate.ts'
import { rotateSecrets } from '../../../../worker/background/rotate_secrets.ts'
import type { VaultServices } from '../../../../worker/vault_services.ts'
import { callOf, openVault } from '../../../support/core.ts'
import { fakeSecretsManager } from '../../../support/fakes/secrets_manager.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'

export const NAME = 'prod/db'
const VAULT = 'default'
const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const settings = parseSettings({
  environment: { POSTERN_PROVIDERS__RECOVERY_MS: '10', POSTERN_PROVIDERS__ATTEMPT_MS: '200' },
})

export const byProvider: RotationConfig = {
  rotateEvery: 30,
  jitterSeconds: 0,
  freeze: [],
  target: { kind: 'provider' },
  generate: { kind: 'password', length: 32 },
  graceSeconds: 3600,
}
export const byPostern: RotationConfig = { ...byProvider, target: { kind: 'generate' } }

const CHAIN: Chain = {
  id: 'prod',
  resource: 'prod/**',
  members: [{ provider: 'aws' }, { provider: 'azure' }],
  ...{ onNotFound: 'stop', onDenied: 'stop', cacheSeconds: 60, maxStaleSeconds: 86_400, replicate: true },
}

/** Ends a process where it stands. */
export class Crash extends Error {}

/** @param instead In place of AWS. */
export async function providedBench(config: RotationConfig = byProvider, instead?: Provider) {
  const bench = openVault()
  const aws = fakeSecretsManager()
  const replica = memoryProvider()
  const first = aws.set(NAME, 'first value', true)
  replica.set(NAME, 'first value')
  /** What happens at each thing that a process does. */
  let step: <T>(act: () => T | Promise<T>) => Promise<T> = async (act) => act()
  const keys = { kind: 'static', accessKeyId: 'AKIAEXAMPLE', secretAccessKey: new Redacted('example') } as const
  const fetch = (request: Request) => step(() => aws.fetch(request))
  const primary = instead ?? new AwsProvider({ region: 'eu-west-1', credentials: keys }, { fetch })
  // Another region of the same store: a chain of this region may receive no request here.
  const registry = new ProviderRegistry(
    settings.providers,
    new Map([
      ['aws', { provider: primary, naming: 'aws' as const, reach: settings.providers }],
      ['azure', { provider: replica.provider, naming: 'hashicorp' as const, reach: settings.providers }],
    ]),
  )
  let stirred = 0
  const services: VaultServices = {
    ...{ vault: VAULT, settings, keyring, registry, anchors: [] },
    quarantine: () => {},
    notifyWrite: () => void stirred++,
    perform: (task, input) => step(() => unwrap(bench.vault.perform(task, input, bench.now)).value) as never,
  }

  /** One process: it does the duty until nothing is due, or dies at the `crashAt`-th thing, before or after it. */
  async function process({ crashAt = Number.POSITIVE_INFINITY, after = false } = {}): Promise<number | null> {
    let events = 0
    let dead = false
    step = async (act) => {
      if (dead) throw new Crash()
      dead = ++events === crashAt
      if (dead && !after) throw new Crash()
      const result = await act()
      if (dead) throw new Crash()
      return result
    }
    try {
      return await rotateSecrets.run(services)
    } catch (error) {
      if (error instanceof Crash) return null
      throw error
    } finally {
      step = async (act) => act()
    }
  }

  const active = () =>
    bench.database.all<{ step: string; attempts: number; failure: string | null }>(
      'SELECT step, attempts, failure FROM run WHERE outcome IS NULL',
    )[0]
  /** Processes, one after another, with time between, until nothing runs any more. */
  async function settle(): Promise<void> {
    for (let i = 0; i < 60; i++) {
      await process()
      if (active() === undefined) return
      bench.now += 3_600_000
    }
    throw new Error('Rotation does not end')
  }

  const runs = () =>
    bench.granted('admin', 'rotation.show', { name: NAME }).runs.map(({ outcome, failure }) => [outcome, failure])
  const tokens = () =>
    bench.granted('admin', 'rotation.show', { name: NAME }).runs.map(({ provided }) => provided!.token)
  const rotate = () => bench.granted('admin', 'rotation.start', { name: NAME, restores: null, force: false })
  /** The providers that a read would ask now, and what of the cache it would be given. */
  function plan(): { asked: string[]; cached: string | null; read: ProviderRead } {
    const answer = bench.ask('admin', 'secret.read', { name: NAME })
    if (!answer.ok || !('chain' in answer.value)) throw new Error('Read is not of a chain')
    const read = answer.value
    const members = read.chain.members.map(({ provider }) => provider)
    const asked = members.filter((provider) => !read.outdated.includes(provider))
    return { asked, cached: read.cached?.version ?? null, read }
  }
  /** A read that ended with a value of a provider, which the cache is asked to keep. @returns Whether it did. */
  function arrive({ name, chain, since }: ProviderRead, provider: string, version: string): boolean {
    const { revision } = chain
    const about = { name, asked: '', revision, provider, version, kid: 'k', sealed: Uint8Array.of(1) }
    const keep = {
      ...about,
      contentType: null,
      encoding: 'utf8',
      createdAt: null,
      expiresAt: null,
      fetchedAt: since,
    } as const
    const report = { name, version: null, revision, since, skipped: [], outcome: { provider, version, keep } }
    return bench.granted('admin', 'secret.provided', report).stored
  }
  /** Brings the replicas up to date. */
  const runReplication = () => replicate.run(services)
  /** Sealed values that are kept here. */
  const kept = () => bench.database.all('SELECT number FROM version WHERE sealed IS NOT NULL').length

  bench.granted('admin', 'chain.put', CHAIN)
  bench.granted('admin', 'rotation.put', { name: NAME, config })
  return Object.assign(
    {
      bench,
      aws,
      replica,
      first,
      process,
      settle,
      active,
      runs,
      tokens,
      rotate,
      plan,
      arrive,
      replicate: runReplication,
      kept,
    },
    { chain: CHAIN, callOf, stirred: () => stirred },
  )
}

export type ProvidedBench = Awaited<ReturnType<typeof providedBench>>
