/**
 * A client of the HTTP API over fetch, for services, scripts, tests and the editor.
 *
 * @module
 */
import type * as z from 'zod/mini'
import type { Factor } from '../wire/session.ts'
import { type Administration, administration } from './administration.ts'
import { type TransportOptions, transport } from './transport.ts'
import {
  type ClientOptions,
  connectUser,
  type SignInOptions,
  type SignInResult,
  signInUser,
  type UserClient,
} from './user.ts'

export type {
  ClientOptions,
  GetOptions,
  Hydrated,
  ListOptions,
  PutOptions,
  SecretValue,
  SignInOptions,
} from './user.ts'

/** A new session, and a client that uses it. */
export type SignedIn = SignInResult<Client>

/** A client of one vault on one server. Every method throws {@link PosternError} with the server's code. */
export interface Client extends Omit<UserClient, 'stepUp'>, Administration {
  /** Adds a second factor to the session. Returns a client of the new session that replaces it. */
  stepUp(factor: z.input<typeof Factor>): Promise<SignedIn>
}

/**
 * Creates a client. It sends nothing yet.
 *
 * @throws {PosternError} `bad_request` if the endpoint would expose the token in clear text.
 */
export function connect(options: ClientOptions): Client {
  const ask = transport(options)
  const { stepUp, ...user } = connectUser(options, ask)
  return { ...user, ...administration(ask), stepUp: async (factor) => whole(options, await stepUp(factor)) }
}

/**
 * Signs in: exchanges an API token, or the token of an issuer, for a session.
 *
 * @throws {PosternError} `unauthenticated` for any failure.
 */
export async function signIn(options: SignInOptions): Promise<SignedIn> {
  const { code: _, recoveryCode: __, assertion: ___, ...rest } = options
  return whole(rest, await signInUser(options))
}

function whole(options: TransportOptions, { session, token }: SignInResult<UserClient>): SignedIn {
  return { client: connect({ ...options, token }), session, token }
}
