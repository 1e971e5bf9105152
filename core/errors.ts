/**
 * The error that Postern throws, and the closed sets of its codes and reasons.
 *
 * @module
 */

/** The stable error codes. Codes are API: add to them, and never rename one. */
export const ERROR_CODES = [
  'bad_request',
  'unauthenticated',
  'denied',
  'mfa_required',
  'approval_required',
  'not_found',
  'conflict',
  'throttled',
  'tampered',
  'unavailable',
  'internal',
] as const
/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * The reasons for a refusal, each with its code and the message for the client.
 *
 * The messages are constants, so they cannot hold a value. `denied` has a single reason: a caller
 * without permission must not learn whether the secret exists.
 */
export const REFUSALS = {
  unauthenticated: ['unauthenticated', 'The token is missing, malformed, unknown, expired or revoked'],
  ticket_late: [
    'unauthenticated',
    'The ticket has expired, or is valid for more than an hour. Make another. If it is new, compare the clocks of both machines, or see --at of recover',
  ],
  ticket_used: ['unauthenticated', 'The ticket was already used, or predates a restore of the vault. Make another'],
  has_principals: [
    'unauthenticated',
    'This vault already has principals, and a bootstrap ticket is for an empty vault. Use recover instead',
  ],
  has_no_principals: ['unauthenticated', 'This vault has no principals to recover. Use a bootstrap ticket instead'],
  denied: ['denied', 'No rule permits this request, or a rule forbids it'],
  mfa_required: [
    'mfa_required',
    'A second factor is required. POST a code to sessions/current, then use the token in the answer',
  ],
  approval_required: [
    'approval_required',
    'This request needs approval. Send it again with the header Approval: ask, and once approved with Approval: <id>',
  ],
  approval_open: ['approval_required', 'The request for approval is still open. Try again once it is approved'],
  approval_mismatch: [
    'approval_required',
    'The approval is for a different request, or the state it approved has changed. The requester can ask again',
  ],
  approval_used: ['approval_required', 'The approval was already used. The requester can ask again'],
  approval_ended: [
    'approval_required',
    'The request for approval was rejected, withdrawn or not used in time. The requester can ask again',
  ],
  too_many_approvals: [
    'conflict',
    'Too many requests for approval are open. Withdraw one, or wait until one is decided',
  ],
  no_approval: ['not_found', 'No request for approval has this id'],
  not_approver: ['conflict', 'The approver must be a user listed in the rule who could not have made the request'],
  no_quorum: ['bad_request', 'The rule must list at least as many known and enabled users as it requires approvals'],
  no_glass: ['not_found', 'No break-glass event has this id'],
  own_review: ['conflict', 'The person who broke the glass cannot review it. Ask another administrator'],
  rekeying: [
    'conflict',
    'Secrets are still being rewrapped under the newest key term. Try again when that has finished',
  ],
  rotating: ['conflict', 'The secret is being rotated. Wait until the rotation ends, or cancel it'],
  not_rotating: ['conflict', 'The rotation is not at a step that allows this'],
  superseded: ['conflict', 'This step has ended, or another run has taken it over'],
  frozen: ['conflict', 'The rotation is in a freeze window. Wait until the window ends, or set force'],
  no_rotation: ['not_found', 'The secret has no rotation'],
  no_hook: ['not_found', 'No hook has this id'],
  hook_used: ['conflict', 'A rotation or the vault policy uses this hook. Change that first'],
  weak_recipe: ['bad_request', 'The generated value would be weaker than the policy of this vault requires'],
  unsupported_media_type: [
    'bad_request',
    'Send the body as JSON in UTF-8 with Content-Type: application/json and without Content-Encoding',
  ],
  throttled: ['throttled', 'Too many requests. Try again after the time in Retry-After'],
  weak: ['bad_request', 'The value is weaker than the policy of this vault requires'],
  past_expiry: [
    'bad_request',
    'The expiry is earlier than the newest log entry. Give a later one, or correct the clock of the server',
  ],
  no_secret: ['not_found', 'No secret has this name'],
  no_version: ['not_found', 'The secret has no such version'],
  deleted: ['not_found', 'The secret is deleted. It can be restored'],
  no_stage: [
    'bad_request',
    'The store of this secret has no such stage or label of versions, or does not tell which version has it. Name a version by its number or id',
  ],
  destroyed: ['not_found', 'The version is destroyed'],
  expired: ['not_found', 'The version has expired'],
  use_dpop_nonce: ['unauthenticated', 'The DPoP proof must carry the nonce from the DPoP-Nonce header'],
  no_answer: ['unavailable', 'The remote server could not be reached, or sent an invalid answer'],
  large_answer: ['unavailable', 'The answer of the remote server is too large'],
  late_answer: ['unavailable', 'The remote server did not answer in time'],
  provider_answer: ['unavailable', 'The identity provider sent an invalid answer'],
  issuer_unavailable: [
    'unavailable',
    'The keys of the identity provider are not available now. Send the same token again after the time in Retry-After',
  ],
  no_pointer: ['not_found', 'The secret has no value at this JSON pointer'],
  no_principal: ['not_found', 'No principal has this id'],
  no_token: ['not_found', 'No token has this accessor'],
  no_issuer: ['not_found', 'No identity provider has this id'],
  no_session: ['not_found', 'No session has this accessor'],
  no_entry: ['not_found', 'The log has no such entry yet'],
  no_cosignature: ['not_found', 'No witness has cosigned a checkpoint of this log'],
  pruned: ['not_found', 'The entry was erased at the end of its retention'],
  no_rule: ['not_found', 'No rule has this id'],
  no_chain: ['not_found', 'No chain has this id'],
  provider_deleted: [
    'not_found',
    'The secret is deleted at its provider. Recover it there, or purge it to write a new one',
  ],
  provider_disabled: ['not_found', 'The secret is disabled at its provider'],
  exists: ['conflict', 'The secret already exists'],
  version_mismatch: ['conflict', 'The current version is not the expected one'],
  raced: ['conflict', 'A concurrent request changed the same resource. Try again'],
  restore_first: ['conflict', 'The secret is deleted. Restore or destroy it first'],
  key_reused: ['conflict', 'The idempotency key was already used for a different request'],
  held: ['conflict', 'The log is under a legal hold, which keeps all of its entries'],
  indescribable: ['bad_request', 'The change is too large for its audit entry. Make it smaller, or split it'],
  unusable: ['bad_request', 'The server is not configured for this'],
  last_admin: ['conflict', 'No principal could administer this vault after this change'],
  pattern_taken: ['conflict', 'Another chain already has this pattern'],
  not_sealed: ['conflict', 'A provider keeps this secret. Do this at the provider'],
  not_provided: ['conflict', 'The vault keeps this secret itself, and this is only for secrets at a provider'],
  no_provider_rotation: [
    'conflict',
    'The provider of this secret does not rotate secrets itself. Use the target "generate"',
  ],
  provider_conflict: ['conflict', 'The secret is in an unexpected state at its provider'],
  foreign_shape: [
    'conflict',
    'The store keeps this secret in a different shape. Send a JSON object for a secret with fields and text for a text secret, or set replace: "shape"',
  ],
  provider_name: [
    'bad_request',
    'The provider of this secret cannot have its name. The names of the chain can give it another one there',
  ],
  provider_denied: ['denied', 'The provider denies the server access'],
  provider_invalid: ['bad_request', 'The provider does not accept this secret, or this version of it'],
  tampered: ['tampered', 'The sealed secret cannot be opened'],
  rolled_back: ['tampered', 'The log does not extend its anchored checkpoint. The storage was rolled back or replaced'],
  schema_changed: ['tampered', 'The schema of the vault was modified. The operational log names the differences'],
  log_changed: ['tampered', 'The log of the vault was modified in the storage. The operational log names the entry'],
  no_key: ['unavailable', 'The secret was sealed under a root key that is not configured'],
  chain_changed: ['unavailable', 'The chain was changed during the request. Try again'],
  provider_unavailable: ['unavailable', 'No provider of this secret is available'],
  provider_credentials: ['unavailable', 'The provider rejects the credentials of this server'],
  provider_missing: ['unavailable', 'The chain names a provider that this vault cannot use'],
  write_unknown: ['unavailable', 'The provider did not answer. The change may have been made'],
  late: ['unavailable', 'The request took too long. It may have been carried out and recorded'],
  overloaded: ['unavailable', 'Too many requests are waiting for this vault. Try again shortly'],
  gone: ['unavailable', 'The client closed the connection before the vault was called. Nothing was done or recorded'],
  failed: ['internal', 'The request failed. The operational log has its request id'],
  storage: ['unavailable', 'The storage cannot record this request now. Try again shortly'],
} as const satisfies Record<string, readonly [ErrorCode, string]>

/** The reason for a refusal, finer than its code: a key of {@link REFUSALS}. */
export type Reason = keyof typeof REFUSALS

/** A pending request for approval. Approvers approve the request with this hash. */
export interface AskedApproval {
  id: string
  hash: string
  /** Milliseconds since the Unix epoch. */
  expiresAt: number
}

/** Facts about an error that a client may see. They never hold a secret. */
export interface ErrorDetail {
  /** The reason for the refusal, finer than the code. A newer server may send a reason that is not listed here. */
  reason?: Reason
  /** The name of the invalid field, header or setting. */
  field?: string
  /** The limit in bytes that the request exceeded (HTTP 413 instead of 400, unless the limit is a provider's). */
  limitBytes?: number
  /** Set when a precondition of the request failed (HTTP 412 instead of 409). */
  precondition?: true
  /** The index of the audit entry that records the refusal. */
  auditIndex?: number
  /** The request for approval that was created, or is still open. */
  approval?: AskedApproval
  /** The members of the chain that could not answer, in the order of the attempts, and why. */
  passedOver?: readonly { provider: string; why: string }[]
  /** The delay before the next attempt, in seconds. */
  retryAfterSeconds?: number
}

/**
 * The error for conditions that a caller is expected to handle.
 *
 * Programming errors throw `TypeError` or `RangeError` instead. The message and `detail` are safe
 * to log: they never hold secret values, tokens or key material. There is no `cause` for the same
 * reason: the errors of parsers and platforms quote their input.
 */
export class PosternError extends Error {
  override readonly name = 'PosternError'
  readonly code: ErrorCode
  readonly detail: Readonly<ErrorDetail>

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message)
    this.code = code
    this.detail = Object.freeze({ ...detail })
  }
}

/** Creates the error for a refusal. */
export function refusal(reason: Reason, detail: Omit<ErrorDetail, 'reason'> = {}): PosternError {
  const [code, message] = REFUSALS[reason]
  // A reason with the name of its code adds nothing.
  return new PosternError(code, message, reason === code ? detail : { ...detail, reason })
}

/** Creates the `bad_request` error for a field. The message names the rule, never the value. */
export function badRequest(field: string, message: string, detail: { limitBytes?: number } = {}): PosternError {
  return new PosternError('bad_request', message, { field, ...detail })
}
