/**
 * Response headers and error responses that many routes share.
 *
 * @module
 */
import { ERROR_CODES, type ErrorCode, REFUSALS } from '../../core/errors.ts'
import type { Part } from './schemas.ts'

const text = { type: 'string' }
const header = (description: string, schema: object, required = false) => ({
  description,
  ...(required && { required }),
  schema,
})

/** Response headers. */
export const HEADERS = {
  'Request-Id': header(
    'The id of the request in the audit log and the operational log',
    { type: 'string', format: 'uuid' },
    true,
  ),
  'Audit-Index': header('The index of the audit entry that records the request', { type: 'integer', minimum: 0 }),
  RateLimit: header('The remaining quota of the tightest limit, and the time until it resets', text),
  'RateLimit-Policy': header('The tightest limit', text),
  'DPoP-Nonce': header('The nonce for the next proof, on every answer to a proof (RFC 9449)', text),
  'Server-Timing': header('Where the server spent its time, in whole milliseconds. Only if settings enable it', text),
  'Retry-After': header('The delay before the next attempt, in seconds', { type: 'integer', minimum: 0 }),
  'WWW-Authenticate': header('How to authenticate (RFC 9110, RFC 9449)', text, true),
  ETag: header('The version in quotes, for `If-Match`', text),
  'Cache-Status': header('How the cache handled the request, and which providers could not answer (RFC 9211)', text),
  Age: header('The age of a cached value, in seconds', { type: 'integer', minimum: 0 }),
  Link: header('The next page, with `rel="next"` (RFC 8288)', text),
} as const
/** The name of a response header. */
export type HeaderName = keyof typeof HEADERS

interface Failure {
  status: number
  description: string
  codes: readonly ErrorCode[]
  headers?: readonly HeaderName[]
}

/** Error responses, by the name of their component. */
export const FAILURES = {
  BadRequest: { status: 400, description: 'The request is invalid', codes: ['bad_request'] },
  Unauthenticated: {
    status: 401,
    description:
      'The caller is not authenticated. The answer is the same for a missing, malformed, unknown, expired or revoked token',
    codes: ['unauthenticated'],
    headers: ['WWW-Authenticate'],
  },
  Denied: {
    status: 403,
    description: 'The caller is not permitted, or not yet. The answer does not reveal whether the secret exists',
    codes: ['denied', 'mfa_required', 'approval_required'],
  },
  NotFound: { status: 404, description: 'The resource does not exist', codes: ['not_found'] },
  Conflict: {
    status: 409,
    description: 'The current state of the resource does not allow the request',
    codes: ['conflict'],
  },
  PreconditionFailed: {
    status: 412,
    description: 'The current version does not match `If-Match` or `If-None-Match`',
    codes: ['conflict'],
  },
  TooLarge: { status: 413, description: 'The request exceeds `limitBytes`', codes: ['bad_request'] },
  UnsupportedMediaType: {
    status: 415,
    description: 'The body is not JSON in UTF-8, or has a `Content-Encoding`',
    codes: ['bad_request'],
  },
  Throttled: {
    status: 429,
    description: 'Too many requests',
    codes: ['throttled'],
    headers: ['Retry-After'],
  },
  Failed: {
    status: 500,
    description:
      'A sealed value cannot be opened, the log was rolled back, or Postern has a bug. A retry does not help',
    codes: ['tampered', 'internal'],
  },
  Unavailable: {
    status: 503,
    description: 'The storage, a key or a provider is unavailable',
    codes: ['unavailable'],
    headers: ['Retry-After'],
  },
} as const satisfies Record<string, Failure>
/** The name of an error response. */
export type FailureName = keyof typeof FAILURES

/** Creates the components of all error responses. */
export function failureResponses(): Record<string, Part> {
  const made = Object.entries(FAILURES as Record<string, Failure>).map(([name, failure]) => [name, response(failure)])
  return Object.fromEntries(made)
}

/** Creates references to response headers. */
export function headersOf(names: readonly HeaderName[]): Record<string, Part> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

/** Creates a Markdown table of every code and reason, with the message for the client. */
export function reasonsTable(): string {
  const rows = ERROR_CODES.flatMap((code) => {
    const statuses = Object.values(FAILURES as Record<string, Failure>).filter(({ codes }) => codes.includes(code))
    const reasons = Object.entries(REFUSALS).filter(([reason, [of]]) => of === code && reason !== code)
    const status = statuses.map(({ status }) => status).join(', ')
    const own = REFUSALS[code as keyof typeof REFUSALS]?.[1] ?? ''
    return [[code, status, '', own], ...reasons.map(([reason, [, message]]) => [code, status, reason, message])]
  })
  const lines = rows.map(([code, status, reason, message]) => {
    return `| \`${code}\` | ${status} | ${reason && `\`${reason}\``} | ${message} |`
  })
  return ['| Code | Status | Reason | Message |', '| --- | --- | --- | --- |', ...lines].join('\n')
}

function response({ status, description, codes, headers = [] }: Failure): Part {
  const problem = { $ref: '#/components/schemas/Problem' }
  const narrowed = { properties: { status: { const: status }, code: { enum: codes } } }
  return {
    description,
    headers: headersOf(['Request-Id', 'Audit-Index', 'DPoP-Nonce', ...headers]),
    content: {
      'application/problem+json': { schema: { allOf: [problem, narrowed] }, example: example(status, codes[0]!) },
    },
  }
}

function example(status: number, code: ErrorCode) {
  const detail = REFUSALS[code as keyof typeof REFUSALS]?.[1] ?? 'Must be well-formed Unicode'
  return {
    ...{ type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail },
    requestId: '00000000-0000-4000-8000-000000000000',
  }
}

const TITLES: Record<number, string> = {
  ...{ 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 409: 'Conflict' },
  ...{ 412: 'Precondition Failed', 413: 'Content Too Large', 415: 'Unsupported Media Type', 429: 'Too Many Requests' },
  ...{ 500: 'Internal Server Error', 503: 'Service Unavailable' },
}
