/**
 * Shapes of issuers: identity providers that a vault trusts.
 *
 * @module
 */

import * as z from 'zod/mini'
import { isLoopbackHostname } from '../loopback.ts'
import { id, line, moment } from './parts.ts'
import { atLeastOne, describable } from './request_parts.ts'

const httpsUrl = z.string().check(
  z.maxLength(512),
  z.refine(
    (text) => URL.canParse(text) && isIssuerUrl(new URL(text)),
    'Must be an https URL without query, fragment or credentials',
  ),
)

/** Trusts an issuer: its tokens open a session if they have these claims. */
export const PutIssuer = z
  .strictObject({
    issuer: httpsUrl,
    audience: line(1, 512),
    jwksUri: z.optional(httpsUrl),
    claims: z.record(z.string().check(z.regex(/^[A-Za-z0-9_:./-]{1,128}$/)), atLeastOne(line(1, 512), 20)).check(
      z.refine(
        (claims) => conditionsOf(claims) > 0,
        'Must have at least one claim besides iss and aud that is not just "*"',
      ),
      z.refine((claims) => Object.keys(claims).length <= 20, 'Must have at most 20 claims'),
    ),
    principal: id,
    assertions: z.optional(z.enum(['once', 'same-key', 'until-expiry'])),
    maxAgeSeconds: z.optional(z.int().check(z.gte(60), z.lte(31_536_000))),
  })
  .check(
    z.refine(
      trustsById,
      'Must have an exact repository_id or repository_owner_id for GitHub: names can be released and taken by other users',
    ),
    describable,
  )
/** A trusted issuer. */
export const Issuer = z.strictObject({
  ...PutIssuer.shape,
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
/** All trusted issuers of a vault. */
export const IssuerList = z.strictObject({ items: z.array(Issuer) })

/** Allows http to loopback only, for an issuer on the same machine. */
function isIssuerUrl({ protocol, hostname, username, password, search, hash }: URL): boolean {
  const safe = protocol === 'https:' || (protocol === 'http:' && isLoopbackHostname(hostname))
  return safe && !username && !password && !search && !hash
}

/** Counts the claims that narrow the trust: `iss` and `aud` are always checked, and `*` alone matches anything. */
function conditionsOf(claims: Record<string, readonly string[]>): number {
  const real = Object.entries(claims).filter(([name, globs]) => {
    return !['iss', 'aud', 'exp', 'iat', 'nbf', 'jti'].includes(name) && globs.every((glob) => !/^\*+$/.test(glob))
  })
  return real.length
}

/** GitHub signs tokens for all of its users, and only ids stay with their owner. */
function trustsById({ issuer, claims }: { issuer: string; claims: Record<string, readonly string[]> }): boolean {
  if (new URL(issuer).hostname !== 'token.actions.githubusercontent.com') return true
  const ids = [...(claims.repository_id ?? []), ...(claims.repository_owner_id ?? [])]
  return ids.length > 0 && ids.every((one) => /^[0-9]+$/.test(one))
}
