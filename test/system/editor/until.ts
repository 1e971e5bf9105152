/**
 * Polls until a condition holds.
 *
 * @module
 */

const TIMEOUT_MS = 20_000
const PAUSE_MS = 100

/**
 * Tries until there is something.
 *
 * @param what Named when there never is.
 */
export async function until<T>(work: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
  const deadline = Date.now() + TIMEOUT_MS
  while (Date.now() < deadline) {
    const result = await Promise.resolve()
      .then(work)
      .catch(() => null)
    if (result) return result
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  throw new Error(`Waited too long for ${what}`)
}
