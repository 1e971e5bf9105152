/**
 * Rewrap: the DEKs of a vault move to the newest term of its key, in batches that begin where the last one ended. The
 * vault hands out heads of envelopes, and puts those in place that the edge, which has the keys, makes of them.
 *
 * @module
 */
import type { Bytes } from '../../bytes.ts'
import type { Outcome } from '../operation.ts'
import { type TaskContext, task } from '../task.ts'
import type { RekeyCursor, Stale } from './key_store.ts'

/** How many rows one transaction looks at, so that no request waits long for it. */
const BATCH = 200
/** 5 bytes, a kid of 64 at most, and the wrapped DEK. */
const MAX_HEAD = 109

/** Begins a term when the newest is older than `maxAgeMs`, and no move is under way. */
export const rekeyOld = task({
  securityEvent: true,
  resource: () => 'keys',
  run({ keys, now }: TaskContext, { maxAgeMs }: { maxAgeMs: number }): Outcome<{ nextAt: number }> {
    const { startedAt, number } = keys.terms()[0]!
    const due = startedAt + maxAgeMs
    if (now < due) return { value: { nextAt: due }, unrecorded: true }
    if (keys.isMoving()) return { value: { nextAt: now }, unrecorded: true }
    keys.start(null, now)
    return { value: { nextAt: now + maxAgeMs }, facts: { term: number + 1 } }
  },
})

/** Heads of envelopes that an older term's key wraps. */
export interface StaleBatch {
  term: number
  /** The id of the key that they are moved to. */
  kid: string
  place: RekeyCursor
  items: Stale[]
  next: RekeyCursor | null
}

/** Finds envelopes that are still under an older term. */
export const findStale = task({
  resource: () => 'keys',
  run({ keys }: TaskContext, _: Record<never, never>): Outcome<StaleBatch | null> {
    const place = keys.place()
    const kid = place && keys.target(place.stage)
    if (place === null || kid === null) return { value: null, unrecorded: true }
    if (place.stage === 0 && place.cursor === 0) keys.again()
    return { value: { term: keys.term(), kid, place, ...keys.stale(place, BATCH, MAX_HEAD) }, unrecorded: true }
  },
})

/** What the edge made of a batch; `null` where it could not. */
export interface Rewrapped extends StaleBatch {
  heads: ({ kid: string; head: Bytes } | null)[]
}

/** Puts new heads in place, and notes how far that is. */
export const keepRewrapped = task({
  securityEvent: true,
  resource: () => 'keys',
  run({ keys, roots, now }: TaskContext, batch: Rewrapped): Outcome<{ done: boolean; unneeded: string[] }> {
    const { term, place, items, heads, next } = batch
    const here = keys.place()
    // Done by another meanwhile, or for a term that is not the newest any more.
    if (term !== keys.term() || here?.stage !== place.stage || here.cursor !== place.cursor)
      return { reason: 'superseded', unrecorded: true }
    let moved = 0
    let failed = 0
    for (const [i, item] of items.entries()) {
      const head = heads[i] ?? null
      if (head === null) failed += keys.fail(place.stage, item) ? 1 : 0
      else if (keys.replaceHead(place.stage, item, head)) moved++
    }
    const before = next === null ? roots.needed() : []
    keys.moveOn(next, { moved, failed }, now)
    if (next !== null) return { value: { done: false, unneeded: [] }, unrecorded: true }
    const { moved: inAll, failed: left } = keys.terms()[0]!
    const needed = roots.needed()
    const unneeded = before.filter((id) => !needed.includes(id))
    const facts = { term, moved: inAll, failed: left, ...(unneeded.length > 0 && { unneededRootKeys: unneeded }) }
    return { value: { done: true, unneeded }, facts }
  },
})
