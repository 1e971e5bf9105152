/** An authenticator app (RFC 6238), as a user has one. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type TOTP, URI } from 'otpauth'
import type { Redacted } from '../../core/redacted.ts'

const STEP_MS = 30_000
/** What a server on a busy machine may need until it looks at a code. */
const SLACK_MS = 10_000
/** A timer may end a millisecond before the clock shows it, and so in the step before. */
const TIMER_MS = 50

/**
 * Codes of the secret in an enrolment, each of a later time step than the last, since a server takes each step once.
 *
 * A server takes the present step, the one before and the one after: the first code is of the one before, so that the
 * next two need no waiting. A fourth within a minute waits until its step is the next one, and holds the rest up.
 */
export function authenticator(uri: Redacted<string>): () => Promise<string> {
  const totp = URI.parse(uri.reveal()) as TOTP
  let used = 0
  return async () => {
    const left = STEP_MS - (Date.now() % STEP_MS)
    // A step that ends before the server looks is no longer the one before.
    if (used === 0 && left < SLACK_MS) await sleep(left + TIMER_MS)
    const present = Math.floor(Date.now() / STEP_MS)
    used = used === 0 ? present - 1 : Math.max(present, used + 1)
    const early = (used - 1) * STEP_MS - Date.now()
    if (early > 0) await sleep(early + TIMER_MS)
    return totp.generate({ timestamp: used * STEP_MS })
  }
}
