/**
 * The deadline of a request.
 *
 * @module
 */
import { refusal } from '../../core/errors.ts'

/**
 * Waits for work until the deadline. The work itself runs on: it may be recorded already, and what a provider was sent
 * must still get its entry. A client that repeats the request with the same idempotency key gets one write.
 *
 * @param onLate Is called when the deadline passes.
 * @throws {PosternError} `unavailable` with reason `late`
 */
export async function withDeadline(work: Promise<void>, timeoutMs: number, onLate: () => void): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    onLate()
    reject(refusal('late', { retryAfterSeconds: 1 }))
  }, timeoutMs)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
