/**
 * Shapes of chains of providers.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described, id, moment, secretName } from './parts.ts'
import { ProviderId } from './providers.ts'
import { atLeastOne, describable, pattern } from './request_parts.ts'

/** The largest number of members of a chain. */
const MAX_MEMBERS = 16

/** The providers that keep the secrets of a pattern, the primary first. */
export const PutChain = described(
  z
    .strictObject({
      resource: pattern,
      members: atLeastOne(
        z.strictObject({
          provider: ProviderId,
          prefix: described(
            z.optional(
              z
                .string()
                .check(
                  z.regex(/^[A-Za-z0-9/_+=.@-]{1,256}$/, 'Prefix must be 1 to 256 of A-Z, a-z, 0-9 and "/_+=.@-"'),
                ),
            ),
            "A prefix for the names at this provider, in the provider's own characters",
          ),
        }),
        MAX_MEMBERS,
      ).check(
        z.refine(
          (members) => new Set(members.map(({ provider }) => provider)).size === members.length,
          'Must not list a provider twice',
        ),
      ),
      onNotFound: z._default(z.enum(['stop', 'next']), 'stop'),
      onDenied: z._default(z.literal('stop'), 'stop'),
      cacheSeconds: z._default(z.int().check(z.gte(0), z.lte(3600)), 0),
      maxStaleSeconds: z._default(z.int().check(z.gte(0), z.lte(86_400)), 0),
      replicate: z._default(z.boolean(), false),
    })
    .check(describable),
  'A chain of providers',
)
/** A chain of providers. */
export const Chain = z.strictObject({
  ...PutChain.shape,
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
/** All chains of a vault. */
export const ChainList = z.strictObject({ items: z.array(Chain) })
/** Names of secrets at the primary of a chain. */
export const ChainNames = z.strictObject({
  items: z.array(z.strictObject({ name: secretName, updatedAt: z.optional(moment) })),
  cursor: z.optional(z.string()),
})
