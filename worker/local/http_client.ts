/**
 * An HTTP client of the runtime with other authorities or a proxy: Bun and Deno have options of `fetch` for them, and Node
 * has undici.
 *
 * @module
 */
import tls from 'node:tls'
import type { Fetch } from '../../core/http/send.ts'

/** The options of `fetch` on Bun. */
interface BunOptions {
  tls?: { ca: string[] }
  proxy?: string
}

interface DenoClient {
  close(): void
}

declare const Deno: {
  createHttpClient(options: { caCerts?: string[]; proxy?: { url: string } }): DenoClient
}

type Extended = (url: string, init: RequestInit & Record<string, unknown>) => Promise<Response>

/**
 * Makes a client.
 *
 * @param authorities Certificates in PEM, trusted besides the ones that the runtime trusts.
 * @param proxy An http URL, which may hold credentials; `null` for none. An https request goes through it by `CONNECT`.
 */
export function clientOf(authorities: readonly string[], proxy: string | null): Fetch {
  const send = 'Bun' in globalThis ? bunClient : 'Deno' in globalThis ? denoClient : nodeClient
  return send(authorities, proxy)
}

function bunClient(authorities: readonly string[], proxy: string | null): Fetch {
  const options: BunOptions = {
    ...(authorities.length > 0 && { tls: { ca: withDefaults(authorities) } }),
    ...(proxy !== null && { proxy }),
  }
  return async (request) => (fetch as Extended)(request.url, { ...(await initOf(request)), ...options })
}

function denoClient(authorities: readonly string[], proxy: string | null): Fetch {
  const client = Deno.createHttpClient({
    ...(authorities.length > 0 && { caCerts: [...authorities] }),
    ...(proxy !== null && { proxy: { url: proxy } }),
  })
  return async (request) => (fetch as Extended)(request.url, { ...(await initOf(request)), client })
}

function nodeClient(authorities: readonly string[], proxy: string | null): Fetch {
  // Loaded when it is needed: most servers have neither.
  const loaded = import('undici').then(({ Agent, ProxyAgent, fetch }) => {
    const secureContext =
      authorities.length > 0 ? tls.createSecureContext({ ca: withDefaults(authorities) }) : undefined
    const connect = secureContext && { secureContext }
    const dispatcher =
      proxy === null
        ? new Agent(connect && { connect })
        : new ProxyAgent({ uri: proxy, ...(connect && { requestTls: connect }) })
    return { dispatcher, fetch: fetch as unknown as Extended }
  })
  return async (request) => {
    const { dispatcher, fetch } = await loaded
    return fetch(request.url, { ...(await initOf(request)), dispatcher })
  }
}

/** Adds the authorities that the runtime trusts by default, with those of `NODE_EXTRA_CA_CERTS`. */
function withDefaults(authorities: readonly string[]): string[] {
  return [...tls.getCACertificates('default'), ...authorities]
}

/** A `Request` of the platform is foreign to undici, and its options do not combine with others everywhere. */
async function initOf(request: Request): Promise<RequestInit> {
  const { method, headers, redirect, signal } = request
  const body = request.body === null ? null : await request.arrayBuffer()
  return { method, headers: [...headers], redirect, signal, body }
}
