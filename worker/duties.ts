import { backup } from './backup.ts'
import { noticing } from './notices.ts'
import { credentials, health } from './provider_health.ts'
import { publication } from './publication.ts'
import { rekeying } from './rekeying.ts'
import { comparison, replication } from './replication.ts'
import { retention } from './retention.ts'
import { rotation } from './rotation.ts'
import { shipping } from './shipping.ts'
import type { Desk, Duty } from './upkeep.ts'
import { versions } from './version_retention.ts'

/**
 * Every duty that there is for a vault, as settings ask for it. Those of a lane are done one after another: they ask the
 * same others, or take away what the ones before them still need.
 */
export function dutiesOf({
  vault,
  settings,
  anchors,
  upstreams,
  archive,
}: Omit<Desk, 'perform' | 'quarantine' | 'stir'>): Duty[][] {
  const { publishSeconds, witnesses, sinkUrl } = settings.audit
  const afterWriteMs = publishSeconds * 1000
  return [
    anchors.length > 0 || witnesses.length > 0 ? [publication(afterWriteMs)] : [],
    sinkUrl === undefined ? [] : [shipping(afterWriteMs)],
    upstreams.permits(vault) ? [replication, comparison, health] : [],
    upstreams.permits(vault) ? [credentials] : [],
    [rotation],
    [noticing],
    [rekeying, versions, retention],
    archive === undefined ? [] : [backup],
  ].filter((lane) => lane.length > 0)
}
