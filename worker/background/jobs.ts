import { backup } from './back_up.ts'
import { credentials, health } from './check_providers.ts'
import { retention } from './prune_log.ts'
import { versions } from './prune_versions.ts'
import { publication } from './publish_checkpoints.ts'
import { comparison, replication } from './replicate.ts'
import { rekeying } from './rewrap_keys.ts'
import { rotation } from './rotate_secrets.ts'
import type { Desk, Duty } from './scheduler.ts'
import { noticing } from './send_notifications.ts'
import { shipping } from './ship_log.ts'

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
