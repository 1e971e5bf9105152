/**
 * Shapes of a vault's policy, the terms of its key, and its hooks.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described, id, line, moment } from './parts.ts'
import { atLeastOne, isDescribable, MAX_DESCRIBED_BYTES, pattern } from './request_parts.ts'

/** The required strength of secret values. */
const SecretComplexity = described(
  z.strictObject({
    resources: z._default(atLeastOne(pattern, 100), ['**']),
    minLength: z._default(z.int().check(z.gte(1), z.lte(1024)), 8),
    requireUpper: z._default(z.boolean(), true),
    requireLower: z._default(z.boolean(), true),
    requireDigit: z._default(z.boolean(), true),
    requireSpecial: z._default(z.boolean(), true),
    minEntropyBits: z._default(z.int().check(z.gte(0), z.lte(256)), 0),
    denied: z._default(z.array(line(3, 64)).check(z.maxLength(1000)), []),
  }),
  'Applies to values that clients write and to generated values',
)
/** Sets the policy for values and versions. */
export const PutPolicy = z
  .strictObject({
    secretComplexity: z._default(z.nullable(SecretComplexity), null),
    keepVersions: z._default(z.nullable(z.int().check(z.gte(2), z.lte(1_000_000))), null),
    keepVersionDays: z._default(z.nullable(z.int().check(z.gte(1), z.lte(36_500))), null),
    notify: described(
      z._default(z.nullable(id), null),
      'The hook that receives notifications about work that needs a person',
    ),
  })
  .check(
    // The log records only the number of denied texts.
    z.refine(
      ({ secretComplexity }) => isDescribable({ ...secretComplexity, denied: [] }),
      `Must have at most ${MAX_DESCRIBED_BYTES} bytes as JSON, without denied, to fit into a log entry`,
    ),
  )
/** The policy for values and versions. */
export const Policy = z.strictObject({
  ...PutPolicy.shape,
  version: z.int(),
  updatedAt: z.optional(moment),
  updatedBy: z.optional(z.string()),
  serverComplexity: described(
    z.optional(
      z.strictObject({
        minLength: z.int(),
        requireUpper: z.boolean(),
        requireLower: z.boolean(),
        requireDigit: z.boolean(),
        requireSpecial: z.boolean(),
      }),
    ),
    'What the settings of the server demand of values in every vault, beside `secretComplexity`',
  ),
  erasesAt: described(
    z.optional(moment),
    'When the new policy erases versions that the old one kept. Until then the change can be reverted',
  ),
})

/** A term of the vault's key. */
export const Term = z.strictObject({
  term: z.int(),
  state: z.enum(['current', 'moving', 'in_use', 'retired']),
  startedAt: moment,
  startedBy: z.optional(z.string()),
  moved: described(z.int(), 'The number of sealed values that were rewrapped under this term'),
  failed: described(z.int(), 'The number of sealed values that could not be rewrapped. They keep older terms in use'),
  left: described(z.optional(z.int()), 'For the moving term: the most rows that remain'),
  doneAt: described(z.optional(moment), 'The time since which nothing is sealed under an older term'),
  rootKey: described(z.optional(z.string()), 'The id of the root key from which the term derives'),
})

/** A root key that a vault uses or used. */
export const RootKey = z.strictObject({
  id: z.string(),
  state: z.enum(['current', 'former']),
  since: moment,
  given: described(z.boolean(), 'Whether the server has this key'),
  needed: described(
    z.boolean(),
    'Whether something is sealed under this key, or it signs the log. If not, the key can be removed',
  ),
  tokens: described(z.int(), 'The number of API tokens that end with this key'),
  principals: described(z.int(), 'The number of principals with such tokens'),
  sessions: described(z.int(), 'The number of sessions that end with this key'),
  recoveryCodes: described(z.int(), 'The number of principals whose recovery codes end with this key'),
})

/** A sealed value that could not be rewrapped under the newest term. */
export const Unmoved = z.strictObject({
  kind: z.enum(['version', 'factor', 'hook']),
  name: described(z.string(), 'The name of the secret, or the id of the principal or hook'),
  version: z.optional(z.int()),
})
/** The terms of the vault's key, and its root keys. */
export const TermList = z.strictObject({
  items: z.array(Term),
  rootKeys: described(z.array(RootKey), 'Newest first'),
  unmoved: z.optional(z.array(Unmoved)),
})

/** Creates or changes a hook: a server that receives notifications. */
export const PutHook = z.strictObject({
  url: z.string().check(z.maxLength(512)),
  newSecret: z._default(z.boolean(), false),
})
/** A hook. */
export const Hook = z.strictObject({
  id,
  url: z.string(),
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
  secret: described(z.optional(z.string()), 'The new signing secret, shown only once'),
})
/** All hooks of a vault. */
export const HookList = z.strictObject({ items: z.array(Hook) })
