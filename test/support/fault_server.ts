/**
 * Servers on loopback that answer as a store of each kind does, until they are told to fail.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const SERVED_KINDS = ['aws', 'azure', 'hashicorp', 'http'] as const
export type ServedKind = (typeof SERVED_KINDS)[number]

export const FAULTS = [
  'none',
  'refused',
  'hangs',
  '503',
  '429',
  '429 with Retry-After',
  '403',
  '404',
  '403 of a proxy',
  '404 of a proxy',
  'garbage 200',
  'truncated body',
  '10 MB body',
  'redirect to another host',
  'challenge of another host',
  'clock 10 minutes off',
] as const
export type Fault = (typeof FAULTS)[number]

const SKEW_MS = 600_000
const HOUR = 3600

interface Reply {
  status: number
  body: object
}

/** The answers of a store: the value, and its forms of refusal. */
const WORDS: Record<ServedKind, (value: string) => Record<'found' | '401' | '403' | '404' | '429' | '503', Reply>> = {
  aws: (value) => ({
    found: { status: 200, body: { Name: 'prod/db', VersionId: 'v'.repeat(32), SecretString: value, CreatedDate: 1.5 } },
    401: { status: 400, body: { __type: 'UnrecognizedClientException', Message: 'no' } },
    403: { status: 400, body: { __type: 'AccessDeniedException', Message: 'no' } },
    404: { status: 400, body: { __type: 'ResourceNotFoundException', Message: 'no' } },
    429: { status: 400, body: { __type: 'ThrottlingException', Message: 'slow' } },
    503: { status: 503, body: { __type: 'InternalServiceError', Message: 'down' } },
  }),
  azure: (value) => ({
    found: { status: 200, body: { id: `https://v/secrets/n/${'a'.repeat(32)}`, value, attributes: { enabled: true } } },
    401: { status: 401, body: { error: { code: 'Unauthorized', message: 'no' } } },
    403: { status: 403, body: { error: { code: 'Forbidden', message: 'no' } } },
    404: { status: 404, body: { error: { code: 'SecretNotFound', message: 'no' } } },
    429: { status: 429, body: { error: { code: 'Throttled', message: 'slow' } } },
    503: { status: 503, body: { error: { code: 'ServiceUnavailable', message: 'down' } } },
  }),
  hashicorp: (value) => ({
    found: {
      status: 200,
      body: {
        data: {
          data: { value },
          metadata: { version: 1, created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false },
        },
      },
    },
    401: { status: 400, body: { errors: ['missing client token'] } },
    403: { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } },
    404: { status: 404, body: { errors: [] } },
    429: { status: 429, body: { errors: ['request path "secret": rate limit quota exceeded'] } },
    503: { status: 503, body: { errors: ['Vault is sealed'] } },
  }),
  http: (value) => ({
    found: { status: 200, body: { value } },
    401: { status: 401, body: {} },
    403: { status: 403, body: {} },
    404: { status: 404, body: {} },
    429: { status: 429, body: {} },
    503: { status: 503, body: {} },
  }),
}

/** A store that has one value under every name. */
export interface FaultServer {
  kind: ServedKind
  /** How it fails now. A refused connection is a server that was stopped: {@link FaultServer.stop}. */
  fault: Fault
  /** Where it redirects to, and points a client that it sends away. */
  elsewhere: string
  /** How many reads it was asked for. */
  reads: number
  /** How long an answer takes. */
  delayMs: number
  /** The settings that configure it. */
  environment: Record<string, string>
  /** Ends it: connections are refused from then on. */
  stop(): Promise<void>
  /** Starts it again on the same port. */
  start(): Promise<void>
}

/** Starts a server of a kind, with a value. */
export async function startFaultServer(kind: ServedKind, value: string): Promise<FaultServer> {
  let server: Server
  let port = 0
  const bench: FaultServer = {
    kind,
    fault: 'none',
    elsewhere: 'http://127.0.0.1:9/',
    reads: 0,
    delayMs: 0,
    environment: {},
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
    async start() {
      server = createServer((request, response) => void answer(bench, WORDS[kind](value), request, response))
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
      bench.environment = settingsOf(kind, port)
    },
  }
  await bench.start()
  return bench
}

async function answer(
  bench: FaultServer,
  words: ReturnType<(typeof WORDS)['aws']>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume()
  if (request.url === '/token') return send(response, { status: 200, body: { access_token: 't', expires_in: HOUR } })
  // A client of Vault asks whether its token lives when it is refused; Key Vault, whether the secret is deleted.
  if (request.url?.includes('lookup-self')) return send(response, { status: 200, body: { data: { ttl: 0 } } })
  if (request.url?.startsWith('/deletedsecrets/')) return send(response, words['404'])
  bench.reads++
  if (bench.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, bench.delayMs))
  const { fault } = bench
  if (fault === 'hangs') return
  if (fault === '503' || fault === '403' || fault === '404' || fault === '429') return send(response, words[fault])
  if (fault === '429 with Retry-After') return send(response, words['429'], { 'Retry-After': '30' })
  if (fault.endsWith('of a proxy')) return sendText(response, Number(fault.slice(0, 3)), '<html>Blocked</html>')
  if (fault === 'garbage 200') return sendText(response, 200, '{"value": "half')
  if (fault === 'challenge of another host') {
    const authenticate = `Bearer authorization="${bench.elsewhere}", resource="${bench.elsewhere}"`
    return send(response, words['401'], { 'WWW-Authenticate': authenticate })
  }
  if (fault === 'redirect to another host') {
    return sendText(response, 307, '', { Location: bench.elsewhere })
  }
  if (fault === '10 MB body') {
    const padded = { ...words.found.body, padding: 'x'.repeat(10 * 1024 * 1024) }
    return send(response, { status: 200, body: padded })
  }
  if (fault === 'truncated body') {
    const text = JSON.stringify(words.found.body)
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': String(text.length) })
    return void response.write(text.slice(0, -2), () => response.destroy())
  }
  if (fault === 'clock 10 minutes off') return answerByClock(bench.kind, words, request, response)
  send(response, words.found)
}

/** Rejects a signature with a wrong time, like AWS. Other stores only report their time. */
function answerByClock(
  kind: ServedKind,
  words: ReturnType<(typeof WORDS)['aws']>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const now = Date.now() + SKEW_MS
  const date = { Date: new Date(now).toUTCString() }
  const signed = String(request.headers['x-amz-date'] ?? '').replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  )
  if (kind === 'aws' && !(Math.abs(Date.parse(signed) - now) < 300_000)) {
    const body = { __type: 'InvalidSignatureException', message: 'Signature expired' }
    send(response, { status: 400, body }, date)
  } else send(response, words.found, date)
}

function send(response: ServerResponse, { status, body }: Reply, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

function sendText(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/html', ...headers })
  response.end(text)
}

function settingsOf(kind: ServedKind, port: number): Record<string, string> {
  const origin = `http://127.0.0.1:${port}`
  const settings: Record<ServedKind, Record<string, string>> = {
    aws: {
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT: origin,
      AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
    },
    azure: {
      AZURE_VAULT_URL: origin,
      AZURE_TENANT_ID: 'tenant.example',
      AZURE_CLIENT_ID: 'client',
      AZURE_CLIENT_SECRET: 'secret',
      AZURE_TOKEN_ENDPOINT: `${origin}/token`,
    },
    hashicorp: { HASHICORP_VAULT_URL: origin, HASHICORP_VAULT_TOKEN: 'hvs.example', HASHICORP_KV_VERSION: '2' },
    http: { CUSTOM_PROVIDER_URL: `${origin}/secrets/{name}`, CUSTOM_PROVIDER_TOKEN: 'secret' },
  }
  const named = Object.entries(settings[kind]).map(([name, text]) => [`POSTERN_PROVIDERS__${name}`, text])
  return { POSTERN_PROVIDERS__ALLOW_LOOPBACK: 'true', ...Object.fromEntries(named) }
}
