/**
 * Principals, tokens, rules and locks.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseRange } from '../addresses.ts'
import { ACTIONS, METHODS } from '../vault/access/rules.ts'
import { by, described, id, line, moment } from './parts.ts'
import { atLeastOne, clock, describable, pattern, time } from './request_parts.ts'

export const PutPrincipal = z.strictObject({ kind: z.enum(['user', 'service']), disabled: z.optional(z.boolean()) })
export const Principal = z.strictObject({
  id,
  kind: z.enum(['user', 'service']),
  createdAt: moment,
  disabledAt: z.optional(moment),
})
export const PrincipalList = z.strictObject({ items: z.array(Principal) })

export const CreateToken = z.strictObject({
  principal: id,
  label: z._default(line(0, 128), ''),
  expiresAt: z.optional(time),
})
export const TokenInfo = z.strictObject({
  accessor: z.string(),
  principal: id,
  label: z.string(),
  createdAt: moment,
  createdBy: z.string(),
  expiresAt: z.optional(moment),
  revokedAt: z.optional(moment),
  rootKey: described(z.optional(z.string()), 'The id of the root key that it was made under, and ends with'),
})
export const CreatedToken = described(z.extend(TokenInfo, { token: z.string() }), 'A new token, shown this once')
export const TokenList = z.strictObject({ items: z.array(TokenInfo) })

/** What must hold for a rule to apply. */
export const Conditions = described(
  z
    .strictObject({
      addresses: z.optional(
        atLeastOne(
          by((range) => parseRange(String(range))),
          100,
        ),
      ),
      agents: z.optional(atLeastOne(line(1, 128), 100)),
      methods: z.optional(atLeastOne(z.enum(METHODS), METHODS.length)),
      bound: z.optional(z.literal(true)),
      mfaWithinSeconds: z.optional(z.int().check(z.gte(1), z.lte(86_400))),
      hours: described(
        z.optional(z.strictObject({ from: clock, to: clock })),
        'UTC; over midnight when from is after to',
      ),
      days: described(z.optional(atLeastOne(z.int().check(z.gte(1), z.lte(7)), 7)), 'UTC; 1 is Monday'),
      notBefore: z.optional(time),
      notAfter: z.optional(time),
    })
    .check(
      // One that never holds would make a forbid that forbids nothing.
      z.refine(({ hours }) => hours === undefined || hours.from !== hours.to, 'Hours must have a length'),
      z.refine(
        ({ notBefore = 0, notAfter = Number.MAX_VALUE }) => notBefore < notAfter,
        'notBefore must be before notAfter',
      ),
    ),
  'All that are given must hold',
)

/** How many others have to approve, of whom, and within which time. */
const Demand = z
  .strictObject({
    required: z.int().check(z.gte(1, 'Must require at least one approval'), z.lte(20)),
    from: atLeastOne(id, 100).check(z.refine((ids) => new Set(ids).size === ids.length, 'Approvers must differ')),
    withinSeconds: z._default(z.int().check(z.gte(60), z.lte(86_400)), 3600),
  })
  .check(
    z.refine(({ required, from }) => required <= from.length, 'Must name at least as many approvers as it requires'),
  )

export const PutRule = z
  .strictObject({
    effect: z.enum(['permit', 'forbid']),
    principal: z.union([z.literal('*'), id]),
    actions: z.array(z.enum(ACTIONS)).check(z.minLength(1), z.maxLength(ACTIONS.length)),
    resource: pattern,
    conditions: z.optional(Conditions),
    unless: z.optional(z.strictObject({ approvals: Demand })),
  })
  .check(
    z.refine(
      ({ effect, conditions }) => effect === 'permit' || conditions?.mfaWithinSeconds === undefined,
      'A forbid must not wait for a second factor',
    ),
    z.refine(({ effect, unless }) => effect === 'forbid' || unless === undefined, 'Only a forbid can have unless'),
    // What a write brings is sealed: nobody could see what they approve.
    z.refine(
      ({ actions, unless }) => unless === undefined || !actions.includes('write'),
      'Approvals can be demanded of read, delete, rotate and admin',
    ),
    describable,
  )
const StoredConditions = z.strictObject({
  ...Conditions.shape,
  notBefore: z.optional(moment),
  notAfter: z.optional(moment),
})
export const Rule = z.strictObject({
  ...PutRule.shape,
  conditions: z.optional(StoredConditions),
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const RuleList = z.strictObject({ items: z.array(Rule) })

/** A decision to explain, in circumstances to imagine. */
export const Explain = z.strictObject({
  principal: id,
  action: z.enum(ACTIONS),
  resource: z.string().check(z.regex(/^[\x21-\x7e]{0,512}$/, 'Must be a name')),
  address: z.optional(
    by((address) => parseRange(String(address))).check(
      z.refine((address) => !address.includes('/'), 'Must be one address'),
    ),
  ),
  agent: z.optional(line(0, 256)),
  method: z._default(z.enum(METHODS), 'token'),
  bound: z._default(z.boolean(), false),
  mfaSecondsAgo: z.optional(z.int().check(z.gte(0))),
  at: z.optional(time),
})
export const Explanation = z.strictObject({
  allow: z.boolean(),
  rule: z.nullable(z.string()),
  missing: z.optional(z.enum(['mfa', 'approval'])),
  considered: z.array(z.strictObject({ id: z.string(), effect: z.enum(['permit', 'forbid']), applies: z.boolean() })),
})

export const LockList = z.strictObject({
  items: z.array(
    z.strictObject({
      principal: z.string(),
      source: z.string(),
      failures: z.int(),
      lastAt: moment,
      lockedUntil: z.optional(moment),
    }),
  ),
})
