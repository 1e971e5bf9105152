/**
 * Sessions as they are kept: in the editor's secret storage, each under the origin of the server that it is for.
 *
 * @module
 */
import type * as vscode from 'vscode'
import type { ProofKey } from '../../core/authentication/dpop_proof.ts'

/** A session that is kept. The API token that it was made from is not. */
export interface StoredSession {
  origin: string
  vault: string
  principal: string
  accessor: string
  token: string
  expiresAt: string
  /** The private key that the session is bound to, as a JWK: without it the token is of no use. */
  key: JsonWebKey
}

const prefix = 'session:'

/** Reads the sessions of one server. What cannot be read is none. */
export async function readSessions(secrets: vscode.SecretStorage, origin: string): Promise<StoredSession[]> {
  const text = await secrets.get(prefix + origin)
  try {
    const stored: unknown = JSON.parse(text ?? '[]')
    // Under this key only what belongs to the origin is believed: a session never goes to another server.
    return Array.isArray(stored) ? stored.filter((one) => isSession(one) && one.origin === origin) : []
  } catch {
    return []
  }
}

/** Keeps the sessions of one server. */
export async function writeSessions(
  secrets: vscode.SecretStorage,
  origin: string,
  sessions: readonly StoredSession[],
): Promise<void> {
  if (sessions.length === 0) await secrets.delete(prefix + origin)
  else await secrets.store(prefix + origin, JSON.stringify(sessions))
}

/** Whether a change of the secret storage is about sessions. */
export function concernsSessions(key: string): boolean {
  return key.startsWith(prefix)
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' }

/** Makes a key for a session. Unlike the core's it can be exported: it has to outlive the window. */
export async function makeStorableKey(): Promise<{ key: ProofKey; jwk: JsonWebKey }> {
  const { privateKey } = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const jwk = await crypto.subtle.exportKey('jwk', privateKey)
  return { key: await loadKey(jwk), jwk }
}

/** Loads a key for use; what is loaded cannot be exported again. */
export async function loadKey(jwk: JsonWebKey): Promise<ProofKey> {
  const { kty, crv, x, y } = jwk
  const privateKey = await crypto.subtle.importKey('jwk', jwk, ALGORITHM, false, ['sign'])
  return { privateKey, publicJwk: { kty: kty!, crv: crv!, x: x!, y: y! } }
}

function isSession(value: unknown): value is StoredSession {
  const { origin, vault, principal, accessor, token, key } = Object(value)
  const texts: unknown[] = [origin, vault, principal, accessor, token]
  return texts.every((text) => typeof text === 'string') && typeof key === 'object' && key !== null
}
