/**
 * From a request to its caller: the edge's half of authentication.
 *
 * The tag of a token is checked here, so that a guessed one costs no vault anything and leaves no
 * trace in a log. Whether the token is known, and what it may do, only the vault knows.
 *
 * @module
 */
import { parseToken, vaultOfToken } from '../core/access/token.ts'
import { equal, utf8 } from '../core/bytes.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import { refusal } from '../core/errors.ts'
import type { Redacted } from '../core/redacted.ts'
import type { Caller } from '../core/vault.ts'

const MAX_AGENT_LENGTH = 256

/** What the connection tells of a request. The runtime's entry fills it in; no header is believed. */
export interface Connection {
  /** The client's address, or `null` when it cannot be told. */
  address: string | null
}

/**
 * Identifies the caller of a request to `vault`.
 *
 * @param bootstrapTokens Tokens that may open an empty vault.
 * @throws {PosternError} `unauthenticated`, the same for every flaw.
 */
export async function identify(
  request: Request,
  vault: string,
  keyring: Keyring,
  { bootstrapTokens, connection, requestId }: Identify,
): Promise<Caller> {
  const text = bearerToken(request.headers.get('Authorization'))
  // A token of another vault is as good as none: no vault but its own is asked.
  if (text === null || vaultOfToken(text) !== vault) throw refusal('unauthenticated')
  const token = parseToken(text, await keyring.tokenKey(vault))
  if (token === null) throw refusal('unauthenticated')
  const bytes = utf8(text)
  const bootstrap = bootstrapTokens.some((known) => equal(utf8(known.reveal()), bytes))
  return {
    tokenHash: token.hash,
    ...(bootstrap ? { bootstrap } : {}),
    requestId,
    address: connection.address,
    agent: printable(request.headers.get('User-Agent')),
  }
}

export interface Identify {
  bootstrapTokens: readonly Redacted<string>[]
  connection: Connection
  requestId: string
}

/** Reads `Bearer <token>` (RFC 6750 section 2.1). Two headers arrive joined by a comma, and so fail. */
function bearerToken(header: string | null): string | null {
  return /^Bearer ([0-9A-Za-z_-]{1,200})$/i.exec(header ?? '')?.[1] ?? null
}

/** A hostile text, made fit for a log: no control characters or line separators, and not too long. */
function printable(text: string | null): string | null {
  const start = text?.slice(0, MAX_AGENT_LENGTH).toWellFormed()
  return start?.replace(/[\p{Cc}\u2028\u2029]/gu, '\ufffd') ?? null
}
