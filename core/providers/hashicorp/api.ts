/**
 * Calls of HashiCorp Vault or OpenBao, and the meaning of their refusals.
 *
 * @module
 */
import * as z from 'zod/mini'
import { utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import type { Received } from '../../http/send.ts'
import { traceHeaders } from '../../http/trace_context.ts'
import type { Redacted } from '../../redacted.ts'
import { type FailureKind, ProviderFailure } from '../provider.ts'
import { ask, type ProviderOptions, parseBaseUrl, readAnswer, retryAfterMs } from '../request.ts'

/** The codes for a mount that does not exist, and for one that does not exist or is hidden from the token. */
export const NO_MOUNT = 'NoMount'
/** See {@link NO_MOUNT}. */
export const HIDDEN_MOUNT = 'HiddenMount'

const NAMESPACE = /^[\w.-]{1,128}(?:\/[\w.-]{1,128}){0,15}\/?$/

/** The address of a server. */
export interface HashicorpAddress {
  /** `https://vault.example:8200` */
  address: string
  /** The namespace of Vault Enterprise or OpenBao. It is never part of a name: it separates tenants. */
  namespace?: string
}

/** A request to a server. */
export interface HashicorpRequest {
  method?: 'GET' | 'POST' | 'DELETE'
  /** Below `/v1/`. Its segments are checked and encoded. */
  path: string
  /** An object, or the source of one. */
  body?: object | string
  /** Absent in requests that log in. */
  token?: Redacted<string>
  signal: AbortSignal
}

/** The code for a response of the other version of the KV engine. */
export const OTHER_ENGINE = 'OtherEngine'

/** Sends a request and returns a response of success, 200 or 204. */
export type HashicorpCall = (request: HashicorpRequest) => Promise<Received>

const Problem = z.object({ errors: z.array(z.string()) })
/** A path of version 1 on a mount of version 2. */
const Warned = z.object({ warnings: z.array(z.string()).check(z.minLength(1)) })
const Gone = z.object({
  data: z.object({ metadata: z.object({ deletion_time: z.string(), destroyed: z.boolean() }) }),
})

/**
 * Creates the function that calls the server.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function hashicorpCaller(config: HashicorpAddress, options: ProviderOptions): HashicorpCall {
  const address = parseBaseUrl(config.address, 'address', options)
  const { namespace } = config
  if (namespace !== undefined) checkNamespace(namespace)
  return async ({ method = 'GET', path, body, token, signal }) => {
    const headers = {
      'x-vault-request': 'true',
      ...traceHeaders(signal),
      ...(token && { 'x-vault-token': token.reveal() }),
      ...(namespace && { 'x-vault-namespace': namespace }),
      ...(body && { 'content-type': 'application/json' }),
    }
    const sent = body === undefined ? null : utf8(typeof body === 'string' ? body : JSON.stringify(body))
    const received = await ask(`${address}/v1/${path}`, { method, headers, body: sent, signal }, options)
    if (received.status === 200 || received.status === 204) return received
    throw hashicorpFailure(received, (options.now ?? Date.now)())
  }
}

/** Reads a refusal. It is from the server only with its list of errors, or with the metadata of a deleted version. */
function hashicorpFailure({ status, headers, body }: Received, now: number): ProviderFailure {
  const said = readAnswer(body, Problem)?.errors
  if (status === 404 && said === undefined && readAnswer(body, Warned)) {
    return new ProviderFailure('invalid', { code: OTHER_ENGINE })
  }
  const kind = status === 404 && readAnswer(body, Gone) ? 'deleted' : kindOf(status, said)
  return new ProviderFailure(kind, { code: codeOf(status, said), retryAfterMs: retryAfterMs(headers, now) })
}

/** Recognises a missing mount as far as the server tells: it hides a mount from a token without a policy for it. */
function codeOf(status: number, errors: string[] = []): string {
  const message = errors.join(' ')
  if (status === 404 && message.includes('no handler for route')) return NO_MOUNT
  return status === 403 && message.includes('preflight capability check') ? HIDDEN_MOUNT : `Http${status}`
}

/** The statuses are the codes of the service. Where one has two meanings, its constant message decides. */
function kindOf(status: number, errors: string[] | undefined): FailureKind {
  if (status === 429) return 'throttled'
  const message = errors?.join(' ') ?? ''
  if (status === 503 && /\bsealed\b/i.test(message)) return 'sealed'
  // 412 is a node that has not caught up; 472 and 473 are standbys that do not serve.
  if (errors === undefined || status === 412 || status >= 472) return 'unavailable'
  // A 404 without a message means a missing secret; with one, a path at which nothing is mounted.
  if (status === 404) return errors.length === 0 ? 'not_found' : 'invalid'
  if (status === 403) return 'denied'
  if (message.includes('check-and-set parameter did not match')) return 'conflict'
  return message.includes('missing client token') ? 'credentials' : 'invalid'
}

/**
 * Checks the path of a namespace.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkNamespace(namespace: string): void {
  if (!NAMESPACE.test(namespace) || /(?:^|\/)\.{1,2}(?:\/|$)/.test(namespace)) {
    throw badRequest('namespace', 'Namespace must be segments of A-Z, a-z, 0-9, ".", "_" and "-", separated by "/"')
  }
}

/** Checks the path of a mount, `secret` or `team/kv`, and encodes it. */
export function parseMount(text: string, field: string): string {
  if (!/^[\w.-]{1,128}(?:\/[\w.-]{1,128}){0,15}$/.test(text) || /(?:^|\/)\.{1,2}(?:\/|$)/.test(text)) {
    throw badRequest(field, 'Mount must be segments of A-Z, a-z, 0-9, ".", "_" and "-", separated by "/"')
  }
  return text
}
