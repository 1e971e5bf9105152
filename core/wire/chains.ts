/**
 * Shapes of chains of providers.
 *
 * @module
 */
import * as z from 'zod/mini'
import { flawOf } from '../name_flaws.ts'
import { isName } from '../name_grammar.ts'
import { described, id, line, moment, secretName } from './parts.ts'
import { ProviderId } from './providers.ts'
import { atLeastOne, describable, pattern } from './request_parts.ts'

/** The largest number of members of a chain. */
const MAX_MEMBERS = 16

/** Text in the characters of some store: each provider has its rule, which is checked with the chain. */
const storeText = (most: number) => line(1, most)
const template = described(
  z.optional(
    storeText(256).check(
      z.refine((text) => text.split(/\{name\}|\{rest\}/).length === 2, 'Must have {name} or {rest} exactly once'),
    ),
  ),
  'How names are written in the store, such as `MyApp/{rest}`: `{name}` is the whole name, `{rest}` the name from the first `*` of the resource on',
)
/** Says what is wrong with a name. The issue of a record does not. */
function checkNames(table: Record<string, string>, context: z.core.$RefinementCtx): void {
  for (const name of Object.keys(table)) {
    if (!isName(name)) context.addIssue({ code: 'custom', message: flawOf(name, 'Name') })
  }
}
const names = described(
  z.optional(z.record(z.string(), storeText(1024)).check(z.superRefine(checkNames))),
  'The names of single secrets in the store, where the template does not fit: `{"prod/db": "MyApp/Prod/DB Password"}`. A prefix precedes them too',
)

/** The providers that keep the secrets of a pattern, the primary first. */
export const PutChain = described(
  z
    .strictObject({
      resource: pattern,
      members: atLeastOne(
        z.strictObject({
          provider: ProviderId,
          prefix: described(
            z.optional(storeText(256)),
            "A prefix for the names at this provider, in the provider's own characters",
          ),
          template: described(template, "The template at this provider, instead of the chain's"),
          names: described(names, "Names at this provider, which precede the chain's"),
        }),
        MAX_MEMBERS,
      ).check(
        z.refine(
          (members) => new Set(members.map(({ provider }) => provider)).size === members.length,
          'Must not list a provider twice',
        ),
      ),
      template,
      names,
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
  unnamed: described(
    z.optional(z.array(z.strictObject({ stored: z.string(), why: z.string() }))),
    'For callers with `admin` on `chains`: what the primary has and no name of the chain reaches, without the prefixes, and why. `names` of the chain takes `stored` as it is',
  ),
  cursor: z.optional(z.string()),
})
