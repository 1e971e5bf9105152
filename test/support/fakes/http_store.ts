/**
 * A store that keeps the HTTP contract of docs/reference/stores/http.md.
 *
 * @module
 */
import { type Asked, type Fake, fake, type Reply } from './fake.ts'

export const STORE = 'https://store.example/v1/secrets/{name}'
export const LIST = 'https://store.example/v1/list'

interface Entry {
  version: number
  body: Record<string, unknown>
  key: string | null
}

export interface FakeHttpStore extends Fake {
  /** The value of the header that lets one in. */
  secret: string
  next: Reply[]
}

export function fakeHttpStore(): FakeHttpStore {
  const entries = new Map<string, Entry>()
  const server = { secret: 'Bearer store-token', next: [] as Reply[] }

  function answer(asked: Asked): Reply | null {
    const { method, url, headers } = asked
    if (url.origin !== 'https://store.example') return null
    const next = server.next.shift()
    if (next !== undefined) return next
    if (headers.get('authorization') !== server.secret) return { status: 401, body: { error: 'unauthorized' } }
    if (url.pathname === '/v1/list' && method === 'GET') return list(url)
    const name = /^\/v1\/secrets\/(.+)$/.exec(url.pathname)?.[1]
    if (name === undefined) return null
    const entry = entries.get(decodeURIComponent(name))
    if (method === 'GET') return entry ? shown(entry) : { status: 404, body: { error: 'not found' } }
    if (method === 'DELETE') return entries.delete(decodeURIComponent(name)) ? { status: 204 } : { status: 404 }
    return method === 'PUT' ? write(decodeURIComponent(name), asked, entry) : null
  }

  function write(name: string, { headers, body }: Asked, entry: Entry | undefined): Reply {
    const key = headers.get('idempotency-key')
    if (entry !== undefined && key === entry.key) {
      return JSON.stringify(entry.body) === JSON.stringify(body) ? shown(entry) : { status: 409, body: {} }
    }
    const match = headers.get('if-match')
    const wrong = match !== null && match !== `"${entry?.version}"`
    if (wrong || (headers.get('if-none-match') === '*' && entry)) return { status: 412, body: {} }
    const next = { version: (entry?.version ?? 0) + 1, body: body as Record<string, unknown>, key }
    entries.set(name, next)
    return shown(next)
  }

  function list(url: URL): Reply {
    const { prefix = '', cursor = '', limit = '' } = Object.fromEntries(url.searchParams)
    const names = [...entries.keys()].filter((name) => name.startsWith(prefix) && name > cursor).sort()
    const page = names.slice(0, Number(limit))
    return {
      status: 200,
      body: { items: page.map((name) => ({ name })), cursor: page.length < names.length ? page.at(-1) : null },
    }
  }

  const made = fake(answer)
  return Object.assign(server, made)
}

function shown({ version, body }: Entry): Reply {
  return { status: 200, body: { ...body, version }, headers: { etag: `"${version}"` } }
}
