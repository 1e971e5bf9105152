/**
 * The other end of {@link ./suite.ts}: sends functions to the extension host and waits for what they return.
 *
 * @module
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type * as vscode from 'vscode'

/** Runs in the extension host. It may use its parameters only. */
type Work<A extends unknown[], R> = (editor: typeof vscode, ...args: A) => R | PromiseLike<R>

export interface Control {
  url: string
  evaluate<A extends unknown[], R>(work: Work<A, R>, ...args: A): Promise<Awaited<R>>
  /** Resolves when the extension host asks for its first job. */
  ready: Promise<void>
  close(): Promise<void>
}

const POLL_MS = 20_000
const CORS = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' }

export async function listen(): Promise<Control> {
  const jobs: string[] = []
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  const ready = Promise.withResolvers<void>()
  let idle: ServerResponse | null = null
  let isOver = false
  let last = 0

  const flush = () => {
    if (idle === null || idle.writableEnded) return
    if (isOver) idle.writeHead(410, CORS).end()
    else if (jobs.length > 0) idle.writeHead(200, { ...CORS, 'Content-Type': 'application/json' }).end(jobs.shift())
  }

  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    if (request.method === 'OPTIONS') return void response.writeHead(204, CORS).end()
    if (request.url === '/next') {
      ready.resolve()
      idle = response
      setTimeout(() => response.writableEnded || response.writeHead(204, CORS).end(), POLL_MS)
      return flush()
    }
    const { id, value, error } = JSON.parse(body)
    if (error === undefined) waiting.get(id)?.resolve(value)
    else waiting.get(id)?.reject(new Error(error))
    waiting.delete(id)
    response.writeHead(204, CORS).end()
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready: ready.promise,
    evaluate(work, ...args) {
      const id = ++last
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      waiting.set(id, { resolve, reject })
      jobs.push(JSON.stringify({ id, source: work.toString(), args }))
      flush()
      return promise as never
    },
    async close() {
      isOver = true
      flush()
      server.close()
      server.closeAllConnections()
    },
  }
}
