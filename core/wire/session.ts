/**
 * Shapes of sessions and second factors.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseId } from '../names.ts'
import { METHODS } from '../vault/access/rules.ts'
import { by, described, id, moment } from './parts.ts'

const code = z.string().check(z.maxLength(64))
/** A second factor: a code of an authenticator app, or a recovery code. */
export const Factor = z
  .strictObject({ code: z.optional(code), recoveryCode: z.optional(code) })
  .check(
    z.refine(
      ({ code, recoveryCode }) => code === undefined || recoveryCode === undefined,
      'Must have only one of code and recoveryCode',
    ),
  )

/** Opens a session: with a second factor besides the API token, or with the token of an identity provider instead. */
export const OpenSession = z
  .strictObject({ ...Factor.shape, assertion: z.optional(z.string().check(z.maxLength(16_384))) })
  .check(
    z.refine(
      (given) => [given.code, given.recoveryCode, given.assertion].filter((one) => one !== undefined).length <= 1,
      'Must have only one of code, recoveryCode and assertion',
    ),
  )
/** A new session, the only answer that holds its token. */
export const OpenedSession = z.strictObject({
  token: z.string(),
  tokenType: z.enum(['Bearer', 'DPoP']),
  accessor: z.string(),
  principal: id,
  expiresAt: moment,
  idleSeconds: z.int(),
  mfaAt: z.optional(moment),
})
/** The caller's principal and session. */
export const Whoami = z.strictObject({
  principal: id,
  kind: z.enum(['user', 'service']),
  method: z.enum(METHODS),
  session: z.optional(z.string()),
  expiresAt: z.optional(moment),
  mfaAt: z.optional(moment),
  bound: z.boolean(),
  totp: z.boolean(),
  recoveryCodesLeft: z.int(),
})
/** A session without its token. */
export const Session = z.strictObject({
  accessor: z.string(),
  principal: id,
  method: z.enum(['session', 'federated']),
  createdAt: moment,
  seenAt: moment,
  expiresAt: moment,
  mfaAt: z.optional(moment),
  address: z.optional(z.string()),
  agent: z.optional(z.string()),
  bound: z.boolean(),
})
/** Sessions of one principal or of all. */
export const SessionList = z.strictObject({ items: z.array(Session) })
/** Selects the sessions of one principal. */
export const SessionsQuery = z.strictObject({ principal: z.optional(by(parseId)) })
/** The number of sessions that ended. */
export const EndedSessions = z.strictObject({ sessions: z.int() })

/** The secret for an authenticator app, in a URI that is shown only once. */
export const EnrolledTotp = z.strictObject({ uri: z.string(), qr: described(z.string(), 'The URI as a QR code, SVG') })
/** Confirms an authenticator app with one of its codes. */
export const ConfirmTotp = z.strictObject({ code })
/** Recovery codes, shown only once. */
export const ConfirmedTotp = z.strictObject({ recoveryCodes: z.array(z.string()) })
