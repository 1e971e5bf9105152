/**
 * Settings for authentication, sessions and limits: `POSTERN_SECURITY__…`.
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
    whole(1, 100, 'The number of failed attempts at a second factor from one network that lock out a principal there.'),
    '3',
  ),
  lockoutDurationMinutes: z.prefault(
    whole(1, 1440, 'The duration of a lockout, and the time for which failures count, in minutes.'),
    '15',
  ),
  sessionTimeoutMinutes: z.prefault(whole(1, 1440, 'The longest idle time of a session, in minutes.'), '30'),
  sessionMaxHours: z.prefault(whole(1, 720, 'The longest lifetime of a session, in hours.'), '12'),
  requireMfa: z.prefault(
    flag(
      'Require a second factor from users for every operation that needs a right. Services have no second factor; use rules for them.',
    ),
    'false',
  ),
  requireMfaForAdmin: z.prefault(flag('Require a second factor for administration.'), 'false'),
  allowedIpRanges: z.optional(
    some(
      (item) => parseRange(item),
      'address ranges',
      'The client addresses to accept. Requests from other addresses are denied in every vault.',
    ),
  ),
  allowedUserAgents: z.optional(
    some(
      agentGlob,
      'globs',
      'The user agents to accept. Requests with another user agent are denied in every vault. Clients can send any user agent, so this only stops mistakes.',
    ),
  ),
  secretComplexityMinLength: z.optional(
    whole(
      1,
      1024,
      'The least number of characters of a secret value, in every vault. The policy of a vault may demand more.',
    ),
  ),
  secretComplexityRequireUpper: z.prefault(
    flag('Require an upper case letter in secret values, in every vault.'),
    'false',
  ),
  secretComplexityRequireLower: z.prefault(
    flag('Require a lower case letter in secret values, in every vault.'),
    'false',
  ),
  secretComplexityRequireDigit: z.prefault(flag('Require a digit in secret values, in every vault.'), 'false'),
  secretComplexityRequireSpecial: z.prefault(
    flag('Require a character that is neither a letter nor a digit in secret values, in every vault.'),
    'false',
  ),
  allowLoopbackIssuers: z.prefault(flag('Allow issuers on this machine over http. For development.'), 'false'),
  allowLoopbackHooks: z.prefault(flag('Allow hooks on this machine over http. For development.'), 'false'),
  encryptionKeyRotationDays: z.prefault(
    whole(0, 3650, "The age in days at which a vault's key gets a new term. 0 disables automatic terms."),
    '90',
  ),
  principalRate: z.prefault(
    list((item) => parseLimit(item), 'rate limits such as `100/s`', 'The request rate of one principal.'),
    '5000/s',
  ),
  sourceRate: z.prefault(
    list((item) => parseLimit(item), 'rate limits', 'The request rate of one IPv4 address or IPv6 /64.'),
    '5000/s',
  ),
  vaultRate: z.prefault(
    list((item) => parseLimit(item), 'rate limits', 'The request rate of one vault.'),
    '',
  ),
  revalidationRate: z.prefault(
    list(
      (item) => parseLimit(item),
      'rate limits',
      'The rate at which one principal may have a provider called although the cache of a chain has a fresh value (`Cache-Control: no-cache`).',
    ),
    '300/m',
  ),
  refusalRate: z.prefault(
    list(
      (item) => parseLimit(item),
      'rate limits',
      'The rate of requests without a valid token from one address. Further requests without a valid token from there are refused until the rate falls.',
    ),
    '20/s,300/m',
  ),
  allowedOrigins: z.prefault(
    list(
      pageOrigin,
      'origins',
      'Origins of web pages that may call this server (CORS), such as an editor at `https://code.example.com`.',
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
