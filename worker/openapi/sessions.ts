/**
 * OpenAPI texts for sessions and second factors.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const opened = {
  ...{ token: 'pss_default_example', tokenType: 'Bearer', accessor: '00000000-0000-4000-8000-000000000000' },
  ...{ principal: 'ann', expiresAt: at, idleSeconds: 1800 },
}

/** Routes for sessions. */
export const sessions = group('Sessions', 'Sign-in, sign-out, second factors and sessions.', {
  openSession: {
    summary: 'Sign in',
    description:
      'Takes an API token, with a second factor if the principal has one, or a token of a trusted issuer as `assertion`. A DPoP proof binds the session to its key. A refusal takes a fixed time.',
    body: { shape: wire.OpenSession, optional: true, example: { code: '000000' } },
    answer: wire.OpenedSession,
    example: opened,
    status: 201,
    sealable: true,
    signIn: true,
  },
  renewSession: {
    summary: 'Add a second factor to the session',
    description: 'A new session replaces the current one.',
    body: { shape: wire.Factor, example: { code: '000000' } },
    answer: wire.OpenedSession,
    example: { ...opened, mfaAt: at },
    status: 201,
    sealable: true,
  },
  whoami: {
    summary: "Get the caller's principal and session",
    answer: wire.Whoami,
    example: {
      ...{ principal: 'ann', kind: 'user', method: 'session', expiresAt: at },
      ...{ bound: false, totp: true, recoveryCodesLeft: 8 },
    },
  },
  endOwnSession: { summary: 'Sign out', answer: answers.EndedSession, also: ['not_found'] },
  listSessions: {
    summary: 'List sessions of one principal or of all',
    answer: wire.SessionList,
  },
  endSessions: {
    summary: 'End all sessions of a principal',
    answer: wire.EndedSessions,
    example: { sessions: 2 },
    also: ['not_found'],
  },
  endSession: { summary: 'End a session', answer: answers.EndedSession, also: ['not_found'] },
  enrolTotp: {
    summary: 'Enrol an authenticator app',
    answer: wire.EnrolledTotp,
    status: 201,
    also: ['conflict'],
    sealable: true,
  },
  confirmTotp: {
    summary: 'Confirm an authenticator app with one of its codes',
    body: { shape: wire.ConfirmTotp, example: { code: '000000' } },
    answer: wire.ConfirmedTotp,
    also: ['not_found', 'conflict'],
    sealable: true,
  },
})
