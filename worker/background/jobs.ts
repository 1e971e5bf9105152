/**
 * The jobs of a vault.
 *
 * @module
 */
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
import { shipLog, sinkCredentials } from './ship_log.ts'

/**
 * The jobs of a vault under these settings, in queues. Jobs share a queue if they call the same servers, or if one removes
 * what an earlier one still needs.
 */
export function jobsOf({
  vault,
  settings,
  anchors,
  registry,
  readFile,
  backupStore,
}: Omit<VaultServices, 'perform' | 'quarantine' | 'notifyWrite'>): Job[][] {
  const { publishSeconds, witnesses, sinkUrl } = settings.audit
  const afterWriteMs = publishSeconds * 1000
  return [
    anchors.length > 0 || witnesses.length > 0 ? [publishCheckpoints(afterWriteMs)] : [],
    sinkUrl === undefined ? [] : [shipLog(afterWriteMs, sinkCredentials(settings, readFile))],
    registry.permits(vault) ? [replicate, compareReplicas, checkProviders] : [],
    registry.permits(vault) ? [renewCredentials] : [],
    [rotateSecrets],
    [sendNotifications],
    [rewrapKeys, pruneVersions, pruneLog],
    backupStore === undefined ? [] : [backUp],
  ].filter((queue) => queue.length > 0)
}
