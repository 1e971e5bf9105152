/**
 * A chain: which providers keep the secrets of a pattern, in which order, and how.
 *
 * @module
 */

/** The ids of the providers that can be configured: one of each kind, and a second where a cloud has regions. */
export const PROVIDER_IDS = ['aws', 'aws-backup', 'azure', 'azure-backup', 'hashicorp', 'http', 'file'] as const
/** The id of a provider. */
export type ProviderId = (typeof PROVIDER_IDS)[number]

/** The providers whose stores rotate a secret themselves: {@link Provider.rotate}. */
const ROTATING: readonly ProviderId[] = ['aws', 'aws-backup']

/** Whether a provider makes the next value of a secret itself on request. */
export function rotatesItself(provider: ProviderId): boolean {
  return ROTATING.includes(provider)
}

/** A member of a chain: a provider, and the prefix of the names there. */
export interface Member {
  provider: ProviderId
  /** In the characters of the provider. */
  prefix?: string | undefined
}

/** Where the secrets of a pattern are kept, and how they are read and written. */
export interface Chain {
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
