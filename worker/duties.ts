import { health } from './provider_health.ts'
import { publication } from './publication.ts'
import { comparison, replication } from './replication.ts'
import { retention } from './retention.ts'
import { shipping } from './shipping.ts'
import type { Desk, Duty } from './upkeep.ts'

/** Every duty that there is for a vault, as settings ask for it, in the order in which they are done. */
export function dutiesOf({ vault, settings, anchors, upstreams }: Omit<Desk, 'perform' | 'quarantine'>): Duty[] {
  const { publishSeconds, witnesses, sinkUrl } = settings.audit
  const afterWriteMs = publishSeconds * 1000
  return [
    ...(anchors.length > 0 || witnesses.length > 0 ? [publication(afterWriteMs)] : []),
    ...(sinkUrl === undefined ? [] : [shipping(afterWriteMs)]),
    ...(upstreams.permits(vault) ? [replication, comparison, health] : []),
    retention,
  ]
}
