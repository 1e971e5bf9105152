/**
 * How providers are.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PROVIDER_IDS } from '../providers/chain.ts'
import { BREAKER_STATES, HEALTH_STATES } from '../providers/health.ts'
import { described, moment } from './parts.ts'

/** The providers that settings can name. */
export const ProviderId = z.enum(PROVIDER_IDS)

export const Provider = described(
  z.strictObject({
    id: ProviderId,
    kind: z.string(),
    state: z.enum(HEALTH_STATES),
    since: described(z.optional(moment), 'As far back as this vault looked'),
    breaker: z.enum(BREAKER_STATES),
    latencyMs: z.strictObject({ p50: z.nullable(z.number()), p95: z.nullable(z.number()) }),
    lastFailure: z.optional(
      z.strictObject({
        kind: z.string(),
        code: described(z.optional(z.string()), 'Of the service or of the network, such as `ENOTFOUND`'),
        at: moment,
      }),
    ),
    lag: described(
      z.optional(z.strictObject({ names: z.int(), seconds: z.int() })),
      'Writes that have not arrived: how many names, and how old the oldest is',
    ),
    drifted: described(
      z.optional(z.int()),
      'Names that had another value here than at their primary, of those that the caller may read',
    ),
  }),
  'A provider, as this server finds it',
)
export const ProviderList = z.strictObject({ items: z.array(Provider) })
