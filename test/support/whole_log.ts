import { base64, utf8 } from '../../core/bytes.ts'
import type { Client } from '../../core/client/client.ts'
import { merkleTreeHash } from './reference/rfc6962.ts'

/** An entry of the log, parsed. */
export interface Entry {
  index: number
  previous: string | null
  request: string
  operation: string
  resource: string
  principal: string
  agent: string | null
  outcome: string
  facts: Record<string, unknown>
}

export interface WholeLog {
  entries: Entry[]
  /** The canonical JSON of each. */
  bodies: string[]
  /** The root that the server states, and the one that RFC 6962 defines for these entries. */
  root: string
  expectedRoot: string
}

/** Reads a vault's log from its first entry to the head. */
export async function wholeLog(client: Client): Promise<WholeLog> {
  const { size, root } = await client.auditEntries({ limit: 1 })
  const bodies: string[] = []
  while (bodies.length < size) {
    const { entries } = await client.auditEntries({ from: bodies.length, limit: Math.min(1000, size - bodies.length) })
    bodies.push(...entries.map(({ body }) => body))
  }
  const entries = bodies.map((body) => JSON.parse(body) as Entry)
  return { entries, bodies, root, expectedRoot: base64(merkleTreeHash(bodies.map(utf8))) }
}
