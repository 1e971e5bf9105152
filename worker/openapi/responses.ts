/**
 * The answers that many routes have alike: headers, and errors by their status.
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

/** Headers of answers. */
export const HEADERS = {
  'Request-Id': header('Names the request in both logs', { type: 'string', format: 'uuid' }, true),
  'Audit-Index': header('The entry of the log that records it', { type: 'integer', minimum: 0 }),
  RateLimit: header('What the tightest limit leaves, and when it is whole again', text),
  'RateLimit-Policy': header('The tightest limit', text),
  'DPoP-Nonce': header('The nonce for the next proof: on every answer to a proof (RFC 9449)', text),
  'Server-Timing': header('Where the time went, in whole milliseconds; where settings ask for it', text),
  'Retry-After': header('When to try again, in seconds', { type: 'integer', minimum: 0 }),
  'WWW-Authenticate': header('How to authenticate (RFC 9110, RFC 9449)', text, true),
  ETag: header('The version, in quotes: for `If-Match`', text),
  'Cache-Status': header('What the cache did, and which providers were passed over (RFC 9211)', text),
  Age: header('How old a value of the cache is, in seconds', { type: 'integer', minimum: 0 }),
  Link: header('The next page, as `rel="next"` (RFC 8288)', text),
} as const
export type HeaderName = keyof typeof HEADERS

interface Failure {
  status: number
  description: string
  codes: readonly ErrorCode[]
  headers?: readonly HeaderName[]
}

/** Errors by status, each under the name of its component. */
export const FAILURES = {
  BadRequest: { status: 400, description: 'Something in the request is not as it must be', codes: ['bad_request'] },
  Unauthenticated: {
    status: 401,
    description: 'Nobody who is known: one answer for a token that is missing, malformed, unknown, expired or revoked',
    codes: ['unauthenticated'],
    headers: ['WWW-Authenticate'],
  },
  Denied: {
    status: 403,
    description: 'Not permitted, or not yet: the same whether or not there is such a secret',
    codes: ['denied', 'mfa_required', 'approval_required'],
  },
  NotFound: { status: 404, description: 'There is none', codes: ['not_found'] },
  Conflict: { status: 409, description: 'The state of things does not allow it', codes: ['conflict'] },
  PreconditionFailed: {
    status: 412,
    description: 'Another version is current than `If-Match` or `If-None-Match` says',
    codes: ['conflict'],
  },
  TooLarge: { status: 413, description: 'Larger than `limitBytes`', codes: ['bad_request'] },
  Throttled: {
    status: 429,
    description: 'Too many requests',
    codes: ['throttled'],
    headers: ['Retry-After'],
  },
  Failed: {
    status: 500,
    description:
      'What was sealed cannot be opened, the log was rolled back, or a mistake of ours: repeating does not help',
    codes: ['tampered', 'internal'],
  },
  Unavailable: {
    status: 503,
    description: 'Storage, a key or a provider cannot be had now',
    codes: ['unavailable'],
    headers: ['Retry-After'],
  },
} as const satisfies Record<string, Failure>
export type FailureName = keyof typeof FAILURES

/** The components of all of them. */
export function failureResponses(): Record<string, Part> {
  const made = Object.entries(FAILURES as Record<string, Failure>).map(([name, failure]) => [name, response(failure)])
  return Object.fromEntries(made)
}

/** The headers of an answer, by reference. */
export function headersOf(names: readonly HeaderName[]): Record<string, Part> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

/** A table of every code and reason with the message that a client sees, in Markdown. */
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
  return ['| code | status | reason | says |', '| --- | --- | --- | --- |', ...lines].join('\n')
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
  const detail = REFUSALS[code as keyof typeof REFUSALS]?.[1] ?? 'Value must be well-formed Unicode'
  return {
    ...{ type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail },
    requestId: '00000000-0000-4000-8000-000000000000',
  }
}

const TITLES: Record<number, string> = {
  ...{ 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 409: 'Conflict' },
  ...{ 412: 'Precondition Failed', 413: 'Content Too Large', 429: 'Too Many Requests' },
  ...{ 500: 'Internal Server Error', 503: 'Service Unavailable' },
}
