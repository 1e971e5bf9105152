/**
 * Authenticates a request at the edge: credentials and proofs of possession.
 *
 * The MAC of a token is checked here, so that a guessed token reaches no vault and leaves no trace in a log. Only the
 * vault knows whether the token exists and what it may do.
 *
 * @module
 */
import { CLOCK_TOLERANCE_MS, NONCE_PERIOD_MS, verifyProof } from '../../core/authentication/dpop.ts'
import {
  isLate,
  isTicket,
  parseTicket,
  TICKET_MAX_LENGTH,
  type Ticket,
  vaultOfTicket,
} from '../../core/authentication/ticket.ts'
import { parseToken, type Token, vaultOfToken } from '../../core/authentication/token.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { badRequest, refusal } from '../../core/errors.ts'
import { isLoopbackHostname } from '../../core/loopback.ts'
import { cleanse } from '../../core/sanitize.ts'
import type { Caller } from '../../core/vault/rpc.ts'
import type { Services } from '../services.ts'
import { refuseBody } from './body.ts'
import type { Connection } from './client_address.ts'
import { pathOf } from './path.ts'

const MAX_AGENT_LENGTH = 256
const CREDENTIAL = new RegExp(`^(Bearer|DPoP) ([0-9A-Za-z_-]{1,${TICKET_MAX_LENGTH}})$`, 'i')

/** A request as it arrived: its connection, its id, and what its route accepts in place of a token. */
export interface Arrival {
  connection: Connection
  requestId: string
  /** `sign-in`: nothing, or a proof beside a token; `ticket`: an operator's ticket; `null`: neither. */
  accepts: 'sign-in' | 'ticket' | null
}

/** The caller of a request, and the key that its answer must be sealed to. */
export interface Authenticated {
  caller: Caller
  /** Thumbprint of the key, from the DPoP proof; `null` for none, `undefined` without a proof. */
  seal: string | null | undefined
}

/**
 * Authenticates the caller of a request to `vault`.
 *
 * A session that is bound to a key uses the scheme `DPoP` with a proof; every other credential uses `Bearer` without one
 * (RFC 9449 section 7.1). At sign-in, an API token is sent with the proof of the key that its session will be bound to;
 * other ways to sign in have no token yet. An operator's ticket uses `Bearer`, without a body, on the one route that
 * accepts tickets.
 *
 * @throws {PosternError} `unauthenticated`, the same for every flaw except a missing nonce and an expired ticket;
 *   `bad_request` for a proof when no public URL is configured, and for a ticket with a body.
 */
export async function authenticate(
  { keyring, settings }: Pick<Services, 'keyring' | 'settings'>,
  request: Request,
  vault: string,
  { connection, requestId, accepts }: Arrival,
): Promise<Authenticated> {
  const signIn = accepts === 'sign-in'
  const authorization = request.headers.get('Authorization')
  const proofHeader = request.headers.get('DPoP')
  const [, scheme = '', text = ''] = CREDENTIAL.exec(authorization ?? '') ?? []
  const bound = scheme.toLowerCase() === 'dpop'
  if (authorization === null ? !signIn : vaultOf(text) !== vault) throw refusal('unauthenticated')
  if (bound ? proofHeader === null : proofHeader !== null && !signIn) throw refusal('unauthenticated')
  const about = { requestId, address: connection.address, agent: agentOf(request) }
  if (isTicket(text)) {
    if (bound || accepts !== 'ticket') throw refusal('unauthenticated')
    const ticket = await verifiedTicket(keyring, vault, text)
    await refuseBody(request, settings.bodyTimeoutMs)
    return { caller: { credential: { kind: 'ticket', ticket }, proof: null, ...about }, seal: undefined }
  }
  const token = text === '' ? null : await verifiedToken(keyring, vault, text)
  if (text !== '' && token === null) throw refusal('unauthenticated')
  // Only a session can be bound.
  if (bound && token?.kind !== 'session') throw refusal('unauthenticated')
  const now = Date.now()
  const expected = async () => {
    const [nonceKey, ...otherNonceKeys] = await Promise.all(keyring.all.map((ring) => ring.macKey(vault, 'nonce')))
    const target = { method: request.method, url: urlOf(request, settings), token: bound ? text : null, now }
    return { ...target, nonceKey: nonceKey!, otherNonceKeys }
  }
  const proof = proofHeader === null ? null : await verifyProof(proofHeader, await expected())
  const caller: Caller = {
    credential: token && { kind: token.kind, hash: token.hash, root: token.root },
    // As long as its nonce is accepted, with tolerance for a clock that is set back.
    proof: proof && { jkt: proof.jkt, id: proof.id, expiresAt: now + 2 * NONCE_PERIOD_MS + CLOCK_TOLERANCE_MS },
    ...about,
  }
  return { caller, seal: proof?.seal }
}

/** The vault that a credential names; `null` for an unknown format. */
function vaultOf(text: string): string | null {
  return isTicket(text) ? vaultOfTicket(text) : vaultOfToken(text)
}

/**
 * Verifies an operator's ticket under the current root key alone, since a former one may have leaked.
 *
 * @throws {PosternError} `unauthenticated`; with reason `ticket_late` for an authentic ticket that has expired.
 */
async function verifiedTicket(keyring: Keyring, vault: string, text: string): Promise<Ticket> {
  const ticket = parseTicket(text, await keyring.macKey(vault, 'ticket'))
  if (ticket === null) throw refusal('unauthenticated')
  const now = Date.now()
  // Only the vault can limit the lifetime of a recovery ticket: its time may be ahead of the clock. A new vault has no time yet.
  const isOver = ticket.purpose === 'bootstrap' ? isLate(ticket, now) : ticket.expiresAt <= now
  if (isOver) throw refusal('ticket_late')
  return ticket
}

/**
 * Verifies a token under each root key. A token made under a former root key is valid as long as that key is configured.
 *
 * @param text Hostile input.
 * @returns `null` when no root key verifies it.
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
 * The URL that a proof must name, with the path as it was sent.
 *
 * @throws {PosternError} `bad_request` without a public URL: the proof would bind the host that a client was lured to.
 */
function urlOf(request: Request, { publicUrl }: Services['settings']): string {
  const { origin, hostname } = new URL(request.url)
  if (publicUrl === undefined && !isLoopbackHostname(hostname)) {
    throw badRequest('DPoP', 'POSTERN_PUBLIC_URL must be set before proofs can be taken')
  }
  return (publicUrl ?? origin) + pathOf(request)
}

/** The user agent: hostile input, cleansed for the log. */
function agentOf({ headers }: Request): string | null {
  const agent = headers.get('User-Agent')
  return agent === null ? null : cleanse(agent.slice(0, MAX_AGENT_LENGTH))
}
