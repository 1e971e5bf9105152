/**
 * What can be set about who may ask at all, and how often: `POSTERN_SECURITY__…`.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseRange } from '../addresses.ts'
import { PosternError } from '../errors.ts'
import { parseLimit } from '../rate_limit.ts'
import { flag, list, some, whole } from './reader.ts'

/** What holds for a whole server, above the rules of any vault: see `security_policy.ts`. */
export const SecuritySettings = z.object({
  maxFailedAttempts: z.prefault(
    whole(1, 100, 'Failed attempts at a second factor, from one network, that lock a principal there.'),
    '3',
  ),
  lockoutDurationMinutes: z.prefault(whole(1, 1440, 'How long such a lock holds, and how long failures count.'), '15'),
  sessionTimeoutMinutes: z.prefault(whole(1, 1440, 'How long a session may be idle.'), '30'),
  sessionMaxHours: z.prefault(whole(1, 720, 'How long a session lasts at most.'), '12'),
  requireMfa: z.prefault(
    flag('Users need a second factor for whatever needs a right. Services have none, and are held by rules.'),
    'false',
  ),
  requireMfaForAdmin: z.prefault(flag('Administration needs a second factor.'), 'false'),
  allowedIpRanges: z.optional(
    some((item) => parseRange(item), 'address ranges', 'Requests from elsewhere are denied, in every vault.'),
  ),
  allowedUserAgents: z.optional(
    some(
      agentGlob,
      'globs',
      'Requests by other user agents are denied, in every vault. A signal: a client says what it likes.',
    ),
  ),
  allowLoopbackIssuers: z.prefault(
    flag('Lets an identity provider be on this machine, over http: for development.'),
    'false',
  ),
  allowLoopbackHooks: z.prefault(flag('Lets a hook be on this machine, over http: for development.'), 'false'),
  encryptionKeyRotationDays: z.prefault(
    whole(0, 3650, "How old a vault's key may get before its next term begins by itself; 0: it does not."),
    '90',
  ),
  principalRate: z.prefault(
    list((item) => parseLimit(item), 'limits such as `100/s`', 'Requests that one principal may make.'),
    '5000/s',
  ),
  sourceRate: z.prefault(
    list((item) => parseLimit(item), 'limits', 'Requests that may come from one address, or one IPv6 /64.'),
    '5000/s',
  ),
  vaultRate: z.prefault(
    list((item) => parseLimit(item), 'limits', 'Requests that one vault answers.'),
    '',
  ),
  refusalRate: z.prefault(
    list(
      (item) => parseLimit(item),
      'limits',
      'Requests without a valid token that one address may make before it is not listened to.',
    ),
    '20/s,300/m',
  ),
  allowedOrigins: z.prefault(
    list(
      pageOrigin,
      'origins',
      'Pages in a browser that may ask this server, such as an editor at `https://code.example.com`. Others cannot read an answer.',
    ),
    '',
  ),
})

function agentGlob(item: string): string {
  if (item.length > 128) throw new PosternError('bad_request', 'Must be globs of at most 128 characters')
  return item
}

function pageOrigin(item: string): string {
  if (URL.canParse(item) && new URL(item).origin === item) return item
  throw new PosternError('bad_request', 'Must be origins such as https://host')
}
