/**
 * Runs Postern on Bun: `npm start`.
 *
 * @module
 */
import { listenOrFail } from './local/process_exit.ts'
import { type LocalServer, openLocal } from './local/server.ts'

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
const listen = (port: number, tls: LocalServer['tls']) =>
  Bun.serve({
    hostname: local.settings.host,
    port,
    // In seconds. Ends slow headers; http/body.ts ends slow bodies.
    idleTimeout: 30,
    // Never reached: body.ts stops far below, and answers with a problem document.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(tls && { tls }),
    fetch(request, server) {
      const address = server.requestIP(request)?.address ?? null
      // Also true of a request that another follows in one packet: Bun closes the connection (oven-sh/bun#38128).
      return local.fetch(request, address, () => request.signal.aborted)
    },
  })

let server = listenOrFail(local.settings, () => listen(local.settings.port, local.tls))
let inUse = local.tls
/** Listeners of former certificates, which answer what they have. */
const leaving: Promise<void>[] = []
// `reload` of Bun 1.4 ignores a certificate. The port is free as soon as `stop` returns, so no client is turned away.
local.followTls((tls) => {
  const { port } = server
  leaving.push(server.stop())
  try {
    server = listen(port, tls)
    inUse = tls
  } catch (error) {
    server = listen(port, inUse)
    throw error
  }
})
local.stopOnSignal(() => Promise.all([...leaving, server.stop()]))
local.announce(server.port)
