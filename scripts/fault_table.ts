/**
 * What a test of a fault tells beside whether it passed: `npx node scripts/faults.ts` makes a table of it.
 *
 * @module
 */
/** One fault on one runtime. */
export interface FaultRow {
  fault: string
  runtime: string
  /** Writes that were acknowledged. */
  acknowledged: number
  /** The number of acknowledged writes that were lost or not in the log afterwards. */
  lost: number
  /** What there was afterwards, and when. */
  recovered: string
}

declare module '@vitest/runner' {
  interface TaskMeta {
    fault?: FaultRow
  }
}
