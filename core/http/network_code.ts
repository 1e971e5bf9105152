/**
 * The cause of a network failure, as a code. Messages are not used: they may name an address or quote a response.
 *
 * @module
 */

/** The form of a code of a runtime: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `ConnectionRefused`. */
const CODE = /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*|(?:[A-Z][a-z]+){2,6})$/
const MAX_CODE_LENGTH = 48
const MAX_DEPTH = 5

/** Phrases of runtimes without codes (Deno, workerd), each with the code of Node. */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/dns error|failed to lookup|name or service not known|dns lookup failed/i, 'ENOTFOUND'],
  [/connection refused/i, 'ECONNREFUSED'],
  [/connection reset|connection closed before|network connection lost/i, 'ECONNRESET'],
  [/network is unreachable|no route to host/i, 'EHOSTUNREACH'],
  [/certificate has expired|certificate: expired/i, 'CERT_HAS_EXPIRED'],
  [/not ?valid ?for ?name|altname/i, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  [/unknown ?issuer|self[- ]signed|unable to verify|certificate verify failed/i, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  [/certificate|\btls\b|\bssl\b|handshake/i, 'TLS'],
]

/** Returns the code of a failed request, from its error or a cause; `null` if the runtime gives none. */
export function networkCode(error: unknown): string | null {
  const chain = causesOf(error)
  for (const { code } of chain) {
    if (typeof code === 'string' && code.length <= MAX_CODE_LENGTH && CODE.test(code)) return code
  }
  const said = chain.map(({ message }) => (typeof message === 'string' ? message : '')).join('\n')
  return PHRASES.find(([phrase]) => phrase.test(said))?.[1] ?? null
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
