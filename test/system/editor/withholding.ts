/**
 * A proxy before a server that can withhold what happened lately: it shows a checkpoint of before, in place of the newest.
 *
 * @module
 */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Withholding {
  endpoint: string
  /** Whether to show, from now on, the last checkpoint that was seen on the way. */
  withholds: boolean
  close(): Promise<void>
}

/** Starts it before a server on loopback. */
export async function startWithholding(port: string): Promise<Withholding> {
  let seen = Buffer.alloc(0)
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    // With the headers as they are: proofs name the address that the client asked.
    const asked = request({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, async (answer) => {
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk)
      let body = Buffer.concat(chunks)
      if (url?.endsWith('/audit/checkpoint')) {
        if (proxy.withholds) body = seen
        else seen = body
      }
      const { 'transfer-encoding': _, ...kept } = answer.headers
      outgoing.writeHead(answer.statusCode!, { ...kept, 'content-length': body.length }).end(body)
    })
    asked.on('error', () => outgoing.destroy())
    incoming.pipe(asked)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const proxy: Withholding = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    withholds: false,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
