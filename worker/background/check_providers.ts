import type { Job } from './scheduler.ts'

/** How soon after a request, which may have brought credentials, it is looked which of them end. */
const KEEP_MS = 10_000

/** How often a provider is looked at that somebody waits for. */
const HEALTH_MS = 30_000

/** Renews credentials of providers that can only be renewed, whether or not anything asks for them. */
export const renewCredentials: Job = {
  name: 'credentials',
  afterWriteMs: KEEP_MS,
  async run({ registry, settings }) {
    const { attemptMs } = settings.providers
    const times = await Promise.all(registry.list().map((guarded) => guarded.keep(attemptMs)))
    const next = Math.min(...times.map((at) => at ?? Number.POSITIVE_INFINITY))
    return Number.isFinite(next) ? next : null
  },
}

/** Looks how the providers are, while there is something to do for them, and as long as one of them is down. */
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
