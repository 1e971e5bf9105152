/**
 * A proxy on loopback that opens tunnels by `CONNECT`, and takes every name for this machine.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** A request to the proxy. */
export interface ProxyRequest {
  /** `CONNECT store.test:443`, or the method and the URL of a request that was sent in the clear. */
  line: string
  authorization: string | undefined
}

/** Starts one. */
export async function startConnectProxy() {
  const seen: ProxyRequest[] = []
  const sockets = new Set<Socket>()
  const state = { status: 200 }
  const server = createServer((request, response) => {
    note(request)
    response.end('in the clear')
  })
  const note = ({ method, url, headers }: IncomingMessage) => {
    seen.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'] })
  }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    note(request)
    if (state.status !== 200) {
      socket.end(`HTTP/1.1 ${state.status} Refused\r\n\r\n`)
      return
    }
    const port = Number(/:([0-9]+)$/.exec(request.url ?? '')?.[1])
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(socket)
      socket.pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return Object.assign(state, { host, seen, close })
}
