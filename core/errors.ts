/**
 * The one error of this package, and the closed sets of codes and refusals it speaks in.
 *
 * @module
 */

/** Every stable error code. Codes are API: never rename one, only add. */
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
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * Why a vault refused, with the code and the message a client sees.
 *
 * The messages are constants, so none can hold a value. `denied` has one reason only: a caller
 * without permission must not learn whether the secret exists.
 */
export const REFUSALS = {
  unauthenticated: ['unauthenticated', 'Token is missing, malformed, unknown, expired or revoked'],
  ticket_late: [
    'unauthenticated',
    'Ticket has expired, or is valid for longer than an hour: make another. If it is new, compare the clocks of both machines; see --at of recover',
  ],
  ticket_used: ['unauthenticated', 'Ticket was used, or was made before the vault was restored: make another'],
  has_principals: ['unauthenticated', 'Vault has principals, and a bootstrap ticket is for one without: use recover'],
  has_no_principals: [
    'unauthenticated',
    'Vault has no principals: there is nothing to recover; use a bootstrap ticket',
  ],
  denied: ['denied', 'No rule permits this, or one forbids it'],
  mfa_required: [
    'mfa_required',
    'Second factor is needed: POST sessions/current with a code, and use the token that comes back',
  ],
  approval_required: [
    'approval_required',
    'Others must approve this: send it again with the header Approval: ask, then with Approval: <id>',
  ],
  approval_open: ['approval_required', 'Approval is not given yet'],
  approval_mismatch: ['approval_required', 'Approval was given for something else, or things have changed since'],
  approval_used: ['approval_required', 'Approval was used'],
  approval_ended: ['approval_required', 'Approval was rejected, withdrawn or not used in time'],
  too_many_approvals: ['conflict', 'Too many requests for approval are open'],
  no_approval: ['not_found', 'No request for approval has this id'],
  not_approver: ['conflict', 'Approver must be named by the rule, a user, and nobody who could have asked'],
  no_quorum: ['bad_request', 'Rule must name at least as many users, known and enabled, as it requires'],
  no_glass: ['not_found', 'Nobody broke the glass under this id'],
  own_review: ['conflict', 'Review is for another than the one who broke the glass'],
  rekeying: ['conflict', 'Values still move to the term of the key that began last'],
  rotating: ['conflict', 'Secret is being rotated; wait for it, or cancel it'],
  not_rotating: ['conflict', 'Rotation is not at a step where this can be done'],
  superseded: ['conflict', 'Step was taken over by another, or has ended'],
  frozen: ['conflict', 'Rotation is frozen now; force it if it must be'],
  no_rotation: ['not_found', 'Secret has no rotation'],
  no_hook: ['not_found', 'No hook has this id'],
  hook_used: ['conflict', 'Hook is used by a rotation or by the policy'],
  weak_recipe: ['bad_request', 'What is to be generated is weaker than the policy of this vault asks'],
  throttled: ['throttled', 'Too many requests'],
  weak: ['bad_request', 'Value is weaker than the policy of this vault asks'],
  past_expiry: [
    'bad_request',
    'Expiry is before the newest entry of the log: give a later one, or correct the clock of the server',
  ],
  no_secret: ['not_found', 'No secret has this name'],
  no_version: ['not_found', 'Secret has no such version'],
  deleted: ['not_found', 'Secret is deleted; it can be restored'],
  destroyed: ['not_found', 'Version is destroyed'],
  expired: ['not_found', 'Version has expired'],
  use_dpop_nonce: ['unauthenticated', 'DPoP proof must carry the nonce of the DPoP-Nonce header'],
  no_answer: ['unavailable', 'Server that was asked did not answer as it should'],
  large_answer: ['unavailable', 'Answer of the server that was asked is too large'],
  late_answer: ['unavailable', 'Server that was asked did not answer in time'],
  provider_answer: ['unavailable', 'Identity provider did not answer as it should'],
  no_pointer: ['not_found', 'Secret has nothing at this JSON pointer'],
  no_principal: ['not_found', 'No principal has this id'],
  no_token: ['not_found', 'No token has this accessor'],
  no_issuer: ['not_found', 'No identity provider has this id'],
  no_session: ['not_found', 'No such session'],
  no_entry: ['not_found', 'Log has no such entry yet'],
  no_cosignature: ['not_found', 'No witness has cosigned a checkpoint of this log'],
  pruned: ['not_found', 'Entry is past its retention, and erased'],
  no_rule: ['not_found', 'No rule has this id'],
  no_chain: ['not_found', 'No chain has this id'],
  provider_deleted: ['not_found', 'Secret is deleted at its provider'],
  provider_disabled: ['not_found', 'Secret is switched off at its provider'],
  exists: ['conflict', 'Secret exists already'],
  version_mismatch: ['conflict', 'Current version is another one'],
  raced: ['conflict', 'Another request changed the same at the same time'],
  restore_first: ['conflict', 'Secret is deleted; restore or destroy it first'],
  key_reused: ['conflict', 'Idempotency key was used for another request'],
  held: ['conflict', 'Log is under a legal hold: nothing of it is erased'],
  indescribable: ['bad_request', 'Change is larger than its audit entry can describe: make it smaller, or split it'],
  unusable: ['bad_request', 'Server is not configured for this'],
  last_admin: ['conflict', 'No principal could administer this vault afterwards'],
  pattern_taken: ['conflict', 'Another chain has this pattern'],
  not_sealed: ['conflict', 'Secret is kept by a provider, and this is done there'],
  not_provided: ['conflict', 'Secret is kept here, and this is for one that a provider keeps'],
  no_provider_rotation: ['conflict', 'Provider of this secret rotates none itself: have the value generated'],
  provider_conflict: ['conflict', 'Provider has the secret in another state than was expected'],
  foreign_shape: [
    'conflict',
    'Store keeps this secret in another shape: send an object as application/json over fields, text over text, or replace: "shape"',
  ],
  provider_denied: ['denied', 'Provider denies this to the server'],
  provider_invalid: ['bad_request', 'Provider does not take this secret, or this version of it'],
  tampered: ['tampered', 'Sealed secret cannot be opened'],
  rolled_back: ['tampered', 'Log is not a continuation of what was anchored: the storage was rolled back or replaced'],
  schema_changed: [
    'tampered',
    'Schema of the vault is not the one that Postern made: the operational log names the differences',
  ],
  log_changed: ['tampered', 'Log of the vault was changed in the storage: the operational log names the entry'],
  no_key: ['unavailable', 'Secret was sealed under a root key that is not configured'],
  chain_changed: ['unavailable', 'Chain was changed meanwhile: try again'],
  provider_unavailable: ['unavailable', 'No provider of this secret can answer now'],
  provider_credentials: ['unavailable', 'Provider does not take the credentials of this server'],
  provider_missing: ['unavailable', 'Chain names a provider that this vault cannot use'],
  write_unknown: ['unavailable', 'Provider did not answer: the change may have been made'],
  late: ['unavailable', 'Request took too long: what it asks may have been done, and recorded'],
  overloaded: ['unavailable', 'Too many requests wait for this vault'],
  failed: ['internal', 'Request failed'],
  storage: ['unavailable', 'Storage cannot record this request now'],
} as const satisfies Record<string, readonly [ErrorCode, string]>

export type Reason = keyof typeof REFUSALS

/** A request for approval: what others are asked to approve, by its id and its hash. */
export interface AskedApproval {
  id: string
  hash: string
  /** Milliseconds since the Unix epoch. */
  expiresAt: number
}

/** Facts about an error that a client may see. None is ever a secret. */
export interface ErrorDetail {
  /** Which refusal it was, finer than the code; of a newer server it may be one that is not known here. */
  reason?: Reason
  /** The name of the wrong field, header or setting. */
  field?: string
  /** Set when something was too large: the limit in bytes (HTTP 413 rather than 400, unless a provider keeps it). */
  limitBytes?: number
  /** Set when a precondition named by the client failed (HTTP 412 rather than 409). */
  precondition?: true
  /** The index of the audit entry that records the refusal. */
  auditIndex?: number
  /** The request for approval that was made, or that is not decided yet. */
  approval?: AskedApproval
  /** Members of a chain that could not answer, in the order in which they were asked, and why. */
  passedOver?: readonly { provider: string; why: string }[]
  /** When to try again, in seconds. */
  retryAfterSeconds?: number
}

/**
 * The one error this package throws for conditions a caller is expected to handle.
 *
 * Mistakes by the calling programmer are `TypeError` or `RangeError` instead. The message and
 * `detail` are safe to log: they never hold secret values, tokens or key material. For the same
 * reason there is no `cause`: the errors of parsers and platforms quote their input.
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

/** Makes the error of a refusal. */
export function refusal(reason: Reason, detail: Omit<ErrorDetail, 'reason'> = {}): PosternError {
  const [code, message] = REFUSALS[reason]
  // A reason of the code's own name says nothing more.
  return new PosternError(code, message, reason === code ? detail : { ...detail, reason })
}

/** Makes the `bad_request` error for a field. The message names the rule, never the value. */
export function badRequest(field: string, message: string, detail: { limitBytes?: number } = {}): PosternError {
  return new PosternError('bad_request', message, { field, ...detail })
}
