/**
 * Principals, tokens, rules and locks.
 *
 * @module
 */
import * as z from 'zod'
import { parseRange } from '../access/cidr.ts'
import { ACTIONS, METHODS } from '../access/policy.ts'
import { atLeastOne, by, clock, id, line, moment, pattern, time } from './parts.ts'

export const PutPrincipal = z.strictObject({ kind: z.enum(['user', 'service']), disabled: z.boolean().optional() })
export const Principal = z.strictObject({
  id,
  kind: z.enum(['user', 'service']),
  createdAt: moment,
  disabledAt: moment.optional(),
})
export const PrincipalList = z.strictObject({ items: z.array(Principal) })

export const CreateToken = z.strictObject({
  principal: id,
  label: line(0, 128).default(''),
  expiresAt: time.optional(),
})
export const TokenInfo = z.strictObject({
  accessor: z.string(),
  principal: id,
  label: z.string(),
  createdAt: moment,
  createdBy: z.string(),
  expiresAt: moment.optional(),
  revokedAt: moment.optional(),
})
export const CreatedToken = TokenInfo.extend({ token: z.string() }).describe('A new token, shown this once')
export const TokenList = z.strictObject({ items: z.array(TokenInfo) })

/** What must hold for a rule to apply. */
export const Conditions = z
  .strictObject({
    addresses: atLeastOne(
      by((range) => parseRange(String(range))),
      100,
    ).optional(),
    agents: atLeastOne(line(1, 128), 100).optional(),
    methods: atLeastOne(z.enum(METHODS), METHODS.length).optional(),
    bound: z.literal(true).optional(),
    mfaWithinSeconds: z.int().min(1).max(86_400).optional(),
    hours: z.strictObject({ from: clock, to: clock }).optional().describe('UTC; over midnight when from is after to'),
    days: atLeastOne(z.int().min(1).max(7), 7).optional().describe('UTC; 1 is Monday'),
    notBefore: time.optional(),
    notAfter: time.optional(),
  })
  // One that never holds would make a forbid that forbids nothing.
  .refine(({ hours }) => hours === undefined || hours.from !== hours.to, 'Hours must have a length')
  .refine(({ notBefore = 0, notAfter = Number.MAX_VALUE }) => notBefore < notAfter, 'notBefore must be before notAfter')
  .describe('All that are given must hold')

/** How many others have to approve, of whom, and within which time. */
const Demand = z
  .strictObject({
    required: z.int().min(1, 'Must require at least one approval').max(20),
    from: atLeastOne(id, 100).refine((ids) => new Set(ids).size === ids.length, 'Approvers must differ'),
    withinSeconds: z.int().min(60).max(86_400).default(3600),
  })
  .refine(({ required, from }) => required <= from.length, 'Must name at least as many approvers as it requires')

export const PutRule = z
  .strictObject({
    effect: z.enum(['permit', 'forbid']),
    principal: z.union([z.literal('*'), id]),
    actions: z.array(z.enum(ACTIONS)).min(1).max(ACTIONS.length),
    resource: pattern,
    conditions: Conditions.optional(),
    unless: z.strictObject({ approvals: Demand }).optional(),
  })
  .refine(
    ({ effect, conditions }) => effect === 'permit' || conditions?.mfaWithinSeconds === undefined,
    'A forbid must not wait for a second factor',
  )
  .refine(({ effect, unless }) => effect === 'forbid' || unless === undefined, 'Only a forbid can have unless')
  // What a write brings is sealed: nobody could see what they approve.
  .refine(
    ({ actions, unless }) => unless === undefined || !actions.includes('write'),
    'Approvals can be demanded of read, delete, rotate and admin',
  )
const StoredConditions = z.strictObject({
  ...Conditions.shape,
  notBefore: moment.optional(),
  notAfter: moment.optional(),
})
export const Rule = z.strictObject({
  ...PutRule.shape,
  conditions: StoredConditions.optional(),
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
  resource: z.string().regex(/^[\x21-\x7e]{0,512}$/, 'Must be a name'),
  address: by((address) => parseRange(String(address)))
    .refine((address) => !address.includes('/'), 'Must be one address')
    .optional(),
  agent: line(0, 256).optional(),
  method: z.enum(METHODS).default('token'),
  bound: z.boolean().default(false),
  mfaSecondsAgo: z.int().min(0).optional(),
  at: time.optional(),
})
export const Explanation = z.strictObject({
  allow: z.boolean(),
  rule: z.string().nullable(),
  missing: z.enum(['mfa', 'approval']).optional(),
  considered: z.array(z.strictObject({ id: z.string(), effect: z.enum(['permit', 'forbid']), applies: z.boolean() })),
})

export const LockList = z.strictObject({
  items: z.array(
    z.strictObject({
      principal: z.string(),
      source: z.string(),
      failures: z.int(),
      lastAt: moment,
      lockedUntil: moment.optional(),
    }),
  ),
})
