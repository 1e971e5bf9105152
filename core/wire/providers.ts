/**
 * Chains of providers, and how providers are.
 *
 * @module
 */
import * as z from 'zod'
import { PROVIDER_IDS } from '../providers/chain.ts'
import { BREAKER_STATES, HEALTH_STATES } from '../providers/health.ts'
import { atLeastOne, id, moment, pattern, secretName } from './parts.ts'

const providerId = z.enum(PROVIDER_IDS)

/** Which providers keep the secrets of a pattern, the primary first. */
export const PutChain = z
  .strictObject({
    resource: pattern,
    members: atLeastOne(
      z.strictObject({
        provider: providerId,
        prefix: z
          .string()
          .regex(/^[A-Za-z0-9/_+=.@-]{1,256}$/, 'Prefix must be 1 to 256 of A-Z, a-z, 0-9 and "/_+=.@-"')
          .optional()
          .describe("What stands before the names there, in the provider's own letters"),
      }),
      PROVIDER_IDS.length,
    ).refine(
      (members) => new Set(members.map(({ provider }) => provider)).size === members.length,
      'Must have each provider but once',
    ),
    onNotFound: z.enum(['stop', 'next']).default('stop'),
    onDenied: z.literal('stop').default('stop'),
    cacheSeconds: z.int().min(0).max(3600).default(0),
    maxStaleSeconds: z.int().min(0).max(86_400).default(0),
    replicate: z.boolean().default(false),
  })
  .describe('A chain of providers')
export const Chain = z.strictObject({
  ...PutChain.shape,
  id,
  version: z.int(),
  updatedAt: moment,
  updatedBy: z.string(),
})
export const ChainList = z.strictObject({ items: z.array(Chain) })
export const ChainNames = z.strictObject({
  items: z.array(z.strictObject({ name: secretName, updatedAt: moment.optional() })),
  cursor: z.string().optional(),
})

export const Provider = z
  .strictObject({
    id: providerId,
    kind: z.string(),
    state: z.enum(HEALTH_STATES),
    since: moment.optional().describe('As far back as this vault looked'),
    breaker: z.enum(BREAKER_STATES),
    latencyMs: z.strictObject({ p50: z.number().nullable(), p95: z.number().nullable() }),
    lastFailure: z.strictObject({ kind: z.string(), at: moment }).optional(),
    lag: z
      .strictObject({ names: z.int(), seconds: z.int() })
      .optional()
      .describe('Writes that have not arrived: how many names, and how old the oldest is'),
    drifted: z.int().optional().describe('Names that had another value here than at their primary'),
  })
  .describe('A provider, as this server finds it')
export const ProviderList = z.strictObject({ items: z.array(Provider) })
