/** Postern on Node 24: `node worker/node.ts`. */
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { fail, openLocal } from './local.ts'

const local = await openLocal('Node')
const listener = getRequestListener((request, { incoming }) => {
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
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  await closed
})
