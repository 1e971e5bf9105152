/**
 * What went wrong on the way to a server, as far as the runtime tells: a code, and never its message, which may name an
 * address or quote an answer.
 *
 * @module
 */

/** What a code of a runtime looks like: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `ConnectionRefused`. */
const CODE = /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*|(?:[A-Z][a-z]+){2,6})$/
const MAX_CODE_LENGTH = 48
const MAX_DEPTH = 5

/** Phrases of runtimes that have no codes (Deno, workerd), and the code of Node for each. */
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

/** The code of a failed request, from its error or what caused it; `null` when the runtime tells none. */
export function networkCode(error: unknown): string | null {
  const chain = causesOf(error)
  for (const { code } of chain) {
    if (typeof code === 'string' && code.length <= MAX_CODE_LENGTH && CODE.test(code)) return code
  }
  const said = chain.map(({ message }) => (typeof message === 'string' ? message : '')).join('\n')
  return PHRASES.find(([phrase]) => phrase.test(said))?.[1] ?? null
}

/** An error, what caused it, and the first of several that were tried. */
function causesOf(error: unknown): { code?: unknown; message?: unknown }[] {
  const found: { code?: unknown; message?: unknown; cause?: unknown; errors?: unknown }[] = []
  for (let at = error; typeof at === 'object' && at !== null && found.length < MAX_DEPTH; ) {
    const one = at as (typeof found)[number]
    found.push(one)
    at = one.cause ?? (Array.isArray(one.errors) ? one.errors[0] : undefined)
  }
  return found
}
