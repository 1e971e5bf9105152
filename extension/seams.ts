/**
 * What not every server offers. One without it answers 404: it has none.
 *
 * @module
 */
import type { Client } from '../core/client.ts'
import { PosternError } from '../core/errors.ts'

/** One access of the one who asks. */
export interface Access {
  index: number
  time: string
  operation: string
  resource: string
  outcome: string
  address?: string | undefined
  agent?: string | undefined
}

/** The health of one provider; in a list they stand in failover order. */
export interface ProviderHealth {
  id: string
  kind: string
  state: 'up' | 'degraded' | 'down'
}

interface Newer {
  providers?(): Promise<{ items: ProviderHealth[] }>
}

/** My recent accesses, the newest first; `null` when the server does not list them. */
export async function accessesOf(client: Client): Promise<Access[] | null> {
  return orNone(client.myEntries({ limit: 50 }))
}

/** The providers in failover order; `null` when the server names none. */
export async function providersOf(client: Client): Promise<ProviderHealth[] | null> {
  const { providers } = client as Newer
  return providers ? orNone(providers()) : null
}

async function orNone<T>(answer: Promise<{ items: T[] }>): Promise<T[] | null> {
  try {
    return (await answer).items
  } catch (error) {
    if (error instanceof PosternError && error.code === 'not_found') return null
    throw error
  }
}
