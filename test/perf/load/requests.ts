/**
 * Requests of many clients over connections that stay open, with as little of the machine as can be: it serves them too.
 *
 * @module
 */
import { Agent, type IncomingMessage, request } from 'node:http'

export interface Asked {
  method: string
  path: string
  token: string
  body?: unknown
  headers?: Record<string, string>
}

export interface Answered {
  status: number
  body: Record<string, unknown>
  requestId: string
  /** The index of the entry that records it; `null` when it says none. */
  auditIndex: number | null
}

export interface Connections {
  /** Sends one request; rejects when no whole answer comes. */
  ask(asked: Asked): Promise<Answered>
  close(): void
}

/** How long one answer may take. Longer is a hang. */
const TIMEOUT_MS = 30_000

/** Opens as many connections to a server as there are requests at once. */
export function openConnections(endpoint: string): Connections {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const { hostname, port } = new URL(endpoint)
  return {
    close: () => agent.destroy(),
    ask: ({ method, path, token, body, headers }) =>
      new Promise((resolve, reject) => {
        const text = body === undefined ? undefined : JSON.stringify(body)
        const sent = {
          Authorization: `Bearer ${token}`,
          ...(text !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
          ...headers,
        }
        const asked = request(
          { agent, hostname, port, method, path, headers: sent, timeout: TIMEOUT_MS },
          (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('error', reject)
            response.on('end', () => {
              const answer = answered(response, Buffer.concat(chunks).toString())
              // A proxy in front of the server may answer instead, and not in JSON.
              if (answer === null) reject(new Error(`Answer ${response.statusCode} is not JSON`))
              else resolve(answer)
            })
          },
        )
        asked.on('timeout', () => asked.destroy(new Error('No answer in time')))
        asked.on('error', reject)
        asked.end(text)
      }),
  }
}

function answered({ statusCode, headers }: IncomingMessage, text: string): Answered | null {
  const { 'audit-index': index, 'request-id': id } = headers
  try {
    const body = JSON.parse(text)
    return {
      ...{ status: statusCode ?? 0, body, requestId: String(id) },
      auditIndex: index === undefined ? null : Number(index),
    }
  } catch {
    return null
  }
}
