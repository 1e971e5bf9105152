/**
 * Sessions and second factors.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseId } from '../names.ts'
import { METHODS } from '../vault/access/rules.ts'
import { by, described, id, moment } from './parts.ts'

const code = z.string().check(z.maxLength(64))
/** A second factor. */
export const Factor = z
  .strictObject({ code: z.optional(code), recoveryCode: z.optional(code) })
  .check(
    z.refine(
      ({ code, recoveryCode }) => code === undefined || recoveryCode === undefined,
      'Only one of code and recoveryCode',
    ),
  )

/** Either a second factor beside an API token, or the token of an identity provider in place of one. */
export const OpenSession = z
  .strictObject({ ...Factor.shape, assertion: z.optional(z.string().check(z.maxLength(16_384))) })
  .check(
    z.refine(
      (given) => [given.code, given.recoveryCode, given.assertion].filter((one) => one !== undefined).length <= 1,
      'Only one of code, recoveryCode and assertion',
    ),
  )
export const OpenedSession = z.strictObject({
  token: z.string(),
  tokenType: z.enum(['Bearer', 'DPoP']),
  accessor: z.string(),
  principal: id,
  expiresAt: moment,
  idleSeconds: z.int(),
  mfaAt: z.optional(moment),
})
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
export const SessionList = z.strictObject({ items: z.array(Session) })
export const SessionsQuery = z.strictObject({ principal: z.optional(by(parseId)) })
export const EndedSessions = z.strictObject({ sessions: z.int() })

/** What an authenticator app is to be shown; the secret is in the URI, this once. */
export const EnrolledTotp = z.strictObject({ uri: z.string(), qr: described(z.string(), 'The URI as a QR code, SVG') })
export const ConfirmTotp = z.strictObject({ code })
export const ConfirmedTotp = z.strictObject({ recoveryCodes: z.array(z.string()) })
