/**
 * Runs Postern on Bun: `npm start`.
 *
 * @module
 */
import { listenOrFail } from './local/process_exit.ts'
import { openLocal } from './local/server.ts'

interface BunServer {
  port: number
  requestIP(request: Request): { address: string } | null
  stop(): Promise<void>
}

declare const Bun: {
  serve(options: {
    hostname: string
    port: number
    idleTimeout: number
    maxRequestBodySize: number
    tls?: { cert: string; key: string }
    fetch(request: Request, server: BunServer): Promise<Response>
  }): BunServer
}

const local = await openLocal('Bun')
const server = listenOrFail(() =>
  Bun.serve({
    hostname: local.settings.host,
    port: local.settings.port,
    // In seconds. Ends slow headers; http/body.ts ends slow bodies.
    idleTimeout: 30,
    // Never reached: body.ts stops far below, and answers with a problem document.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(local.tls && { tls: local.tls }),
    fetch(request, server) {
      const address = server.requestIP(request)?.address ?? null
      // Also true of a request that another follows in one packet: Bun closes the connection (oven-sh/bun#38128).
      return local.fetch(request, address, () => request.signal.aborted)
    },
  }),
)
local.stopOnSignal(() => server.stop())
local.announce(server.port)
