/**
 * Repeating work that another request overtook.
 *
 * @module
 */
import { PosternError } from './errors.ts'

/**
 * Runs work again for as long as it is refused with reason `raced`: another request changed the same at the same time.
 *
 * @param maxRaces How many repeats there are at most.
 * @param work Gets the number of races that were lost, from 0 on.
 * @throws {PosternError} `conflict` with reason `raced` when the last repeat was overtaken too, and whatever else `work` throws.
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
