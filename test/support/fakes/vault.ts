/**
 * HashiCorp Vault, as far as its recorded answers go: KV version 1 and 2, tokens, AppRole, JWT, sealing.
 *
 * @module
 */
import { type Asked, type Fake, fake, type Reply } from './fake.ts'

interface KvVersion {
  data: Record<string, unknown>
  created: number
  deletedAt: number | null
  destroyed: boolean
}
interface Token {
  /** What it may ask; `null` is everything. */
  paths: RegExp | null
  expiresAt: number
  ttl: number
  /** When renewing it no longer helps. */
  maxAt: number
}

export interface FakeVault extends Fake {
  now: number
  sealed: boolean
  tokens: Map<string, Token>
  roleId: string
  secretIds: Set<string>
  /** Assertions that the JWT method takes. */
  assertions: Set<string>
  /** Whether version 2 puts the fields in the order of their keys, as the real one does. */
  sorts: boolean
  /** Answers that come before all others, once each. */
  next: Reply[]
  /** The version of the KV engine at each mount. */
  mounts: Record<string, '1' | '2'>
  /** Whether tokens may ask which engine is mounted. */
  showsMounts: boolean
  /** Has a mount of version 1 be one of version 2 from now on, with the secrets that it has. */
  upgrade(mount: string): void
  /** The names that are kept at a mount. */
  namesAt(mount: string): string[]
}

const ABSENT: Reply = { status: 404, body: { errors: [] } }
const DENIED: Reply = { status: 403, body: { errors: ['permission denied'] } }
/** What version 2 says to a path of version 1. */
const OTHER_VERSION: Reply = {
  status: 404,
  body: { data: null, warnings: ['Invalid path for a versioned K/V secrets engine.'], auth: null },
}

/** A server with a mount `secret` (KV 2), a mount `kv1` (KV 1), and the token `root-test-token`. */
export function fakeVault(): FakeVault {
  type Kv2 = Map<string, { versions: Map<number, KvVersion>; current: number }>
  const kv2s: Record<string, Kv2> = { secret: new Map(), kv1: new Map() }
  /** The secrets of the requested mount. */
  let kv2 = kv2s.secret!
  /** In the letters that they were written in, which version 1 keeps. */
  const kv1 = new Map<string, string>()
  let issued = 0

  const server: Omit<FakeVault, keyof Fake> = {
    now: Date.parse('2026-11-23T19:37:11.000Z'),
    sealed: false,
    tokens: new Map([['root-test-token', { paths: null, expiresAt: Infinity, ttl: 0, maxAt: Infinity }]]),
    roleId: '9122435c-394e-c6c4-d3c2-a9a555c0deb6',
    secretIds: new Set(),
    assertions: new Set(),
    sorts: false,
    next: [],
    mounts: { secret: '2', kv1: '1' },
    showsMounts: true,
    upgrade(mount) {
      server.mounts[mount] = '2'
      for (const [name, text] of kv1) {
        const version = { data: JSON.parse(text), created: server.now, deletedAt: null, destroyed: false }
        kv2s[mount]!.set(name, { versions: new Map([[1, version]]), current: 1 })
      }
    },
    namesAt: (mount) => [...(server.mounts[mount] === '1' ? kv1 : kv2s[mount]!).keys()],
  }
  const time = (ms: number) => new Date(ms).toISOString().replace('Z', '645183Z')

  function issue(paths: RegExp | null, ttl: number, maxTtl = ttl * 10): Reply {
    const client_token = `s.recordedToken${String(issued++).padStart(2, '0')}`
    const { now } = server
    server.tokens.set(client_token, { paths, ttl, expiresAt: now + ttl * 1000, maxAt: now + maxTtl * 1000 })
    return { status: 200, body: { auth: { client_token, lease_duration: ttl, renewable: true } } }
  }

  function answer(asked: Asked): Reply | null {
    const { method, url, headers } = asked
    const next = server.next.shift()
    if (next !== undefined) return next
    if (server.sealed) return { status: 503, body: { errors: ['error performing token check: Vault is sealed'] } }
    const path = decodeURIComponent(url.pathname.slice('/v1/'.length))
    const login = /^auth\/(approle|jwt)\/login$/.exec(path)?.[1]
    if (login !== undefined && method === 'POST') return logIn(login, asked.body as Record<string, string>)
    const secret = headers.get('x-vault-token')
    if (secret === null) return { status: 400, body: { errors: ['missing client token'] } }
    const token = server.tokens.get(secret)
    if (token === undefined || token.expiresAt <= server.now) return DENIED
    const own = ownToken(asked, path, secret, token)
    if (own !== null) return own
    if (token.paths !== null && !(method === 'GET' && token.paths.test(path))) {
      return { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } }
    }
    return mounted(asked, path)
  }

  function logIn(kind: string, body: Record<string, string>): Reply {
    if (kind === 'jwt')
      return server.assertions.has(body.jwt!)
        ? issue(null, 60, 120)
        : { status: 400, body: { errors: ['error validating token'] } }
    // A secret id of this role is good for one login.
    const right = body.role_id === server.roleId && server.secretIds.delete(body.secret_id!)
    return right ? issue(null, 60, 120) : { status: 400, body: { errors: ['invalid secret id'] } }
  }

  function ownToken({ method, body }: Asked, path: string, secret: string, token: Token): Reply | null {
    if (method === 'GET' && path === 'auth/token/lookup-self') {
      const ttl = token.ttl === 0 ? 0 : Math.floor((token.expiresAt - server.now) / 1000)
      const data = { id: secret, ttl, creation_ttl: token.ttl, period: 0, renewable: token.ttl > 0 }
      return { status: 200, body: { data } }
    }
    if (method === 'POST' && path === 'auth/token/renew-self') {
      const wish = Number.parseInt((body as { increment: string }).increment, 10)
      const lease_duration = Math.max(0, Math.min(wish, Math.floor((token.maxAt - server.now) / 1000)))
      token.expiresAt = server.now + lease_duration * 1000
      return { status: 200, body: { data: null, auth: { client_token: secret, lease_duration, renewable: true } } }
    }
    if (method !== 'POST' || path !== 'auth/token/create' || token.paths !== null) return null
    const { ttl } = body as { ttl: string }
    return issue(/^secret\/data\/prod\/other$/, Number.parseInt(ttl, 10))
  }

  function mounted(asked: Asked, path: string): Reply | null {
    const { method, url } = asked
    const lookup = /^sys\/internal\/ui\/mounts\/([^/]+)/.exec(path)?.[1]
    if (lookup !== undefined && method === 'GET') {
      const version = server.mounts[lookup]
      return version && server.showsMounts
        ? { status: 200, body: { data: { type: 'kv', path: `${lookup}/`, options: { version } } } }
        : DENIED
    }
    if (method === 'LIST') return null
    const list = url.searchParams.get('list') === 'true'
    const [mount = '', ...segments] = path.split('/')
    if (server.mounts[mount] === undefined) return { status: 404, body: { errors: [`no handler for route '${path}'`] } }
    if (server.mounts[mount] === '1') return v1(asked, segments.join('/'), list)
    kv2 = kv2s[mount]!
    const [, part, name = ''] = /^(data|metadata|delete|undelete|destroy)(?:\/(.+))?$/.exec(segments.join('/')) ?? []
    if (part === undefined) return OTHER_VERSION
    if (part === 'data') return data(asked, name)
    if (part === 'metadata') return list ? keys([...kv2.keys()], name) : metadata(method, name)
    return method === 'POST' ? mark(part, name, (asked.body as { versions: number[] }).versions) : null
  }

  function v1({ method, text }: Asked, name: string, list: boolean): Reply | null {
    if (list) return keys([...kv1.keys()], name)
    const found = kv1.get(name)
    if (method === 'GET')
      return found ? { status: 200, text: `{"lease_id":"","data":${found},"warnings":null}` } : ABSENT
    if (method === 'DELETE') kv1.delete(name)
    else if (method === 'POST') kv1.set(name, text)
    else return null
    return { status: 204 }
  }

  function data({ method, url, body }: Asked, name: string): Reply | null {
    const secret = kv2.get(name)
    if (method === 'GET') return read(secret, Number(url.searchParams.get('version') ?? 0))
    if (method === 'DELETE') return mark('delete', name, [secret?.current ?? 0])
    if (method !== 'POST' && method !== 'PUT') return null
    const { options, data: written } = (body ?? {}) as { options?: { cas?: number }; data?: Record<string, unknown> }
    if (written === undefined) return { status: 400, body: { errors: ['no data provided'] } }
    const current = secret?.current ?? 0
    if (options?.cas !== undefined && options.cas !== current) {
      return { status: 400, body: { errors: ['check-and-set parameter did not match the current version'] } }
    }
    const version = {
      data: server.sorts ? (sorted(written) as Record<string, unknown>) : written,
      created: server.now,
      deletedAt: null,
      destroyed: false,
    }
    kv2.set(name, { versions: new Map([...(secret?.versions ?? []), [current + 1, version]]), current: current + 1 })
    return { status: 200, body: { data: { ...timesOf(version), version: current + 1 } } }
  }

  function read(secret: { versions: Map<number, KvVersion>; current: number } | undefined, asked: number): Reply {
    const number = asked || (secret?.current ?? 0)
    const version = secret?.versions.get(number)
    if (version === undefined) return ABSENT
    const metadata = { ...timesOf(version), version: number }
    const gone = version.destroyed || (version.deletedAt !== null && version.deletedAt <= server.now)
    return { status: gone ? 404 : 200, body: { data: { data: gone ? null : version.data, metadata } } }
  }

  function timesOf({ created, deletedAt, destroyed }: KvVersion) {
    return { created_time: time(created), deletion_time: deletedAt === null ? '' : time(deletedAt), destroyed }
  }

  function metadata(method: string, name: string): Reply | null {
    const secret = kv2.get(name)
    if (method === 'DELETE') kv2.delete(name)
    else if (method !== 'GET') return null
    if (method === 'DELETE') return { status: 204 }
    if (secret === undefined) return ABSENT
    const versions = Object.fromEntries([...secret.versions].map(([number, version]) => [number, timesOf(version)]))
    return { status: 200, body: { data: { current_version: secret.current, versions } } }
  }

  function mark(part: string, name: string, numbers: number[]): Reply {
    for (const number of numbers) {
      const version = kv2.get(name)?.versions.get(number)
      if (version === undefined) continue
      if (part === 'destroy') version.destroyed = true
      else version.deletedAt = part === 'delete' ? server.now : null
    }
    return { status: 204 }
  }

  const made = fake(answer)
  return Object.assign(server, made)
}

/** Version 2 rewrites the fields: keys in order, numbers as doubles. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, one]) => [key, sorted(one)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

function keys(names: string[], folder: string): Reply {
  const start = folder === '' ? '' : `${folder}/`
  const below = names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length))
  const found = new Set(below.map((name) => name.replace(/\/.*$/, '/')))
  return found.size === 0 ? ABSENT : { status: 200, body: { data: { keys: [...found].sort() } } }
}
