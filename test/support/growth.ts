/** How the time of some work grows with its input. */

/** Rounds until a growth above the limit is believed. */
const ROUNDS = 25

/**
 * How many times as long some work takes on a larger input as on a smaller one: a ratio of times of one run, so that the
 * machine does not matter.
 *
 * The two take turns, and the least time of each counts, which is what a busy machine cannot make smaller. It ends once
 * the ratio is below `limit`, after three rounds at least; what truly grows by more stays above it however long it is tried.
 */
export function growth(smaller: () => unknown, larger: () => unknown, limit: number): number {
  const least: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  let ratio = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS && (round < 3 || ratio >= limit); round++) {
    least[0] = Math.min(least[0], time(smaller))
    least[1] = Math.min(least[1], time(larger))
    ratio = least[1] / least[0]
  }
  return ratio
}

function time(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}
