/**
 * Shapes of principals, tokens, rules and lockouts.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseRange } from '../addresses.ts'
import { ACTIONS, METHODS } from '../vault/access/rules.ts'
import { by, described, id, line, moment } from './parts.ts'
import { atLeastOne, clock, describable, pattern, time } from './request_parts.ts'

/** Creates or changes a principal. */
export const PutPrincipal = z.strictObject({ kind: z.enum(['user', 'service']), disabled: z.optional(z.boolean()) })
/** A user or service. */
export const Principal = z.strictObject({
  id,
  kind: z.enum(['user', 'service']),
  createdAt: moment,
  disabledAt: z.optional(moment),
})
/** All principals of a vault. */
export const PrincipalList = z.strictObject({ items: z.array(Principal) })

/** Creates an API token. */
export const CreateToken = z.strictObject({
  principal: id,
  label: z._default(line(0, 128), ''),
  expiresAt: z.optional(time),
})
/** An API token without its secret. */
export const TokenInfo = z.strictObject({
  accessor: z.string(),
  principal: id,
  label: z.string(),
  createdAt: moment,
  createdBy: z.string(),
  expiresAt: z.optional(moment),
  revokedAt: z.optional(moment),
  rootKey: described(
    z.optional(z.string()),
    'The id of the root key that authenticates the token. The token ends with this key',
  ),
})
/** A new API token, the only answer that holds its secret. */
export const CreatedToken = described(z.extend(TokenInfo, { token: z.string() }), 'A new token, shown only once')
/** All API tokens of a vault. */
export const TokenList = z.strictObject({ items: z.array(TokenInfo) })

/** Conditions under which a rule applies. */
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
        'UTC. The range crosses midnight when from is after to',
      ),
      days: described(z.optional(atLeastOne(z.int().check(z.gte(1), z.lte(7)), 7)), 'UTC. 1 is Monday'),
      notBefore: z.optional(time),
      notAfter: z.optional(time),
    })
    .check(
      // A condition that never holds would make a forbid that forbids nothing.
      z.refine(({ hours }) => hours === undefined || hours.from !== hours.to, 'from and to must differ'),
      z.refine(
        ({ notBefore = 0, notAfter = Number.MAX_VALUE }) => notBefore < notAfter,
        'notBefore must be before notAfter',
      ),
    ),
  'All given conditions must hold',
)

/** The number of approvals that a rule demands, from which users, and within which time. */
const Demand = z
  .strictObject({
    required: z.int().check(z.gte(1, 'Must require at least one approval'), z.lte(20)),
    from: atLeastOne(id, 100).check(
      z.refine((ids) => new Set(ids).size === ids.length, 'Must not list an approver twice'),
    ),
    withinSeconds: z._default(z.int().check(z.gte(60), z.lte(86_400)), 3600),
  })
  .check(
    z.refine(({ required, from }) => required <= from.length, 'Must name at least as many approvers as it requires'),
  )

/** Creates or changes a rule. */
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
      'A forbid cannot depend on a second factor',
    ),
    z.refine(({ effect, unless }) => effect === 'forbid' || unless === undefined, 'Only a forbid can have unless'),
    // The value of a write is sealed, so approvers could not see what they approve.
    z.refine(
      ({ actions, unless }) => unless === undefined || !actions.includes('write'),
      'Only read, delete, rotate and admin can demand approvals',
    ),
    describable,
  )
const StoredConditions = z.strictObject({
  ...Conditions.shape,
  notBefore: z.optional(moment),
  notAfter: z.optional(moment),
})
/** An access rule. */
export const Rule = z.strictObject({
  ...PutRule.shape,
  conditions: z.optional(StoredConditions),
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
/** All rules of a vault. */
export const RuleList = z.strictObject({ items: z.array(Rule) })

/** A hypothetical request, whose decision is explained. */
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
/** The decision on a hypothetical request, and the rules behind it. */
export const Explanation = z.strictObject({
  allow: z.boolean(),
  rule: z.nullable(z.string()),
  missing: z.optional(z.enum(['mfa', 'approval'])),
  considered: z.array(z.strictObject({ id: z.string(), effect: z.enum(['permit', 'forbid']), applies: z.boolean() })),
})

/** Principals with failed attempts at a second factor, and their lockouts. */
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
