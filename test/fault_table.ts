/**
 * What a test of a fault tells beside whether it passed: `npm run faults` makes a table of it.
 *
 * @module
 */
import process from 'node:process'

/** One fault on one runtime. */
export interface FaultRow {
  fault: string
  runtime: string
  /** Writes that were acknowledged. */
  acknowledged: number
  /** Of those, how many were gone, or not in the log, afterwards. */
  lost: number
  /** What there was afterwards, and when. */
  recovered: string
}

declare module '@vitest/runner' {
  interface TaskMeta {
    fault?: FaultRow
  }
}

/** The long form, which `npm run faults` asks for, takes minutes; the short one is for every day. */
export function inFull<T>(long: T, short: T): T {
  return process.env.FAULTS === 'full' ? long : short
}
