/**
 * A vault's policy, the terms of its key, and its hooks.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described, id, line, moment } from './parts.ts'
import { atLeastOne, isDescribable, MAX_DESCRIBED_BYTES, pattern } from './request_parts.ts'

/** What values of a vault have to be like, and how many old ones are kept. */
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
  'Of values that are given; what is generated follows it too',
)
export const PutPolicy = z
  .strictObject({
    secretComplexity: z._default(z.nullable(SecretComplexity), null),
    keepVersions: z._default(z.nullable(z.int().check(z.gte(2), z.lte(1_000_000))), null),
    keepVersionDays: z._default(z.nullable(z.int().check(z.gte(1), z.lte(36_500))), null),
    notify: described(z._default(z.nullable(id), null), 'The hook that is told of what needs somebody'),
  })
  .check(
    // Of denied texts the log says only how many there are.
    z.refine(
      ({ secretComplexity }) => isDescribable({ ...secretComplexity, denied: [] }),
      `Must have at most ${MAX_DESCRIBED_BYTES} bytes as JSON beside denied, so that the log can describe it`,
    ),
  )
export const Policy = z.strictObject({
  ...PutPolicy.shape,
  version: z.int(),
  updatedAt: z.optional(moment),
  updatedBy: z.optional(z.string()),
  erasesAt: described(
    z.optional(moment),
    'When versions are erased that were kept before: it can be taken back until then',
  ),
})

/** A term of the vault's key. */
export const Term = z.strictObject({
  term: z.int(),
  state: z.enum(['current', 'moving', 'in use', 'retired']),
  startedAt: moment,
  startedBy: z.optional(z.string()),
  moved: described(z.int(), 'Sealed values that were moved to it'),
  failed: described(z.int(), 'Sealed values that could not be moved to it, and keep older terms in use'),
  left: described(z.optional(z.int()), 'Of the term that is moving: rows still to be looked at, at most'),
  doneAt: described(z.optional(moment), 'Since when nothing is sealed under an older term'),
  rootKey: described(z.optional(z.string()), 'The id of the root key that it derives from'),
})

/** A root key that a vault is or was under. */
export const RootKey = z.strictObject({
  id: z.string(),
  state: z.enum(['current', 'former']),
  since: moment,
  given: described(z.boolean(), 'Whether the server has it'),
  needed: described(
    z.boolean(),
    'Whether something is sealed under it, or it signs the log: else it can be taken away',
  ),
  tokens: described(z.int(), 'API tokens that were made under it, and end with it'),
  principals: described(z.int(), 'Principals who have those'),
  sessions: described(z.int(), 'Sessions that end with it'),
  recoveryCodes: described(z.int(), 'Principals whose recovery codes end with it'),
})

/** Something that could not be moved to the newest term. */
export const Unmoved = z.strictObject({
  kind: z.enum(['version', 'factor', 'hook']),
  name: described(z.string(), "A secret's, a principal's or a hook's"),
  version: z.optional(z.int()),
})
export const TermList = z.strictObject({
  items: z.array(Term),
  rootKeys: described(z.array(RootKey), 'The newest first'),
  unmoved: z.optional(z.array(Unmoved)),
})

/** Another server that is told something. */
export const PutHook = z.strictObject({
  url: z.string().check(z.maxLength(512)),
  newSecret: z._default(z.boolean(), false),
})
export const Hook = z.strictObject({
  id,
  url: z.string(),
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
  secret: described(z.optional(z.string()), 'The signing secret, when it is new: shown this once'),
})
export const HookList = z.strictObject({ items: z.array(Hook) })
