/**
 * Everything that a vault does by itself, in one table.
 *
 * @module
 */

import { noteSchema } from './audit/accepted_schema_task.ts'
import * as backup from './audit/backup_tasks.ts'
import { noteConfiguration } from './audit/configuration_task.ts'
import * as delivery from './audit/delivery_tasks.ts'
import * as retention from './audit/log_retention.ts'
import * as audit from './audit/operations.ts'
import { isLogSound, recheckLog } from './audit/recheck_task.ts'
import * as providers from './chains/replication_tasks.ts'
import * as keys from './keys/key_tasks.ts'
import * as roots from './keys/root_key_tasks.ts'
import * as notices from './notifications/tasks.ts'
import * as binding from './notifications/webhook_binding_task.ts'
import * as rotations from './rotation/tasks.ts'
import * as versions from './secrets/version_retention_tasks.ts'
import { countStats } from './stats.ts'
import type { Task } from './task.ts'

/** The tasks by the name that the log records. */
export const TASKS = {
  'vault.configure': noteConfiguration,
  'vault.backed_up': backup.noteBackup,
  'vault.backups': backup.findOwnBackups,
  'vault.restored': backup.noteRestore,
  'vault.restoration': backup.findRestore,
  'vault.schema': noteSchema,
  'vault.gauges': countStats,
  'audit.head': audit.headTask,
  'audit.sign': audit.keepTask,
  'audit.consistency': audit.consistencyTask,
  'audit.compare': audit.compareHead,
  'audit.dissent': audit.reportDissent,
  'audit.sound': isLogSound,
  'audit.recheck': recheckLog,
  'audit.batch': audit.readBatch,
  'audit.rekey': audit.rekeyTask,
  'delivery.find': delivery.findDelivery,
  'delivery.report': delivery.reportDelivery,
  'retention.announce': retention.announceRetention,
  'retention.prune': retention.pruneLog,
  'replica.lagging': providers.laggingReplicas,
  'replica.reached': providers.replicaReached,
  'replica.failed': providers.replicaFailed,
  'replica.uncompared': providers.uncomparedReplicas,
  'replica.compared': providers.replicaCompared,
  'replica.forgotten': providers.forgetReplica,
  'provider.used': providers.providersInUse,
  'provider.seen': providers.providerSeen,
  'rotation.look': rotations.lookAtRotations,
  'rotation.due': rotations.startDue,
  'rotation.claim': rotations.claimStep,
  'rotation.next': rotations.nextVersion,
  'rotation.create': rotations.keepCreated,
  'rotation.advance': rotations.advanceRun,
  'rotation.fail': rotations.failStep,
  'keys.age': keys.rekeyOld,
  'keys.stale': keys.findStale,
  'keys.rewrap': keys.keepRewrapped,
  'root.look': roots.lookAtRoots,
  'root.use': roots.countRootUse,
  'root.replace': roots.replaceRoot,
  'hook.unbound': binding.findUnbound,
  'hook.bind': binding.bindWebhooks,
  'notices.next': notices.nextNotification,
  'notices.settle': notices.settleNotification,
  'versions.find': versions.findPrunable,
  'versions.prune': versions.pruneVersions,
} as const

type Tasks = typeof TASKS
/** The name of a task. */
export type TaskName = keyof Tasks
/** The input of a task. */
export type TaskInput<K extends TaskName> = Tasks[K] extends Task<infer I, unknown> ? I : never
/** The output of a task. */
export type TaskOutput<K extends TaskName> = Tasks[K] extends Task<never, infer O> ? O : never
