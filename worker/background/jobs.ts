import type { VaultServices } from '../vault_services.ts'
import { backUp } from './back_up.ts'
import { checkProviders, renewCredentials } from './check_providers.ts'
import { pruneLog } from './prune_log.ts'
import { pruneVersions } from './prune_versions.ts'
import { publishCheckpoints } from './publish_checkpoints.ts'
import { compareReplicas, replicate } from './replicate.ts'
import { rewrapKeys } from './rewrap_keys.ts'
import { rotateSecrets } from './rotate_secrets.ts'
import type { Job } from './scheduler.ts'
import { sendNotifications } from './send_notifications.ts'
import { shipLog } from './ship_log.ts'

/**
 * Every duty that there is for a vault, as settings ask for it. Those of a lane are done one after another: they ask the
 * same others, or take away what the ones before them still need.
 */
export function jobsOf({
  vault,
  settings,
  anchors,
  registry,
  backupStore,
}: Omit<VaultServices, 'perform' | 'quarantine' | 'notifyWrite'>): Job[][] {
  const { publishSeconds, witnesses, sinkUrl } = settings.audit
  const afterWriteMs = publishSeconds * 1000
  return [
    anchors.length > 0 || witnesses.length > 0 ? [publishCheckpoints(afterWriteMs)] : [],
    sinkUrl === undefined ? [] : [shipLog(afterWriteMs)],
    registry.permits(vault) ? [replicate, compareReplicas, checkProviders] : [],
    registry.permits(vault) ? [renewCredentials] : [],
    [rotateSecrets],
    [sendNotifications],
    [rewrapKeys, pruneVersions, pruneLog],
    backupStore === undefined ? [] : [backUp],
  ].filter((queue) => queue.length > 0)
}
