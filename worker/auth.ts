/**
 * From a request to its caller: the edge's half of authentication.
 *
 * The tag of a token is checked here, so that a guessed one costs no vault anything and leaves no
 * trace in a log. Whether the token is known, and what it may do, only the vault knows.
 *
 * @module
 */
import { CLOCK_TOLERANCE_MS, NONCE_PERIOD_MS, verifyProof } from '../core/access/dpop.ts'
import { parseToken, type Token, vaultOfToken } from '../core/access/token.ts'
import { equal, utf8 } from '../core/bytes.ts'
import type { Caller } from '../core/call.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import { badRequest, refusal } from '../core/errors.ts'
import { cleanse } from '../core/redaction.ts'
import { isLoopback } from '../core/settings.ts'
import type { Connection } from './address.ts'
import type { Parts } from './context.ts'

const MAX_AGENT_LENGTH = 256

/** A request's caller, and the key that the client wants the answer sealed to, by its thumbprint. */
export interface Identified {
  caller: Caller
  /** What the DPoP proof says of it; `undefined` when there is no proof. */
  seal: string | null | undefined
}

/**
 * Identifies the caller of a request to `vault`.
 *
 * A session that is bound to a key comes as `DPoP`, with a proof; anything else as `Bearer`, without
 * one (RFC 9449 section 7.1). At sign-in an API token comes with the proof of the key that its session
 * is to be bound to; one who signs in by other means has no token yet.
 *
 * @param signIn Whether the request is to make a session.
 * @throws {PosternError} `unauthenticated`, the same for every flaw but a missing nonce; `bad_request`
 *   for a proof where no public address is configured.
 */
export async function identify(
  { keyring, bootstrapTokens, settings }: Parts,
  request: Request,
  vault: string,
  { connection, requestId, signIn }: { connection: Connection; requestId: string; signIn: boolean },
): Promise<Identified> {
  const authorization = request.headers.get('Authorization')
  const proofHeader = request.headers.get('DPoP')
  const [, scheme = '', text = ''] = /^(Bearer|DPoP) ([0-9A-Za-z_-]{1,200})$/i.exec(authorization ?? '') ?? []
  const bound = scheme.toLowerCase() === 'dpop'
  if (authorization === null ? !signIn : text === '' || vaultOfToken(text) !== vault) throw refusal('unauthenticated')
  if (bound ? proofHeader === null : proofHeader !== null && !signIn) throw refusal('unauthenticated')
  const token = text === '' ? null : await verifiedToken(keyring, vault, text)
  if (text !== '' && token === null) throw refusal('unauthenticated')
  // Only a session can be bound.
  if (bound && token?.kind !== 'session') throw refusal('unauthenticated')
  const now = Date.now()
  const expected = async () => {
    const [nonceKey, ...otherNonceKeys] = await Promise.all(keyring.all.map((ring) => ring.macKey(vault, 'nonce')))
    const about = { method: request.method, url: urlOf(request, settings), token: bound ? text : null, now }
    return { ...about, nonceKey: nonceKey!, otherNonceKeys }
  }
  const proof = proofHeader === null ? null : await verifyProof(proofHeader, await expected())
  const bytes = utf8(text)
  const caller: Caller = {
    credential: token && { kind: token.kind, hash: token.hash, root: token.root },
    // Until its nonce is not taken any more; and some, for a clock that was set.
    proof: proof && { jkt: proof.jkt, id: proof.id, expiresAt: now + 2 * NONCE_PERIOD_MS + CLOCK_TOLERANCE_MS },
    ...(bootstrapTokens.some((known) => equal(utf8(known.reveal()), bytes)) && { bootstrap: true }),
    requestId,
    address: connection.address,
    agent: agentOf(request),
  }
  return { caller, seal: proof?.seal }
}

/**
 * Checks a token under each root key: one that was made under a former one is good for as long as that is given.
 *
 * @param text Hostile input.
 * @returns `null` when it is a token of the vault under none.
 */
export async function verifiedToken(
  keyring: Keyring,
  vault: string,
  text: string,
): Promise<(Token & { root: string }) | null> {
  for (const ring of keyring.all) {
    const token = parseToken(text, await ring.macKey(vault, 'token'))
    if (token !== null) return { ...token, root: ring.rootId }
  }
  return null
}

/**
 * The address that a proof has to be for.
 *
 * @throws {PosternError} `bad_request` without a public address: it would be whatever host the client was sent to.
 */
function urlOf({ url }: Request, { publicUrl }: Parts['settings']): string {
  const { pathname, origin, hostname } = new URL(url)
  if (publicUrl === undefined && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) {
    throw badRequest('DPoP', 'POSTERN_PUBLIC_URL must be set before proofs can be taken')
  }
  return (publicUrl ?? origin) + pathname
}

/** Hostile, and made fit for a log. */
function agentOf({ headers }: Request): string | null {
  const agent = headers.get('User-Agent')
  return agent === null ? null : cleanse(agent.slice(0, MAX_AGENT_LENGTH))
}
