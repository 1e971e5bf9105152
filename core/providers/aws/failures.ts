/**
 * The error codes of AWS. Its HTTP statuses mean little: 400 is used for almost everything.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { Received } from '../../http/send.ts'
import { type FailureKind, ProviderFailure } from '../provider.ts'
import { readAnswer, retryAfterMs } from '../request.ts'

const CODES: Record<FailureKind, readonly string[]> = {
  not_found: ['ResourceNotFoundException'],
  deleted: [],
  disabled: [],
  expired: [],
  // A forbidden or disabled KMS key is a denial: another region must not make up for it.
  denied: [
    'AccessDeniedException',
    'AccessDenied',
    'NotAuthorized',
    'OptInRequired',
    'DecryptionFailure',
    'EncryptionFailure',
  ],
  credentials: [
    ...['UnrecognizedClientException', 'InvalidClientTokenId', 'InvalidAccessKeyId', 'AuthFailure', 'InvalidToken'],
    ...[
      'ExpiredToken',
      'ExpiredTokenException',
      'InvalidIdentityToken',
      'InvalidIdentityTokenException',
      'IDPRejectedClaim',
    ],
    ...['MissingAuthenticationToken', 'MissingAuthenticationTokenException', 'RequestExpired', 'RequestTimeTooSkewed'],
    ...['IncompleteSignature', 'IncompleteSignatureException', 'InvalidSignatureException', 'SignatureDoesNotMatch'],
  ],
  invalid: [],
  name: [],
  foreign_shape: [],
  no_stage: [],
  conflict: ['ResourceExistsException', 'PreconditionNotMetException'],
  throttled: [
    ...['Throttling', 'ThrottlingException', 'ThrottledException', 'RequestThrottled', 'RequestThrottledException'],
    ...['TooManyRequestsException', 'ProvisionedThroughputExceededException', 'EC2ThrottledException'],
  ],
  timeout: ['RequestTimeout', 'RequestTimeoutException'],
  sealed: [],
  unavailable: [
    ...['InternalServiceError', 'InternalServiceErrorException', 'InternalFailure', 'InternalServerError'],
    ...['ServiceUnavailable', 'ServiceUnavailableException', 'TransactionInProgressException'],
    ...['IDPCommunicationError', 'IDPCommunicationErrorException'],
  ],
}
const KIND_OF = new Map(
  Object.entries(CODES).flatMap(([kind, codes]) => codes.map((code) => [code, kind as FailureKind])),
)
const CLOCK_CODES = ['SignatureDoesNotMatch', 'InvalidSignatureException', 'RequestTimeTooSkewed', 'RequestExpired']

const Problem = z.object({
  __type: z.optional(z.string()),
  message: z.optional(z.string()),
  Message: z.optional(z.string()),
})

/** Reads the refusal of an AWS service that speaks JSON. */
export function awsFailure({ status, headers, body }: Received, now: number): ProviderFailure {
  const { __type, message, Message } = readAnswer(body, Problem) ?? {}
  // `com.amazonaws.secretsmanager#Name` in the body, `Name:http://…` in the header.
  const code = (__type ?? headers.get('x-amzn-errortype') ?? '').replace(/^.*#/, '').replace(/:.*$/s, '')
  return new ProviderFailure(kindOf(code, message ?? Message ?? '', status), {
    code,
    retryAfterMs: retryAfterMs(headers, now),
  })
}

/** Whether the code may come from a wrong clock, ours or theirs. */
export function isClockFailure({ code }: ProviderFailure): boolean {
  return CLOCK_CODES.includes(code ?? '')
}

/**
 * Returns the kind of a failure by its code.
 *
 * @param message Used for one case: of an InvalidRequestException, nothing else shows that a secret is deleted.
 */
export function kindOf(code: string, message: string, status: number): FailureKind {
  const known = KIND_OF.get(code)
  if (known !== undefined) return known
  if (status === 429) return 'throttled'
  if (code === 'InvalidRequestException' && /\bdelet(?:ed|ion)\b/i.test(message)) return 'deleted'
  // An unknown code is still an answer of AWS. A response without a code comes from a proxy or a captive portal.
  return code !== '' && status >= 400 && status < 500 ? 'invalid' : 'unavailable'
}
