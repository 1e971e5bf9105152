/** Postern on Node 24: `node worker/node.ts`. */
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { fail } from './local/process_exit.ts'
import { openLocal } from './local/server.ts'

/** How often idle connections are closed while the server ends. */
const CLOSE_IDLE_MS = 50

const local = await openLocal('Node')
let stopping = false
const listener = getRequestListener((request, { incoming, outgoing }) => {
  // A client that goes on asking over one connection would keep the server from ever closing.
  if (stopping && 'shouldKeepAlive' in outgoing) outgoing.shouldKeepAlive = false
  return local.fetch(request, incoming.socket.remoteAddress ?? null)
})
// Slow headers end here; slow bodies in body.ts.
const { requestTimeoutMs } = local.settings
const limits = {
  headersTimeout: Math.min(10_000, requestTimeoutMs + 5_000),
  // Ours answers first, in our own form.
  requestTimeout: requestTimeoutMs + 5_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
}
const server = local.tls ? createHttpsServer({ ...limits, ...local.tls }, listener) : createHttpServer(limits, listener)

server.on('error', fail)
server.listen(local.settings.port, local.settings.host, () => {
  local.announce((server.address() as AddressInfo).port)
})
local.stopOnSignal(async () => {
  stopping = true
  const closed = new Promise((resolve) => server.close(resolve))
  // Again and again: a connection whose last request is answered now becomes idle only then.
  const sweep = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS)
  await closed
  clearInterval(sweep)
})
