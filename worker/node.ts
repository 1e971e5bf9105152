/**
 * Runs Postern on Node 24: `node worker/node.ts`.
 *
 * @module
 */
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { failToListen } from './local/process_exit.ts'
import { openLocal } from './local/server.ts'

/** How often idle connections are closed while the server stops. */
const CLOSE_IDLE_MS = 50

const local = await openLocal('Node')
let stopping = false
const listener = getRequestListener((request, { incoming, outgoing }) => {
  // A client that keeps sending over one connection would keep the server from closing.
  if (stopping && 'shouldKeepAlive' in outgoing) outgoing.shouldKeepAlive = false
  return local.fetch(request, incoming.socket.remoteAddress ?? null, () => incoming.socket.destroyed)
})
// These limits end slow headers; http/body.ts ends slow bodies.
const { requestTimeoutMs } = local.settings
const limits = {
  headersTimeout: Math.min(10_000, requestTimeoutMs + 5_000),
  // Longer than our deadline, so that ours answers first, with a problem document.
  requestTimeout: requestTimeoutMs + 5_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
}
const secure = local.tls && createHttpsServer({ ...limits, ...local.tls }, listener)
const server = secure ?? createHttpServer(limits, listener)
// Connections that exist keep the former certificate.
local.followTls((tls) => secure?.setSecureContext(tls))

server.on('error', (error) => failToListen(error, local.settings))
server.listen(local.settings.port, local.settings.host, () => {
  local.announce((server.address() as AddressInfo).port)
})
local.stopOnSignal(async () => {
  stopping = true
  const closed = new Promise((resolve) => server.close(resolve))
  // Repeatedly: a connection becomes idle only when its last request is answered.
  const sweep = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS)
  await closed
  clearInterval(sweep)
})
