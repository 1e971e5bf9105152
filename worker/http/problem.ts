/**
 * Writes errors as problem details (RFC 9457); errors of no known kind are logged and concealed.
 *
 * @module
 */
import { type ErrorCode, PosternError } from '../../core/errors.ts'
import { logLine } from '../telemetry/log.ts'
import { whereabouts } from '../telemetry/whereabouts.ts'

const STATUS: Record<ErrorCode, number> = {
  bad_request: 400,
  unauthenticated: 401,
  denied: 403,
  mfa_required: 403,
  approval_required: 403,
  not_found: 404,
  conflict: 409,
  throttled: 429,
  tampered: 500,
  internal: 500,
  unavailable: 503,
}

const TITLE: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** The HTTP status that an error is answered with. */
export function statusOf({ code, detail }: PosternError): number {
  // The limit concerns what a provider keeps; the content of the request was not too large (RFC 9110 section 15.5.14).
  if (detail.reason === 'provider_invalid') return 400
  if (detail.limitBytes !== undefined) return 413
  if (detail.precondition) return 412
  if (detail.reason === 'unsupported_media_type') return 415
  return STATUS[code]
}

/**
 * Writes an error as `application/problem+json`.
 *
 * Anything but a {@link PosternError} becomes `internal` without details: messages of parsers and platforms quote their
 * input.
 */
export function problem(error: unknown, requestId: string): Response {
  const known = error instanceof PosternError ? error : concealed(error, requestId)
  return problemResponse(statusOf(known), known, requestId)
}

/** Like {@link problem}, for a status without an error code, such as 405. */
export function problemResponse(
  status: number,
  { code, message, detail }: Pick<PosternError, 'code' | 'message' | 'detail'>,
  requestId: string,
): Response {
  const { reason, field, limitBytes, auditIndex, retryAfterSeconds, approval, passedOver } = detail
  const nonce = reason === 'use_dpop_nonce'
  const title = TITLE[status] ?? 'Error'
  const body = {
    type: 'about:blank',
    title,
    status,
    code,
    detail: message,
    requestId,
    reason,
    field,
    limitBytes,
    auditIndex,
    passedOver,
    approval: approval && { ...approval, expiresAt: new Date(approval.expiresAt).toISOString() },
  }
  const headers = new Headers({ 'Content-Type': 'application/problem+json' })
  if (auditIndex !== undefined) headers.set('Audit-Index', String(auditIndex))
  // RFC 9110 section 15.5.16
  if (field === 'Content-Encoding') headers.set('Accept-Encoding', 'identity')
  if (retryAfterSeconds !== undefined) headers.set('Retry-After', String(retryAfterSeconds))
  if (status === 401) headers.set('WWW-Authenticate', nonce ? 'DPoP error="use_dpop_nonce"' : 'Bearer realm="postern"')
  return new Response(JSON.stringify(body), { status, headers })
}

function concealed(error: unknown, requestId: string): PosternError {
  logLine('error', 'request_failed', { requestId, ...whereabouts(error) })
  return new PosternError('internal', 'Request failed; the operational log has its request id')
}
