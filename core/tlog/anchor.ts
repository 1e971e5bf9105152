/**
 * Anchors: the newest checkpoint of each log, kept where the log is not. Who rolls the store back, or puts an older
 * one in its place, would have to roll back the anchor too.
 *
 * @module
 */
import { parseUtf8 } from '../bytes.ts'
import { PosternError } from '../errors.ts'
import { send } from '../http/send.ts'
import type { Redacted } from '../redacted.ts'

/** A place for checkpoints. */
export interface Anchor {
  /** Names it in the log and to operators. */
  target: string
  /** The checkpoint that is kept for a vault; `null` when there is none: not yet, or not any more. */
  read(vault: string): Promise<string | null>
  /** Puts a checkpoint in the place of the one before. */
  write(vault: string, note: string): Promise<void>
}

/**
 * An anchor behind HTTPS: `GET` and `PUT <url>/<vault>`, with the signed note as the body. 404 means that there is no
 * checkpoint yet.
 *
 * @param token Sent as `Authorization: Bearer`.
 */
export function httpAnchor(url: string, token: Redacted<string> | undefined): Anchor {
  const base = url.replace(/(?<!\/)\/+$/, '')
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(token && { Authorization: `Bearer ${token.reveal()}` }),
  }
  // The operator named the address: it may be on this machine.
  const options = { allowLoopback: true }
  return {
    target: `anchor:${new URL(base).host}`,
    async read(vault) {
      const { status, body } = await send(`${base}/${vault}`, { method: 'GET', headers }, options)
      if (status === 404) return null
      if (status !== 200) throw refused(status)
      const note = parseUtf8(body)
      // Not none: that would be overwritten.
      if (note === null) throw new PosternError('unavailable', 'Anchor holds something else than text')
      return note
    },
    async write(vault, note) {
      const { status } = await send(`${base}/${vault}`, { method: 'PUT', headers, body: note }, options)
      if (status < 200 || status > 299) throw refused(status)
    },
  }
}

function refused(status: number): PosternError {
  return new PosternError('unavailable', `Anchor answered with status ${status}`)
}
