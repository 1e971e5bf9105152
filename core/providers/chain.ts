/**
 * A chain: which providers keep the secrets of a pattern, in which order, and how.
 *
 * @module
 */

/**
 * The ids of the providers that have settings of their own: one of each kind, and a second where a cloud has regions.
 * The operator names all others.
 */
export const FIXED_PROVIDER_IDS = ['aws', 'aws-backup', 'azure', 'azure-backup', 'hashicorp', 'http', 'file'] as const
/** One of {@link FIXED_PROVIDER_IDS}. */
export type FixedProviderId = (typeof FIXED_PROVIDER_IDS)[number]
/** Whether an id is one of {@link FIXED_PROVIDER_IDS}. */
export function isFixedProvider(id: string): id is FixedProviderId {
  return (FIXED_PROVIDER_IDS as readonly string[]).includes(id)
}

/** The form of the id of a provider. */
export const PROVIDER_ID = /^(?=.{1,64}$)[a-z0-9]+(?:-[a-z0-9]+)*$/

/** The fixed providers whose stores do not rotate a secret themselves: {@link Provider.rotate}. */
export const WITHOUT_ROTATION: ReadonlySet<string> = new Set<FixedProviderId>([
  'azure',
  'azure-backup',
  'hashicorp',
  'http',
  'file',
])

/** How secrets are named in a store, apart from its own rule: see `name_map.ts`. */
export interface ChainNaming {
  /** How a name is written: fixed text in the characters of the store around `{name}` or `{rest}`. */
  template?: string | undefined
  /** The names in the store of single secrets, which the template does not apply to. */
  names?: Readonly<Record<string, string>> | undefined
}

/** A member of a chain: a provider, and how secrets are named there where that differs from the chain. */
export interface Member extends ChainNaming {
  /** The id of the provider. */
  provider: string
  /** Precedes every name there. In the characters of the provider. */
  prefix?: string | undefined
}

/** Where the secrets of a pattern are kept, and how they are read and written. */
export interface Chain extends ChainNaming {
  id: string
  /** The pattern of the names that it covers. */
  resource: string
  /** The first is the primary: writes go there. */
  members: readonly Member[]
  /**
   * Whether a provider without such a secret ends a read. With `next`, an old copy may be served for a deleted secret.
   */
  onNotFound: 'stop' | 'next'
  /** A denial always ends a read. */
  onDenied: 'stop'
  /** How long a cached value is served without a request. */
  cacheSeconds: number
  /** How much longer it is served while no provider can be reached. */
  maxStaleSeconds: number
  /** Whether writes to the primary are copied to the others. */
  replicate: boolean
}

/** A chain with its version in the vault. */
export interface VersionedChain extends Chain {
  /** Changes with each edit, also if an id is deleted and used again. */
  revision: string
  version: number
  updatedAt: number
  updatedBy: string
}
