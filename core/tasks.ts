/**
 * Everything that a vault does by itself, in one table.
 *
 * @module
 */
import { noteConfiguration } from './audit/configuration.ts'
import * as delivery from './audit/delivery.ts'
import * as audit from './audit/operations.ts'
import * as retention from './audit/retention.ts'
import * as providers from './providers/tasks.ts'
import type { Task } from './task.ts'

/** By the name that the log records. */
export const TASKS = {
  'vault.configure': noteConfiguration,
  'audit.head': audit.headTask,
  'audit.sign': audit.keepTask,
  'audit.consistency': audit.consistencyTask,
  'audit.compare': audit.compareHead,
  'audit.dissent': audit.reportDissent,
  'audit.batch': audit.readBatch,
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
} as const

type Tasks = typeof TASKS
export type TaskName = keyof Tasks
export type TaskInput<K extends TaskName> = Tasks[K] extends Task<infer I, unknown> ? I : never
export type TaskOutput<K extends TaskName> = Tasks[K] extends Task<never, infer O> ? O : never
