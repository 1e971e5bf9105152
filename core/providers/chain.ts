/**
 * A chain: which providers keep the secrets of a pattern, in which order they are asked, and how.
 *
 * @module
 */

/** The ids of providers that can be configured: one of each kind, and a second for where clouds have regions. */
export const PROVIDER_IDS = ['aws', 'aws-backup', 'azure', 'azure-backup', 'hashicorp', 'http', 'file'] as const
/** The id of a provider. */
export type ProviderId = (typeof PROVIDER_IDS)[number]

/** Those whose stores rotate a secret themselves: {@link Provider.rotate}. */
const ROTATING: readonly ProviderId[] = ['aws', 'aws-backup']

/** Whether a provider makes the next value of a secret itself, when it is asked to. */
export function rotatesItself(provider: ProviderId): boolean {
  return ROTATING.includes(provider)
}

/** One provider of a chain, and what stands before the names of its secrets there. */
export interface Member {
  provider: ProviderId
  /** In the provider's own letters. */
  prefix?: string | undefined
}

/** Where the secrets of a pattern are kept, and how they are read and written. */
export interface Chain {
  id: string
  /** The names that it covers, as a rule's pattern. */
  resource: string
  /** The first is the primary: writes go there. */
  members: readonly Member[]
  /**
   * Whether a provider without such a secret ends a read. With `next`, an old copy may be served for a deleted secret.
   */
  onNotFound: 'stop' | 'next'
  /** What a provider denies is denied. */
  onDenied: 'stop'
  /** How long a value is served without asking a provider. */
  cacheSeconds: number
  /** How much longer, when no provider can be reached. */
  maxStaleSeconds: number
  /** Whether writes to the primary are copied to the others. */
  replicate: boolean
}

/** A chain with its version in the vault. */
export interface VersionedChain extends Chain {
  /** Differs for each change, also when an id is deleted and used again. */
  revision: string
  version: number
  updatedAt: number
  updatedBy: string
}
