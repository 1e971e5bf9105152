/**
 * From a request to its caller: the edge's half of authentication.
 *
 * The tag of a token is checked here, so that a guessed one costs no vault anything and leaves no
 * trace in a log. Whether the token is known, and what it may do, only the vault knows.
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
import { cleanse } from '../../core/sanitize.ts'
import { isLoopback } from '../../core/settings/settings.ts'
import type { Caller } from '../../core/vault/rpc.ts'
import type { Parts } from '../services.ts'
import { refuseBody } from './body.ts'
import type { Connection } from './client_address.ts'

const MAX_AGENT_LENGTH = 256
const CREDENTIAL = new RegExp(`^(Bearer|DPoP) ([0-9A-Za-z_-]{1,${TICKET_MAX_LENGTH}})$`, 'i')

/** A request as it arrived: from where, its id, and what its route takes in place of a token. */
export interface Arrival {
  connection: Connection
  requestId: string
  /** `sign-in`: nothing, or a proof beside a token; `ticket`: an operator's ticket; `null`: neither. */
  takes: 'sign-in' | 'ticket' | null
}

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
 * is to be bound to; one who signs in by other means has no token yet. An operator's ticket comes as `Bearer`, to the one
 * route that takes it, and without a body.
 *
 * @throws {PosternError} `unauthenticated`, the same for every flaw but a missing nonce and a ticket that is late;
 *   `bad_request` for a proof where no public address is configured, and for a ticket with a body.
 */
export async function identify(
  { keyring, settings }: Pick<Parts, 'keyring' | 'settings'>,
  request: Request,
  vault: string,
  { connection, requestId, takes }: Arrival,
): Promise<Identified> {
  const signIn = takes === 'sign-in'
  const authorization = request.headers.get('Authorization')
  const proofHeader = request.headers.get('DPoP')
  const [, scheme = '', text = ''] = CREDENTIAL.exec(authorization ?? '') ?? []
  const bound = scheme.toLowerCase() === 'dpop'
  if (authorization === null ? !signIn : vaultOf(text) !== vault) throw refusal('unauthenticated')
  if (bound ? proofHeader === null : proofHeader !== null && !signIn) throw refusal('unauthenticated')
  const about = { requestId, address: connection.address, agent: agentOf(request) }
  if (isTicket(text)) {
    if (bound || takes !== 'ticket') throw refusal('unauthenticated')
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
    // Until its nonce is not taken any more; and some, for a clock that was set.
    proof: proof && { jkt: proof.jkt, id: proof.id, expiresAt: now + 2 * NONCE_PERIOD_MS + CLOCK_TOLERANCE_MS },
    ...about,
  }
  return { caller, seal: proof?.seal }
}

/** The vault that a credential says it is of; `null` for one of no known shape. */
function vaultOf(text: string): string | null {
  return isTicket(text) ? vaultOfTicket(text) : vaultOfToken(text)
}

/**
 * Checks an operator's ticket under the present root key alone: a former one may be known to others by now.
 *
 * @throws {PosternError} `unauthenticated`; with a reason when it is the operator's, and late.
 */
async function verifiedTicket(keyring: Keyring, vault: string, text: string): Promise<Ticket> {
  const ticket = parseTicket(text, await keyring.macKey(vault, 'ticket'))
  if (ticket === null) throw refusal('unauthenticated')
  const now = Date.now()
  // How long one to recover may last is the vault's to say: its time may be ahead of the clock. A vault to be has none yet.
  const isOver = ticket.purpose === 'bootstrap' ? isLate(ticket, now) : ticket.expiresAt <= now
  if (isOver) throw refusal('ticket_late')
  return ticket
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
