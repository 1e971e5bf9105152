import { describe, expect, it } from 'vitest'
import { MAX_BODY_BYTES } from '../../../../core/wire/index.ts'
import { readJson } from '../../../../worker/http/body.ts'
import { rejectionOf } from '../../../support/core.ts'

const TIMEOUT_MS = 30_000

/** A request whose body comes in pieces, which have all arrived. */
function inPieces(pieces: string[]): Request {
  const left = pieces.map((piece) => new TextEncoder().encode(piece))
  const body = new ReadableStream({
    pull(controller) {
      const next = left.shift()
      if (next === undefined) controller.close()
      else controller.enqueue(next)
    },
  })
  const headers = { 'Content-Type': 'application/json' }
  return new Request('http://127.0.0.1/', { method: 'PUT', headers, body, duplex: 'half' } as RequestInit)
}

describe('a body', () => {
  it('is read in pieces of any size', async () => {
    const text = JSON.stringify({ value: 'é'.repeat(1000) })
    expect(await readJson(inPieces([...text]), TIMEOUT_MS)).toEqual({ value: 'é'.repeat(1000) })
    expect(await readJson(inPieces([text]), TIMEOUT_MS)).toEqual({ value: 'é'.repeat(1000) })
  })

  it('row 12: does not block other requests with many pieces', async () => {
    let turns = 0
    const others = setInterval(() => turns++)
    await readJson(inPieces([...`"${'a'.repeat(4000)}"`]), TIMEOUT_MS)
    clearInterval(others)
    expect(turns).toBeGreaterThan(10)
  })

  it('row 12: is refused when it comes in too many pieces, even if it is small', async () => {
    const error = await rejectionOf(readJson(inPieces([...`"${'a'.repeat(5000)}"`]), TIMEOUT_MS))
    expect([error.code, error.message]).toEqual(['bad_request', 'Body must come in at most 4096 pieces'])
  })

  it('row 12: is refused as too large before its end is read', async () => {
    const piece = 'a'.repeat(MAX_BODY_BYTES / 4)
    const request = inPieces(Array.from({ length: 100 }, () => piece))
    const error = await rejectionOf(readJson(request, TIMEOUT_MS))
    expect(error.detail).toMatchObject({ field: 'body', limitBytes: MAX_BODY_BYTES })
  })
})
