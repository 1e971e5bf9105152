/**
 * What the fakes share: a server as a function, which answers what it was taught and remembers all else.
 *
 * @module
 */

/** An answer as the recordings have it. */
export interface Reply {
  status: number
  body?: unknown
  /** The body in letters of its own, in place of `body`. */
  text?: string
  headers?: Record<string, string>
}

export interface Asked {
  method: string
  url: URL
  headers: Headers
  /** Parsed when it is JSON, text otherwise, `null` when there is none. */
  body: unknown
  /** The body as it came. */
  text: string
}

export interface Fake {
  /** To be given to `send` in place of the platform's fetch. */
  fetch: (request: Request) => Promise<Response>
  /** Every request, in order. */
  asked: Asked[]
  /** Requests that the server has no answer for: there must be none. */
  unknown: string[]
}

/** Makes a server of a function that returns `null` for what it does not know. */
export function fake(answer: (asked: Asked) => Reply | null): Fake {
  const asked: Asked[] = []
  const unknown: string[] = []
  async function fetch(request: Request): Promise<Response> {
    request.signal.throwIfAborted()
    const text = await request.text()
    const one = {
      text,
      method: request.method,
      url: new URL(request.url),
      headers: request.headers,
      body: parse(text),
    }
    asked.push(one)
    const reply = answer(one)
    if (reply === null) {
      unknown.push(`${one.method} ${one.url.pathname}${one.url.search}`)
      throw new TypeError('Unknown request')
    }
    const said = reply.text ?? (reply.body === undefined ? null : JSON.stringify(reply.body))
    const body = reply.status === 204 ? null : said
    return new Response(body, {
      status: reply.status,
      headers: { 'content-type': 'application/json', ...reply.headers },
    })
  }
  return { fetch, asked, unknown }
}

function parse(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
