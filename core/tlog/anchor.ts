/**
 * Anchors: the newest checkpoint of each log, kept apart from the log. To roll back the store without notice, an
 * attacker must roll back the anchor too.
 *
 * @module
 */
import { parseUtf8 } from '../bytes.ts'
import { PosternError } from '../errors.ts'
import { type SendOptions, send } from '../http/send.ts'
import type { Redacted } from '../redacted.ts'

/** A store of checkpoints. */
export interface Anchor {
  /** Its name in the log and for operators. */
  target: string
  /** Reads the checkpoint of a vault; `null` if there is none, yet or any more. */
  read(vault: string): Promise<string | null>
  /** Replaces the checkpoint of a vault. */
  write(vault: string, note: string): Promise<void>
}

/**
 * An anchor behind HTTPS: `GET` and `PUT <url>/<vault>`, with the signed note as the body. 404 means that there is no
 * checkpoint yet.
 *
 * @param token Supplies the token at each request. Sent as `Authorization: Bearer`.
 */
export function httpAnchor(
  url: string,
  token: (() => Promise<Redacted<string>>) | undefined,
  options: SendOptions,
): Anchor {
  const base = url.replace(/(?<!\/)\/+$/, '')
  const headersNow = async () => ({
    'Content-Type': 'text/plain; charset=utf-8',
    ...(token && { Authorization: `Bearer ${(await token()).reveal()}` }),
  })
  return {
    target: `anchor:${new URL(base).host}`,
    async read(vault) {
      const { status, body } = await send(`${base}/${vault}`, { method: 'GET', headers: await headersNow() }, options)
      if (status === 404) return null
      if (status !== 200) throw refused(status)
      const note = parseUtf8(body)
      // Not `null`, which would be overwritten.
      if (note === null) throw new PosternError('unavailable', 'Anchor holds something else than text')
      return note
    },
    async write(vault, note) {
      const { status } = await send(
        `${base}/${vault}`,
        { method: 'PUT', headers: await headersNow(), body: note },
        options,
      )
      if (status < 200 || status > 299) throw refused(status)
    },
  }
}

function refused(status: number): PosternError {
  return new PosternError('unavailable', `Anchor answered with status ${status}`)
}
