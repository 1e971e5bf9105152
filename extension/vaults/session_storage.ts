/**
 * Stores sessions in the editor's secret storage, each under the origin of its server.
 *
 * @module
 */
import type * as vscode from 'vscode'
import type { ProofKey } from '../../core/authentication/dpop_proof.ts'

/** A stored session. The API token that it was exchanged for is not stored. */
export interface StoredSession {
  origin: string
  vault: string
  principal: string
  accessor: string
  token: string
  expiresAt: string
  /** The private key that the session is bound to, as a JWK. The session token is useless without it. */
  key: JsonWebKey
}

const prefix = 'session:'

/** Reads the sessions of one server. Ignores content that cannot be parsed. */
export async function readSessions(secrets: vscode.SecretStorage, origin: string): Promise<StoredSession[]> {
  const text = await secrets.get(prefix + origin)
  try {
    const stored: unknown = JSON.parse(text ?? '[]')
    // A session with another origin is ignored, so that no session is ever sent to another server.
    return Array.isArray(stored) ? stored.filter((one) => isSession(one) && one.origin === origin) : []
  } catch {
    return []
  }
}

/** Stores the sessions of one server, in place of its earlier ones. */
export async function writeSessions(
  secrets: vscode.SecretStorage,
  origin: string,
  sessions: readonly StoredSession[],
): Promise<void> {
  if (sessions.length === 0) await secrets.delete(prefix + origin)
  else await secrets.store(prefix + origin, JSON.stringify(sessions))
}

/** Whether a key of the secret storage belongs to sessions. */
export function concernsSessions(key: string): boolean {
  return key.startsWith(prefix)
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' }

/** Creates a key for a session. Unlike the keys of the core, it can be exported, because it has to outlive the window. */
export async function makeStorableKey(): Promise<{ key: ProofKey; jwk: JsonWebKey }> {
  const { privateKey } = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const jwk = await crypto.subtle.exportKey('jwk', privateKey)
  return { key: await loadKey(jwk), jwk }
}

/** Loads a key for use. The loaded private key cannot be exported. */
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
