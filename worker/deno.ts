/**
 * Runs Postern on Deno: `deno run --allow-net --allow-read --allow-write --allow-env worker/deno.ts`.
 *
 * @module
 */
import { PosternError } from '../core/errors.ts'
import { harden } from './http/harden.ts'
import { problem } from './http/problem.ts'
import { listenOrFail } from './local/process_exit.ts'
import { openLocal } from './local/server.ts'

declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen(): void; cert?: string; key?: string },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void> }
}

const local = await openLocal('Deno')
/** The requests that are being answered. */
const inFlight = new Set<Promise<Response>>()
let stopping = false

const server = listenOrFail(local.settings, () =>
  Deno.serve(
    { hostname: local.settings.host, port: local.settings.port, onListen: () => {}, ...(local.tls ?? {}) },
    (request, { remoteAddr }) => (stopping ? stoppingAnswer() : serve(request, remoteAddr.hostname ?? null)),
  ),
)
local.stopOnSignal(async () => {
  // First, because Deno 2.9.6 cuts off request bodies at shutdown (denoland/deno#36809).
  stopping = true
  await Promise.allSettled(inFlight)
  await server.shutdown()
})
// A listener of Deno 2.9 keeps its certificate, and its shutdown cuts off request bodies.
local.followTls(null)
local.announce(server.addr.port)

function serve(request: Request, socket: string | null): Promise<Response> {
  const answering = local.fetch(request, socket)
  inFlight.add(answering)
  const done = () => void inFlight.delete(answering)
  answering.then(done, done)
  return answering
}

async function stoppingAnswer(): Promise<Response> {
  const error = new PosternError('unavailable', 'Server is stopping', { retryAfterSeconds: 1 })
  return harden(problem(error, crypto.randomUUID()))
}
