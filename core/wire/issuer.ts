/**
 * Shapes of issuers: identity providers that a vault trusts.
 *
 * @module
 */

import * as z from 'zod/mini'
import { isForSignatures, PRIVATE_MEMBERS, usableKeys, weaknessOf } from '../authentication/key_set.ts'
import { type ClaimConditions, claimOf } from '../claim_conditions.ts'
import { isLoopbackHostname } from '../loopback.ts'
import { described, id, line, moment } from './parts.ts'
import { atLeastOne, describable } from './request_parts.ts'

const httpsUrl = z
  .string()
  .check(z.maxLength(512), z.refine(isIssuerUrl, 'Must be an https URL without query, fragment or credentials'))

/**
 * The name of a claim, or a JSON pointer to it (RFC 6901). Records of the log hold it, so it is a visible line.
 */
const claimName = line(1, 256).check(
  z.refine(
    (name) => !name.startsWith('/') || /^(?:\/(?:[^~/]|~[01])*)+$/.test(name),
    'Must be the name of a claim, or a JSON pointer such as /kubernetes.io/namespace, with "/" in a key as "~1"',
  ),
)

const number = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,4096}$/, 'Must be base64url'))

/** A public key (RFC 7517). Members that verify nothing are dropped, as section 4 has it. */
const publicKey = z
  .looseObject({
    kty: line(1, 32),
    kid: z.optional(line(1, 256)),
    use: z.optional(line(1, 32)),
    key_ops: z.optional(z.array(line(1, 32)).check(z.maxLength(8))),
    alg: z.optional(line(1, 32)),
    crv: z.optional(line(1, 32)),
    n: z.optional(number),
    e: z.optional(number),
    x: z.optional(number),
    y: z.optional(number),
  })
  .check(
    z.superRefine((key, context) => {
      const flaw = flawOfKey(key)
      if (flaw !== null) context.addIssue({ code: 'custom', message: flaw })
    }),
  )

/** Trusts an issuer: its tokens open a session if they have these claims. */
export const PutIssuer = z
  .strictObject({
    issuer: line(1, 512),
    audience: line(1, 512),
    audiences: z.optional(
      described(
        z.enum(['only', 'any']),
        'Whether a token may have audiences besides this one. `only` if not set: another audience could use it first',
      ),
    ),
    jwksUri: z.optional(httpsUrl),
    jwks: z.optional(
      described(
        z.looseObject({
          keys: atLeastOne(publicKey, 50).check(
            z.refine((keys) => usableKeys(keys).length > 0, 'Must have a public key for signatures'),
          ),
        }),
        'The public keys of an issuer that this server cannot reach, instead of `jwksUri`',
      ),
    ),
    claims: described(
      z.record(claimName, atLeastOne(line(1, 512), 20)).check(
        z.refine(
          (claims) => conditionsOf(claims) > 0,
          'Must have at least one claim besides iss and aud that is not just "*"',
        ),
        z.refine((claims) => Object.keys(claims).length <= 20, 'Must have at most 20 claims'),
      ),
      'Texts that a claim must match, by its name or, with a leading `/`, by a JSON pointer. `*` matches any characters; a list matches when one of its items does',
    ),
    principal: id,
    assertions: z.optional(z.enum(['once', 'same-key', 'until-expiry'])),
    maxAgeSeconds: z.optional(z.int().check(z.gte(60), z.lte(31_536_000))),
  })
  .check(
    z.refine(
      ({ jwks, jwksUri }) => jwks === undefined || jwksUri === undefined,
      'Must have only one of jwks and jwksUri',
    ),
    z.refine(({ issuer, jwks, jwksUri }) => jwks !== undefined || jwksUri !== undefined || isIssuerUrl(issuer), {
      message: 'Must be an https URL without query, fragment or credentials, or come with jwks or jwksUri',
      path: ['issuer'],
    }),
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
function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(text)
  const safe = protocol === 'https:' || (protocol === 'http:' && isLoopbackHostname(hostname))
  return safe && !username && !password && !search && !hash
}

/** Counts the claims that narrow the trust: `iss` and `aud` are always checked, and `*` alone matches anything. */
function conditionsOf(claims: ClaimConditions): number {
  const real = Object.entries(claims).filter(([name, globs]) => {
    const isChecked = ['iss', 'aud', 'exp', 'iat', 'nbf', 'jti'].includes(claimOf(name))
    return !isChecked && globs.every((glob) => !/^\*+$/.test(glob))
  })
  return real.length
}

function flawOfKey(key: Readonly<Record<string, unknown>>): string | null {
  const secret = PRIVATE_MEMBERS.find((name) => key[name] !== undefined)
  if (secret !== undefined)
    return `Must be a public key, without "${secret}". Replace this key: it was sent to a server`
  return isForSignatures(key) ? weaknessOf(key) : null
}

/** GitHub signs tokens for all of its users, and only ids stay with their owner. */
function trustsById({ issuer, claims }: { issuer: string; claims: ClaimConditions }): boolean {
  if (!URL.canParse(issuer) || new URL(issuer).hostname !== 'token.actions.githubusercontent.com') return true
  const ids = [...(claims.repository_id ?? []), ...(claims.repository_owner_id ?? [])]
  return ids.length > 0 && ids.every((one) => /^[0-9]+$/.test(one))
}
