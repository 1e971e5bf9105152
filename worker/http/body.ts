/**
 * Reads the body of a request, within limits of size, time and pieces.
 *
 * @module
 */
import { concat } from '../../core/bytes.ts'
import { badRequest, PosternError } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { sleep } from '../../core/sleep.ts'
import { MAX_BODY_BYTES, MAX_VALUE_BYTES } from '../../core/wire/index.ts'

/** The most pieces of a body: 128 bytes each, for the largest body. */
const MAX_PIECES = 4096
/** Yields to other requests after so many pieces. Pieces that have arrived are read without a turn of the event loop, which would hold up timers, ours too. */
const PIECES_A_TURN = 64

/**
 * Reads a JSON body, counting the bytes as they arrive: Content-Length is only a claim of the client.
 *
 * @param timeoutMs The time limit for the whole body, so that a slow client does not hold a connection for long.
 * @throws {PosternError} `bad_request`
 */
export async function readJson(request: Request, timeoutMs: number, limitBytes = MAX_BODY_BYTES): Promise<unknown> {
  checkMediaType(request.headers)
  return parseJson(await readBytes(request, timeoutMs, limitBytes))
}

/** Like {@link readJson}; `undefined` when there is no body. */
export async function readOptionalJson(request: Request, timeoutMs: number): Promise<unknown> {
  if (request.body === null || request.headers.get('Content-Length') === '0') return undefined
  return readJson(request, timeoutMs)
}

/**
 * Rejects a request with a body, at its first byte.
 *
 * @param timeoutMs The time limit for the end of an empty body.
 * @throws {PosternError} `bad_request`
 */
export async function refuseBody(request: Request, timeoutMs: number): Promise<void> {
  await readBytes(request, timeoutMs, 0)
}

async function readBytes(request: Request, timeoutMs: number, limitBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  // A flag, not a clock: a timer may fire before its time by the clock, and a cancelled read looks like the end of the body.
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
      // On Deno, ten thousand pieces of one byte blocked the whole server for ten seconds.
      if (chunks.push(value) > MAX_PIECES) throw badRequest('body', `Body must come in at most ${MAX_PIECES} pieces`)
      if (chunks.length % PIECES_A_TURN === 0) await sleep()
    }
  } catch (error) {
    if (error instanceof PosternError) throw error
    throw badRequest('body', 'Body is incomplete')
  } finally {
    clearTimeout(timer)
    reader.releaseLock()
  }
}

function tooLong(limitBytes: number): PosternError {
  if (limitBytes === 0) return badRequest('body', 'Must be empty')
  const value = `, and a value at most ${MAX_VALUE_BYTES} as UTF-8 or, with encoding: "base64", as decoded bytes`
  const message = `Body must have at most ${limitBytes} bytes${limitBytes === MAX_BODY_BYTES ? '' : value}`
  return badRequest('body', message, { limitBytes })
}

/** JSON, and its encoding as far as it is given: a token or a quoted string (RFC 9110 section 8.3.1). */
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*(?:charset=(?<charset>"[^"]*"|[^\s;"]+))?[ \t]*)?$/i
/** Codings whose name may be shown. Any other could be a value in the wrong place. */
const CODINGS = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress']

/**
 * Refuses a body in another form than JSON in UTF-8 as it is (RFC 9110 section 15.5.16). No HTML form and no cross-site
 * "simple request" can have this form.
 *
 * @throws {PosternError} `bad_request` with reason `unsupported_media_type`
 */
function checkMediaType(headers: Headers): void {
  const match = JSON_TYPE.exec(headers.get('Content-Type') ?? '')
  if (match === null) throw unsupported('Content-Type', 'Content-Type must be application/json')
  const charset = match.groups?.charset?.replaceAll('"', '').toLowerCase() ?? 'utf-8'
  if (charset !== 'utf-8' && charset !== 'utf8') throw unsupported('Content-Type', 'Charset must be utf-8')
  const coding = headers.get('Content-Encoding')?.trim().toLowerCase() ?? 'identity'
  if (coding === 'identity' || coding === '') return
  const found = CODINGS.includes(coding) ? `: ${coding} is not accepted` : ''
  throw unsupported('Content-Encoding', `Content-Encoding must be identity${found}. Send the body as it is`)
}

function unsupported(field: string, message: string): PosternError {
  return new PosternError('bad_request', message, { field, reason: 'unsupported_media_type' })
}
