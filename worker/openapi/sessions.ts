import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const opened = {
  ...{ token: 'pss_default_example', tokenType: 'Bearer', accessor: '00000000-0000-4000-8000-000000000000' },
  ...{ principal: 'ann', expiresAt: at, idleSeconds: 1800 },
}

export const sessions = group('Sessions', 'Signing in and out, second factors, and who holds sessions.', {
  openSession: {
    summary: 'Sign in',
    description:
      'With an API token, and a second factor where there is one; or with the token of an identity provider that the vault trusts, as `assertion`. With a DPoP proof the session is bound to its key. A refusal takes a while, always as long.',
    body: { shape: wire.OpenSession, optional: true, example: { code: '000000' } },
    answer: wire.OpenedSession,
    example: opened,
    status: 201,
    sealable: true,
    signIn: true,
  },
  renewSession: {
    summary: 'Give a second factor to a session',
    description: 'A new session takes the place of the one that asks.',
    body: { shape: wire.Factor, example: { code: '000000' } },
    answer: wire.OpenedSession,
    example: { ...opened, mfaAt: at },
    status: 201,
    sealable: true,
  },
  whoami: {
    summary: 'Tell who asks',
    answer: wire.Whoami,
    example: {
      ...{ principal: 'ann', kind: 'user', method: 'session', expiresAt: at },
      ...{ bound: false, totp: true, recoveryCodesLeft: 8 },
    },
  },
  endOwnSession: { summary: 'Sign out', answer: answers.EndedSession, also: ['not_found'] },
  listSessions: {
    summary: 'List sessions of a principal, or of all',
    query: wire.SessionsQuery,
    answer: wire.SessionList,
  },
  endSessions: {
    summary: 'End all sessions of a principal',
    query: wire.SessionsQuery,
    answer: wire.EndedSessions,
    example: { sessions: 2 },
    also: ['not_found'],
  },
  endSession: { summary: 'End a session', answer: answers.EndedSession, also: ['not_found'] },
  enrolTotp: {
    summary: 'Begin to use an authenticator app',
    answer: wire.EnrolledTotp,
    status: 201,
    also: ['conflict'],
    sealable: true,
  },
  confirmTotp: {
    summary: 'Confirm an authenticator app by a code of it',
    body: { shape: wire.ConfirmTotp, example: { code: '000000' } },
    answer: wire.ConfirmedTotp,
    also: ['not_found', 'conflict'],
    sealable: true,
  },
})
