/** Postern on Deno: `deno run --allow-net --allow-read --allow-write --allow-env worker/deno.ts`. */
import { listenOrFail, openLocal } from './local.ts'

declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen(): void; cert?: string; key?: string },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void> }
}

const local = await openLocal('Deno')
const server = listenOrFail(() =>
  Deno.serve(
    { hostname: local.settings.host, port: local.settings.port, onListen: () => {}, ...(local.tls ?? {}) },
    (request, { remoteAddr }) => local.fetch(request, remoteAddr.hostname ?? null),
  ),
)
local.stopOnSignal(() => server.shutdown())
local.announce(server.addr.port)
