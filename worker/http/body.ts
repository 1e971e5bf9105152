import { concat } from '../../core/bytes.ts'
import { badRequest, PosternError } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { sleep } from '../../core/sleep.ts'
import { MAX_BODY_BYTES } from '../../core/wire/index.ts'

/** How many pieces a body may come in: 32 bytes each, when it is as large as it may be. */
const MAX_PIECES = 4096
/** After so many pieces others have a turn. What has arrived is read without one: it would hold up timers, ours too. */
const PIECES_A_TURN = 64

/**
 * Reads a JSON body, counting the bytes as they come: a Content-Length is the client's claim only.
 *
 * @param timeoutMs How long the whole body may take, so that a slow client holds nothing for long.
 * @throws {PosternError} `bad_request`
 */
export async function readJson(request: Request, timeoutMs: number): Promise<unknown> {
  const type = request.headers.get('Content-Type') ?? ''
  // Exact, so that no HTML form or cross-site "simple request" can be taken for one.
  if (!/^application\/json(?:; ?charset=utf-8)?$/i.test(type)) {
    throw badRequest('Content-Type', 'Content-Type must be application/json')
  }
  return parseJson(await readBytes(request, timeoutMs))
}

/** The same for a body that may be left out: `undefined` then. */
export async function readOptionalJson(request: Request, timeoutMs: number): Promise<unknown> {
  if (request.body === null || request.headers.get('Content-Length') === '0') return undefined
  return readJson(request, timeoutMs)
}

/**
 * Refuses a request that has a body, at its first byte.
 *
 * @param timeoutMs How long the end of an empty one may take.
 * @throws {PosternError} `bad_request`
 */
export async function refuseBody(request: Request, timeoutMs: number): Promise<void> {
  await readBytes(request, timeoutMs, 0)
}

async function readBytes(request: Request, timeoutMs: number, limitBytes = MAX_BODY_BYTES): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  // A flag, not a clock: a timer may fire before the clock says so, and what was cancelled looks ended.
  let late = false
  const timer = setTimeout(() => {
    late = true
    reader.cancel().catch(() => {})
  }, timeoutMs)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (late) throw badRequest('body', 'Body did not arrive in time')
      if (done) return concat(...chunks)
      size += value.length
      if (size > limitBytes) throw tooLong(limitBytes)
      // On Deno ten thousand pieces of a byte each kept the whole server from everybody else for ten seconds.
      if (chunks.push(value) > MAX_PIECES) throw badRequest('body', `Body must come in at most ${MAX_PIECES} pieces`)
      if (chunks.length % PIECES_A_TURN === 0) await sleep()
    }
  } catch (error) {
    if (error instanceof PosternError) throw error
    throw badRequest('body', 'Body did not arrive whole')
  } finally {
    clearTimeout(timer)
    reader.releaseLock()
  }
}

function tooLong(limitBytes: number): PosternError {
  if (limitBytes === 0) return badRequest('body', 'Must be empty')
  return badRequest('body', `Body must have at most ${limitBytes} bytes`, { limitBytes })
}
