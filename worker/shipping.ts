/**
 * Sending the log on as it is written, to a collector or a web hook. Never in the way of a request: what is not sent
 * yet waits in the log itself, behind a mark.
 *
 * @module
 */
import { render } from '../core/audit/export.ts'
import { parseUtf8 } from '../core/bytes.ts'
import { PosternError } from '../core/errors.ts'
import { send } from '../core/providers/send.ts'
import { signWebhook } from '../core/webhook.ts'
import { originOf } from './checkpoint.ts'
import type { Desk, Duty } from './upkeep.ts'

export const SINK = 'sink'
const MAX_ENTRIES = 500
const MAX_BYTES = 512 * 1024
/** How many posts one run makes, so that other duties come to their turn. */
const MAX_POSTS = 20

/** Posts what the sink does not have yet, oldest first, each entry at least once. */
export function shipping(afterWriteMs: number): Duty {
  return {
    name: 'shipping',
    afterWriteMs,
    async run(desk) {
      let mark = (await desk.perform('delivery.find', { target: SINK }))?.mark ?? 0
      for (let posts = 0; posts < MAX_POSTS; posts++) {
        const batch = await desk.perform('audit.batch', { from: mark, limit: MAX_ENTRIES, maxBytes: MAX_BYTES })
        if (batch.entries.length === 0) return null
        await post(
          desk,
          batch.start,
          batch.entries.map(({ body }) => parseUtf8(body)!),
        )
        mark = batch.start + batch.entries.length
        await desk.perform('delivery.report', { target: SINK, mark })
      }
      return Date.now()
    },
  }
}

async function post(desk: Desk, start: number, entries: string[]): Promise<void> {
  const { sinkUrl = '', sinkFormat, sinkToken, sinkSecret } = desk.settings.audit
  const log = originOf(desk)
  const { contentType, body } = render(entries, sinkFormat, log)
  // The same for the same entries: a receiver can tell what it has already.
  const id = `${log}/${start}-${start + entries.length - 1}`
  const message = { id, timestampSeconds: Math.floor(Date.now() / 1000), body }
  const headers = {
    'Content-Type': contentType,
    ...(sinkToken && { Authorization: `Bearer ${sinkToken.reveal()}` }),
    ...(sinkSecret && (await signWebhook(sinkSecret, message))),
  }
  // The operator named the address: it may be on this machine.
  const status = await send(sinkUrl, { method: 'POST', headers, body }, { allowLoopback: true }).then(
    (answer) => answer.status,
    () => null,
  )
  if (status !== null && status >= 200 && status <= 299) return
  await desk.perform('delivery.report', { target: SINK, failure: status === null ? 'unavailable' : `status_${status}` })
  throw new PosternError('unavailable', 'Sink did not take entries')
}
