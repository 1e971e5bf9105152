/**
 * Repeating work that another request overtook.
 *
 * @module
 */
import { PosternError } from './errors.ts'

/**
 * Repeats work that is refused with reason `raced` because another request made a conflicting change.
 *
 * @param maxRaces The most repeats.
 * @param work Gets the number of repeats so far.
 * @throws {PosternError} `conflict` with reason `raced` if the last repeat is overtaken too, and any other error of
 *   `work`.
 */
export async function retryRaced<T>(maxRaces: number, work: (races: number) => Promise<T>): Promise<T> {
  for (let races = 0; ; races++) {
    try {
      return await work(races)
    } catch (error) {
      const isRaced = error instanceof PosternError && error.detail.reason === 'raced'
      if (!isRaced || races === maxRaces) throw error
    }
  }
}
