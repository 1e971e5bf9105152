/**
 * A server that is told by hooks: it verifies each message on its own, and keeps which credentials it accepts.
 *
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Message {
  type: string
  data: Record<string, unknown> & { pending?: { value: string }; previous?: { value: string } }
}

/** Starts one on a free port of loopback. `secret` is what the hook was given. */
export async function startReceiver() {
  const accepted = new Set<string>()
  const messages: Message[] = []
  const receiver = { secret: '', refused: 0 }

  function isGenuine(headers: NodeJS.Dict<string | string[]>, body: string): boolean {
    const [id, time, signature] = ['id', 'timestamp', 'signature'].map((name) => String(headers[`webhook-${name}`]))
    const key = Buffer.from(receiver.secret.replace('whsec_', ''), 'base64')
    const mac = Buffer.from(createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64'))
    const given = Buffer.from(signature!.replace('v1,', ''))
    return (
      given.length === mac.length && timingSafeEqual(given, mac) && Math.abs(Date.now() / 1000 - Number(time)) < 300
    )
  }

  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      if (!isGenuine(request.headers, body)) {
        receiver.refused++
        response.writeHead(401).end()
        return
      }
      const message = JSON.parse(body) as Message
      messages.push(message)
      const { pending, previous } = message.data
      if (message.type === 'rotation.set') accepted.add(pending!.value)
      if (message.type === 'rotation.finish' && previous) accepted.delete(previous.value)
      if (message.type === 'rotation.undo' && pending) accepted.delete(pending.value)
      const failed = message.type === 'rotation.test' && !accepted.has(pending!.value)
      response.writeHead(failed ? 422 : 204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return Object.assign(receiver, { url, accepted, messages, close: () => server.close() })
}
