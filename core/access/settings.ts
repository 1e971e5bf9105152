/**
 * What can be set about who may ask at all, and how often: `POSTERN_SECURITY__…`.
 *
 * @module
 */
import * as z from 'zod'
import { PosternError } from '../errors.ts'
import { flag, list, some, whole } from '../settings_reader.ts'
import { parseRange } from './cidr.ts'
import { parseLimit } from './throttle.ts'

/** What holds for a whole server, above the rules of any vault: see `security_policy.ts`. */
export const SecuritySettings = z.object({
  maxFailedAttempts: whole(
    1,
    100,
    'Failed attempts at a second factor, from one network, that lock a principal there.',
  ).prefault('3'),
  lockoutDurationMinutes: whole(1, 1440, 'How long such a lock holds, and how long failures count.').prefault('15'),
  sessionTimeoutMinutes: whole(1, 1440, 'How long a session may be idle.').prefault('30'),
  sessionMaxHours: whole(1, 720, 'How long a session lasts at most.').prefault('12'),
  requireMfa: flag(
    'Users need a second factor for whatever needs a right. Services have none, and are held by rules.',
  ).prefault('false'),
  requireMfaForAdmin: flag('Administration needs a second factor.').prefault('false'),
  allowedIpRanges: some(
    (item) => parseRange(item),
    'address ranges',
    'Requests from elsewhere are denied, in every vault.',
  ).optional(),
  allowedUserAgents: some(
    agentGlob,
    'globs',
    'Requests by other user agents are denied, in every vault. A signal: a client says what it likes.',
  ).optional(),
  allowLoopbackIssuers: flag('Lets an identity provider be on this machine, over http: for development.').prefault(
    'false',
  ),
  allowLoopbackHooks: flag('Lets a hook be on this machine, over http: for development.').prefault('false'),
  encryptionKeyRotationDays: whole(
    0,
    3650,
    "How old a vault's key may get before its next term begins by itself; 0: it does not.",
  ).prefault('90'),
  principalRate: list(
    (item) => parseLimit(item),
    'limits such as `100/s`',
    'Requests that one principal may make.',
  ).prefault('5000/s'),
  sourceRate: list(
    (item) => parseLimit(item),
    'limits',
    'Requests that may come from one address, or one IPv6 /64.',
  ).prefault('5000/s'),
  vaultRate: list((item) => parseLimit(item), 'limits', 'Requests that one vault answers.').prefault(''),
  refusalRate: list(
    (item) => parseLimit(item),
    'limits',
    'Requests without a valid token that one address may make before it is not listened to.',
  ).prefault('20/s,300/m'),
  allowedOrigins: list(
    pageOrigin,
    'origins',
    'Pages in a browser that may ask this server, such as an editor at `https://code.example.com`. Others cannot read an answer.',
  ).prefault(''),
})

function agentGlob(item: string): string {
  if (item.length > 128) throw new PosternError('bad_request', 'Must be globs of at most 128 characters')
  return item
}

function pageOrigin(item: string): string {
  if (URL.canParse(item) && new URL(item).origin === item) return item
  throw new PosternError('bad_request', 'Must be origins such as https://host')
}
