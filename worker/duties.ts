/**
 * The duties of a vault's upkeep, in the order in which they are done.
 *
 * @module
 */
import { retentionDaysOf } from '../core/settings.ts'
import { signHead } from './checkpoint.ts'
import { comparison, replication } from './replication.ts'
import type { Desk, Duty } from './upkeep.ts'

const DAY_MS = 24 * 60 * 60_000
/** How often the age of entries is looked at. */
const LOOK_MS = DAY_MS / 2
const HEALTH_MS = 30_000

/** Erases entries of the log that are past their retention: announced first, and signed. */
export const retention: Duty = {
  name: 'retention',
  afterWriteMs: null,
  async run(desk) {
    const keepMs = retentionDaysOf(desk.settings) * DAY_MS
    const announced = await desk.perform('retention.announce', { keepMs, shipped: null })
    if (announced === null) return Date.now() + LOOK_MS
    await checkpoint(desk)
    while (!(await desk.perform('retention.prune', {})).done);
    // What one look found may not have been all.
    return Date.now()
  },
}

/** Looks how the providers are, while there is something to do for them, and as long as one of them is down. */
export const health: Duty = {
  name: 'health',
  afterWriteMs: HEALTH_MS,
  async run(desk) {
    const { upstreams, vault, settings } = desk
    const { attemptMs } = settings.providers
    let wellAll = true
    for (const id of await desk.perform('provider.used', {})) {
      const upstream = upstreams.find(vault, id)
      if (upstream === null) continue
      if (upstream.rest(Date.now()) === null) {
        // Whatever it comes to, it is noted where every request notes it.
        await upstream.ask((provider, signal) => provider.health({ signal }), attemptMs).catch(() => {})
      }
      const { state, lastFailure } = upstream.health(Date.now())
      const failure = state === 'up' ? null : (lastFailure?.kind ?? null)
      await desk.perform('provider.seen', { provider: id, state, failure })
      wellAll &&= state === 'up'
    }
    return wellAll ? null : Date.now() + HEALTH_MS
  },
}

/** Signs the head of the log, when it moved. */
async function checkpoint(desk: Desk): Promise<string> {
  return signHead(await desk.perform('audit.head', {}), desk, (signed) => desk.perform('audit.sign', signed))
}

/** Every duty that there is for a vault, as settings ask for it. */
export function dutiesOf({ vault, upstreams }: Pick<Desk, 'vault' | 'upstreams'>): Duty[] {
  return [retention, ...(upstreams.permits(vault) ? [replication, comparison, health] : [])]
}
