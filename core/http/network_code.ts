/**
 * The cause of a network failure, as a code: the one of Node where there are several names. Messages are not used: they may name an address or quote a response.
 *
 * @module
 */

/** The form of a code of a runtime: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `ConnectionRefused`. */
const CODE = /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*|(?:[A-Z][a-z]+){2,6})$/
const MAX_CODE_LENGTH = 48
const MAX_DEPTH = 5

/** Codes of one runtime for what the others have another code for. */
const SYNONYMS: Readonly<Record<string, string>> = {
  ConnectionRefused: 'ECONNREFUSED',
  ConnectionClosed: 'ECONNRESET',
  ConnectionReset: 'ECONNRESET',
  EPIPE: 'ECONNRESET',
  UND_ERR_SOCKET: 'ECONNRESET',
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  // rustls does not tell these apart: the chain ends at an authority that is not trusted.
  SELF_SIGNED_CERT_IN_CHAIN: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
}
/** Codes that say too little, if a message of a cause says more. */
const VAGUE = new Set(['UND_ERR_ABORTED', 'ABORT_ERR', 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'])

/** Phrases of runtimes without codes (Deno, workerd), each with the code of Node. */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [
    /proxy response|proxy authentication required|unsuccessful tunnel|tunnel(?:ing)? (?:error|failed)/i,
    'ERR_PROXY_TUNNEL',
  ],
  [/temporary failure in name resolution/i, 'EAI_AGAIN'],
  [/dns error|failed to lookup|name or service not known|dns lookup failed/i, 'ENOTFOUND'],
  [/connection refused/i, 'ECONNREFUSED'],
  [/connection reset|connection closed before|network connection lost|other side closed/i, 'ECONNRESET'],
  [/network is unreachable|no route to host/i, 'EHOSTUNREACH'],
  [/bad port|requests to port [0-9]+ are blocked/i, 'ERR_BAD_PORT'],
  [/certificate has expired|certificate: expired/i, 'CERT_HAS_EXPIRED'],
  [/not ?valid ?yet/i, 'CERT_NOT_YET_VALID'],
  [/not ?valid ?for ?name|altname/i, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  [/ca ?used ?as ?end ?entity|self[- ]signed certificate(?! in)/i, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  [
    /unknown ?issuer|bad ?signature|self[- ]signed|unable to verify|certificate verify failed/i,
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  [/wrong version number|corrupt message of type|speak tls on this port/i, 'ERR_SSL_WRONG_VERSION_NUMBER'],
  [/certificate|\btls\b|\bssl\b|handshake/i, 'TLS'],
]

/**
 * Returns the code of a failed request, from its error or a cause: the same on every runtime. Returns `null` if the runtime
 * gives none.
 */
export function networkCode(error: unknown): string | null {
  const chain = causesOf(error)
  const codes = chain.flatMap(({ code }) => (isCode(code) ? [SYNONYMS[code] ?? code] : []))
  const [first] = codes
  if (first !== undefined && !VAGUE.has(first)) return first
  const said = chain.map(({ message }) => (typeof message === 'string' ? message : '')).join('\n')
  return PHRASES.find(([phrase]) => phrase.test(said))?.[1] ?? first ?? null
}

function isCode(code: unknown): code is string {
  return typeof code === 'string' && code.length <= MAX_CODE_LENGTH && CODE.test(code)
}

/** Lists an error, its causes, and the first error of several attempts. */
function causesOf(error: unknown): { code?: unknown; message?: unknown }[] {
  const found: { code?: unknown; message?: unknown; cause?: unknown; errors?: unknown }[] = []
  for (let at = error; typeof at === 'object' && at !== null && found.length < MAX_DEPTH; ) {
    const one = at as (typeof found)[number]
    found.push(one)
    at = one.cause ?? (Array.isArray(one.errors) ? one.errors[0] : undefined)
  }
  return found
}

/** Codes of a server whose certificate an authority of the operator could vouch for. */
const UNTRUSTED = new Set(['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'DEPTH_ZERO_SELF_SIGNED_CERT'])

/** Whether a failure goes away once the right authority is trusted. */
export function isUntrustedCode(code: string): boolean {
  return UNTRUSTED.has(code)
}
