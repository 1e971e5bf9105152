/**
 * Google Secret Manager and the token endpoint in front of it, as far as its reference goes.
 *
 * @module
 */
import { type Asked, type Fake, fake, type Reply } from './fake.ts'

export const PROJECT = 'postern-test'
export const SERVICE = 'https://secretmanager.googleapis.com'
export const STS = 'https://sts.googleapis.com/v1/token'
/** The number of the project, which answers have in place of its id. */
const NUMBER = '123456789012'

interface Version {
  data: string
  state: 'ENABLED' | 'DISABLED' | 'DESTROYED'
  created: number
}

interface Secret {
  versions: Version[]
  annotations: Record<string, string>
  etag: number
  created: number
}

export interface FakeSecretManager extends Fake {
  now: number
  /** The token of the pool's issuer that is taken. */
  subject: string
  secrets: Map<string, Secret>
  /** Answers that come before all others of the service, once each. */
  next: Reply[]
}

export function fakeSecretManager(): FakeSecretManager {
  const secrets = new Map<string, Secret>()
  const tokens = new Map<string, number>()
  const server: Omit<FakeSecretManager, keyof Fake> = {
    now: Date.UTC(2026, 0, 1),
    subject: 'canary.of.a-subject-token',
    secrets,
    next: [],
  }

  function answer(asked: Asked): Reply | null {
    if (asked.url.href === STS) return token(new URLSearchParams(String(asked.body)))
    if (asked.url.origin !== SERVICE) return null
    const next = server.next.shift()
    if (next !== undefined) return next
    const bearer = /^Bearer (.+)$/.exec(asked.headers.get('authorization') ?? '')?.[1] ?? ''
    if ((tokens.get(bearer) ?? 0) <= server.now)
      return problem(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    return service(asked)
  }

  function token(form: URLSearchParams): Reply {
    if (form.get('subject_token') !== server.subject)
      return { status: 400, body: { error: 'invalid_grant', error_description: 'The subject token is invalid.' } }
    const access_token = `access-token-${tokens.size}`
    tokens.set(access_token, server.now + 3600_000)
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token'
    return { status: 200, body: { access_token, issued_token_type, token_type: 'Bearer', expires_in: 3600 } }
  }

  function service({ method, url, body }: Asked): Reply | null {
    const [, below] = new RegExp(`^/v1/projects/${PROJECT}/secrets(.*)$`).exec(url.pathname) ?? []
    if (below === undefined) return null
    if (below === '') return method === 'POST' ? create(url, body) : list(url)
    const [, name = '', rest = ''] = /^\/([A-Za-z0-9_-]{1,255})(.*)$/.exec(below) ?? []
    const secret = secrets.get(name)
    if (secret === undefined) return absent(`Secret [projects/${NUMBER}/secrets/${name}]`)
    if (rest === '') return resource(method, name, secret, body)
    if (rest === ':addVersion' && method === 'POST') return add(name, secret, body)
    if (rest === '/versions' && method === 'GET') return listVersions(name, secret, url)
    const [, id = '', access] = /^\/versions\/(latest|[0-9]+)(:access)?$/.exec(rest) ?? []
    return id === '' || method !== 'GET' ? null : version(name, secret, { id, access: access !== undefined })
  }

  function create(url: URL, body: unknown): Reply {
    const name = url.searchParams.get('secretId') ?? ''
    if (!/^[A-Za-z0-9_-]{1,255}$/.test(name) || !Object(body).replication?.automatic)
      return problem(400, 'INVALID_ARGUMENT', 'The request is invalid.')
    if (secrets.has(name)) return problem(409, 'ALREADY_EXISTS', `Secret [${nameOf(name)}] already exists.`)
    secrets.set(name, { versions: [], annotations: {}, etag: 1, created: server.now })
    return { status: 200, body: secretOf(name) }
  }

  function resource(method: string, name: string, secret: Secret, body: unknown): Reply | null {
    if (method === 'GET') return { status: 200, body: secretOf(name) }
    if (method === 'DELETE') {
      secrets.delete(name)
      return { status: 200, body: {} }
    }
    if (method !== 'PATCH') return null
    const { etag, annotations } = Object(body)
    if (etag !== undefined && etag !== `"${secret.etag}"`)
      return problem(400, 'FAILED_PRECONDITION', 'The etag provided does not match the current etag of the Secret.')
    Object.assign(secret, { annotations, etag: secret.etag + 1 })
    return { status: 200, body: secretOf(name) }
  }

  function add(name: string, secret: Secret, body: unknown): Reply {
    const data = Object(body).payload?.data
    if (typeof data !== 'string' || Buffer.from(data, 'base64').length > 65_536)
      return problem(400, 'INVALID_ARGUMENT', 'The payload is invalid.')
    secret.versions.push({ data, state: 'ENABLED', created: server.now })
    secret.etag++
    return { status: 200, body: versionOf(name, secret, secret.versions.length) }
  }

  function version(name: string, secret: Secret, { id, access }: { id: string; access: boolean }): Reply {
    const number = id === 'latest' ? secret.versions.length : Number(id)
    const found = secret.versions[number - 1]
    if (found === undefined) return absent(`Secret Version [${nameOf(name)}/versions/${id}]`)
    if (!access) return { status: 200, body: versionOf(name, secret, number) }
    const place = `${nameOf(name)}/versions/${number}`
    if (found.state !== 'ENABLED')
      return problem(400, 'FAILED_PRECONDITION', `Secret Version [${place}] is in ${found.state} state.`)
    return { status: 200, body: { name: place, payload: { data: found.data, dataCrc32c: '1' } } }
  }

  function list(url: URL): Reply {
    const { items, rest } = page([...secrets.keys()].sort(), url)
    return { status: 200, body: { ...(items.length > 0 && { secrets: items.map(secretOf) }), ...rest } }
  }

  function listVersions(name: string, secret: Secret, url: URL): Reply {
    const numbers = secret.versions.map((_, at) => at + 1).reverse()
    const { items, rest } = page(numbers, url)
    return { status: 200, body: { versions: items.map((number) => versionOf(name, secret, number)), ...rest } }
  }

  function page<T>(all: T[], url: URL) {
    const [at, size] = [Number(url.searchParams.get('pageToken') ?? 0), Number(url.searchParams.get('pageSize'))]
    const more = at + size < all.length
    return { items: all.slice(at, at + size), rest: more ? { nextPageToken: String(at + size) } : {} }
  }

  function secretOf(name: string) {
    const { annotations, etag, created } = secrets.get(name)!
    const times = { createTime: new Date(created).toISOString(), etag: `"${etag}"` }
    return { name: nameOf(name), replication: { automatic: {} }, annotations, ...times }
  }

  return Object.assign(server, fake(answer))
}

function nameOf(name: string): string {
  return `projects/${NUMBER}/secrets/${name}`
}

function versionOf(name: string, { versions }: Secret, number: number) {
  const { state, created } = versions[number - 1]!
  return { name: `${nameOf(name)}/versions/${number}`, createTime: new Date(created).toISOString(), state }
}

function problem(code: number, status: string, message: string): Reply {
  return { status: code, body: { error: { code, message, status } } }
}

function absent(what: string): Reply {
  return problem(404, 'NOT_FOUND', `${what} not found.`)
}
