/**
 * Renews the credentials of providers and checks their health.
 *
 * @module
 */
import type { Job } from './scheduler.ts'

/** How soon after a request, which may have fetched credentials, their expiry is checked. */
const KEEP_MS = 10_000

/** How often providers are probed while one is down or requests use them. */
const HEALTH_MS = 30_000

/** Renews the credentials of providers before they expire, for stores whose credentials can be renewed but not fetched again. */
export const renewCredentials: Job = {
  name: 'credentials',
  afterWriteMs: KEEP_MS,
  async run({ registry, vault, settings }) {
    const { attemptMs } = settings.providers
    const times = await Promise.all(registry.usableBy(vault).map((guarded) => guarded.keep(attemptMs)))
    const next = Math.min(...times.map((at) => at ?? Number.POSITIVE_INFINITY))
    return Number.isFinite(next) ? next : null
  },
}

/** Probes the providers that the vault uses, after requests and as long as one of them is down. */
export const checkProviders: Job = {
  name: 'health',
  afterWriteMs: HEALTH_MS,
  async run(services) {
    const { registry, vault, settings } = services
    const { attemptMs } = settings.providers
    let wellAll = true
    for (const id of await services.perform('provider.used', {})) {
      const guarded = registry.find(vault, id)
      if (guarded === null) continue
      await guarded.look(attemptMs)
      const { state, lastFailure } = guarded.health(Date.now())
      const failure = state === 'up' ? null : (lastFailure?.kind ?? null)
      await services.perform('provider.seen', { provider: id, state, failure })
      wellAll &&= state === 'up'
    }
    return wellAll ? null : Date.now() + HEALTH_MS
  },
}
