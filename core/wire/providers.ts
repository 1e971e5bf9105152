/**
 * Shapes of provider health.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PROVIDER_ID } from '../providers/chain.ts'
import { BREAKER_STATES, HEALTH_STATES } from '../providers/health.ts'
import { described, moment } from './parts.ts'

/** The id of a provider. */
export const ProviderId = described(
  z.string().check(z.regex(PROVIDER_ID, 'Provider must be the id of a provider, such as aws or vault-eu')),
  'The id of a provider: `aws`, `aws-backup`, `azure`, `azure-backup`, `hashicorp`, `http`, `file`, or the name of an instance in lower case with `-` for `_`',
)

/** The health of a provider. */
export const Provider = described(
  z.strictObject({
    id: ProviderId,
    kind: z.string(),
    state: z.enum(HEALTH_STATES),
    since: described(z.optional(moment), 'The start of this state, as far as this vault has observed it'),
    breaker: z.enum(BREAKER_STATES),
    latencyMs: z.strictObject({ p50: z.nullable(z.number()), p95: z.nullable(z.number()) }),
    lastFailure: z.optional(
      z.strictObject({
        kind: z.string(),
        code: described(z.optional(z.string()), 'The error code of the service or the network, such as `ENOTFOUND`'),
        at: moment,
      }),
    ),
    lag: described(
      z.optional(z.strictObject({ names: z.int(), seconds: z.int() })),
      'Writes that have not been replicated: the number of names, and the age of the oldest write',
    ),
    drifted: described(
      z.optional(z.int()),
      'The number of names whose value here differed from the primary, among the names that the caller may read',
    ),
  }),
  'The health of a provider, as this server observes it',
)
/** The health of all providers. */
export const ProviderList = z.strictObject({ items: z.array(Provider) })
