/**
 * The targets of secrets that a provider keeps: its own rotation, or a value that is made here and written to it.
 *
 * @module
 */
import { PosternError } from '../core/errors.ts'
import { failureOf } from '../core/providers/ask.ts'
import type { Replica } from '../core/providers/failover.ts'
import type { FailureKind, ProvidedSecret } from '../core/providers/provider.ts'
import { isBroken } from '../core/providers/upstream.ts'
import type { Failure } from '../core/secrets/rotation.ts'
import type { ProvidedRun } from '../core/secrets/rotation_store.ts'
import type { Turn } from '../core/secrets/rotation_tasks.ts'
import {
  type Credential,
  generateOnly,
  type RotationTarget,
  TargetFailure,
  type TargetStep,
} from '../core/secrets/target.ts'
import { askReplica, isSame } from './replica.ts'
import type { Desk } from './upkeep.ts'

/** A turn at a secret that a provider keeps. */
export type ProvidedTurn = Turn & { provided: ProvidedRun }

/** The target of such a run. Nothing can be undone there: see `core/secrets/rotation.ts`. */
export function providedTarget(desk: Desk, turn: ProvidedTurn): RotationTarget {
  return turn.config.target.kind === 'provider' ? selfRotating(desk, turn) : written(desk, turn)
}

/**
 * The version that is current before a value is made: the write expects it.
 *
 * @throws {TargetFailure}
 */
export async function currentVersionAt(desk: Desk, turn: ProvidedTurn): Promise<string> {
  return attempt(async () => (await read(desk, primaryOf(desk, turn))).version)
}

/** A provider that is asked to make the next value itself, and then until it is current. */
function selfRotating(desk: Desk, turn: ProvidedTurn): RotationTarget {
  const { token } = turn.provided
  const ask = (begin: boolean) =>
    attempt(async () => {
      const primary = primaryOf(desk, turn)
      const { provider } = primary.upstream
      if (provider.rotate === undefined) throw new TargetFailure('refused')
      return askReplica(desk, primary, (signal) => provider.rotate!(primary.name, { token, begin, signal }))
    })
  return {
    ...generateOnly,
    set: async () => (await ask(true)).version,
    test: async () => {
      const { version, isDone } = await ask(false)
      if (!isDone) throw new TargetFailure('unfinished')
      return version
    },
  }
}

/** A provider that the value is written to. That it arrived is found by reading, whatever answer got lost. */
function written(desk: Desk, turn: ProvidedTurn): RotationTarget {
  return {
    ...generateOnly,
    set: ({ pending }) => attempt(() => write(desk, turn, pendingOf(pending))),
    test: ({ pending }) =>
      attempt(async () => {
        const present = await read(desk, primaryOf(desk, turn))
        if (!isSame(present, pendingOf(pending))) throw new TargetFailure('unfinished')
        return present.version
      }),
  }
}

/** Writes the pending value in place of the one that was current when it was made. @returns Its version there. */
async function write(desk: Desk, turn: ProvidedTurn, pending: Credential): Promise<string> {
  const { token, expects } = turn.provided
  const primary = primaryOf(desk, turn)
  const { provider } = primary.upstream
  const present = await read(desk, primary)
  if (isSame(present, pending)) return present.version
  const contentType = present.contentType ?? pending.contentType
  try {
    const put = { idempotencyKey: token, contentType, ...(expects !== undefined && { expect: expects }) }
    return (await askReplica(desk, primary, (signal) => provider.put(primary.name, pending.value, { ...put, signal })))
      .version
  } catch (error) {
    if (failureOf(error).kind !== 'conflict') throw error
    // Somebody else's write; or our own, on its way since an earlier turn.
    const now = await read(desk, primary)
    if (isSame(now, pending)) return now.version
    throw error
  }
}

function read(desk: Desk, primary: Replica): Promise<ProvidedSecret> {
  return askReplica(desk, primary, (signal) => primary.upstream.provider.get(primary.name, { signal }))
}

function primaryOf({ upstreams, vault }: Desk, { name, provided }: ProvidedTurn): Replica {
  return upstreams.replicas(vault, { members: [provided.member] }, name)[0]!
}

function pendingOf(pending: TargetStep['pending']): Credential {
  if (pending === null) throw new TargetFailure('cannot_open')
  return pending
}

/** What the kinds of failures of a provider are to a run; all others are refusals. */
const FAILURES: Partial<Record<FailureKind, Failure>> = {
  denied: 'denied',
  conflict: 'conflict',
  // Credentials are renewed by the operator, not by another run.
  credentials: 'unreachable',
  throttled: 'unreachable',
  timeout: 'unreachable',
  sealed: 'unreachable',
  unavailable: 'unreachable',
}

/** Does something at a provider. @throws {TargetFailure} and nothing else. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TargetFailure) throw error
    if (isBroken(error)) throw new TargetFailure('unreachable')
    if (error instanceof PosternError) throw new TargetFailure(error.code === 'bad_request' ? 'refused' : 'unreachable')
    const { kind, code, isUnread } = failureOf(error)
    throw new TargetFailure(isUnread ? 'unreachable' : (FAILURES[kind] ?? 'refused'), code)
  }
}
