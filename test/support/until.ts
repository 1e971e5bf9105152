/**
 * Waiting for what a server does in its own time.
 *
 * @module
 */
import { sleep } from '../../core/sleep.ts'

const TIMEOUT_MS = 60_000
const PAUSE_MS = 50

/**
 * Looks again and again until what it finds holds.
 *
 * @param holds Whether the find is the one to wait for; without it, any truthy one is.
 * @returns The find that holds.
 * @throws {Error} after 60 seconds, with the last find.
 */
export async function until<T>(look: () => T | Promise<T>, holds: (found: T) => boolean = Boolean): Promise<T> {
  const deadline = performance.now() + TIMEOUT_MS
  for (;;) {
    const found = await look()
    if (holds(found)) return found
    if (performance.now() > deadline) throw new Error(`Waited ${TIMEOUT_MS} ms; last found: ${JSON.stringify(found)}`)
    await sleep(PAUSE_MS)
  }
}
