/**
 * Azure Key Vault and the token endpoint in front of it, as far as their recorded answers go.
 *
 * @module
 */
import { hex, randomBytes } from '../../../core/bytes.ts'
import { type Asked, type Fake, fake, type Reply } from './fake.ts'

export const TENANT = '11111111-1111-1111-1111-111111111111'
export const VAULT = 'https://myvault.vault.azure.net'
export const LOGIN = `https://login.microsoftonline.com/${TENANT}`

interface Version {
  id: string
  value: string
  contentType?: string
  tags: Record<string, string>
  enabled: boolean
  created: number
  exp?: number
  nbf?: number
}

export interface FakeKeyVault extends Fake {
  now: number
  /** As the recorded emulator does; Key Vault itself hands expired secrets out. */
  enforcesTimes: boolean
  clientSecret: string
  assertions: Set<string>
  /** Tokens that were issued, and when they end. */
  tokens: Map<string, number>
  challenge: string
  /** The origin of `nextLink`. */
  linkOrigin: string
  /** Answers that come before all others of the vault, once each. */
  next: Reply[]
}

export function fakeKeyVault(): FakeKeyVault {
  const secrets = new Map<string, Version[]>()
  const deleted = new Map<string, Version[]>()
  const server: Omit<FakeKeyVault, keyof Fake> = {
    now: 1795462690_000,
    enforcesTimes: false,
    clientSecret: 'gw-client-secret-value-0123456789abcdef',
    assertions: new Set(),
    tokens: new Map(),
    challenge: `Bearer authorization="${LOGIN}", resource="https://vault.azure.net"`,
    linkOrigin: VAULT,
    next: [],
  }

  function answer(asked: Asked): Reply | null {
    if (asked.url.href === `${LOGIN}/oauth2/v2.0/token`) return token(new URLSearchParams(String(asked.body)))
    if (asked.url.origin !== VAULT) return null
    const next = server.next.shift()
    if (next !== undefined) return next
    const bearer = /^Bearer (.+)$/.exec(asked.headers.get('authorization') ?? '')?.[1] ?? ''
    if ((server.tokens.get(bearer) ?? 0) <= server.now) {
      const message = bearer ? 'invalid token: expired' : 'AKV10000: Request is missing a Bearer or PoP token.'
      return { ...problem(401, 'Unauthorized', message), headers: { 'www-authenticate': server.challenge } }
    }
    if (!/^7\.[0-9]$/.test(asked.url.searchParams.get('api-version') ?? '')) {
      return problem(400, 'BadParameter', 'api-version must be specified')
    }
    return vault(asked)
  }

  function token(form: URLSearchParams): Reply {
    const federated = form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const right = federated
      ? server.assertions.has(form.get('client_assertion')!)
      : form.get('client_secret') === server.clientSecret
    if (!right)
      return { status: 401, body: { error: 'invalid_client', error_description: 'client authentication failed' } }
    const access_token = `access-token-${server.tokens.size}`
    server.tokens.set(access_token, server.now + 3600_000)
    return { status: 200, body: { access_token, expires_in: 3600, scope: form.get('scope'), token_type: 'Bearer' } }
  }

  function vault(asked: Asked): Reply | null {
    const { method, url } = asked
    const [, kind, name, last] =
      /^\/(secrets|deletedsecrets)(?:\/([0-9A-Za-z_-]+))?(?:\/([0-9A-Za-z]+))?$/.exec(url.pathname) ?? []
    const key = name?.toLowerCase() ?? ''
    if (kind === 'deletedsecrets') return name === undefined ? null : deletedSecret(method, key, last)
    if (kind === undefined) return null
    if (name === undefined) return method === 'GET' ? list(url) : null
    if (last === 'versions')
      return { status: 200, body: { nextLink: null, value: (secrets.get(key) ?? []).map(itemOf) } }
    if (method === 'GET') return read(key, last)
    if (method === 'PUT') return write(key, asked.body)
    if (method === 'PATCH') return disable(key, last, asked.body)
    return method === 'DELETE' ? remove(key) : null
  }

  function read(name: string, id: string | undefined): Reply {
    const versions = secrets.get(name) ?? []
    const version = id === undefined ? versions.at(-1) : versions.find((one) => one.id.endsWith(`/${id}`))
    if (version === undefined) return absent(name)
    if (!version.enabled) return problem(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.')
    if (server.enforcesTimes && version.exp)
      return problem(403, 'Forbidden', 'Operation get is not allowed on an expired secret.')
    if (server.enforcesTimes && version.nbf)
      return problem(403, 'Forbidden', "Operation get is not allowed before the secret's nbf.")
    return { status: 200, body: { ...itemOf(version), value: version.value } }
  }

  function write(name: string, body: unknown): Reply {
    const { value, contentType, tags = {}, attributes = {} } = Object(body)
    if (typeof value !== 'string' || value === '')
      return problem(400, 'BadParameter', 'The request body must include a non-empty value.')
    if (deleted.has(name)) {
      return problem(
        409,
        'Conflict',
        'Secret is currently in a deleted but recoverable state; recover or purge it first.',
      )
    }
    const id = `${VAULT}/secrets/${name}/${hex(randomBytes(16))}`
    const version = {
      id,
      value,
      contentType,
      tags,
      enabled: true,
      created: Math.floor(server.now / 1000),
      ...attributes,
    }
    secrets.set(name, [...(secrets.get(name) ?? []), version])
    return { status: 200, body: { ...itemOf(version), value } }
  }

  function disable(name: string, id: string | undefined, body: unknown): Reply {
    const version = secrets.get(name)?.find((one) => one.id.endsWith(`/${id}`))
    if (version === undefined) return absent(name)
    Object.assign(version, Object(body).attributes)
    return { status: 200, body: itemOf(version) }
  }

  function remove(name: string): Reply {
    const versions = secrets.get(name)
    if (versions === undefined) return absent(name)
    secrets.delete(name)
    deleted.set(name, versions)
    return { status: 200, body: deletedOf(name, versions) }
  }

  function deletedSecret(method: string, name: string, last: string | undefined): Reply | null {
    const versions = deleted.get(name)
    if (versions === undefined) return absent(name)
    if (method === 'GET') return { status: 200, body: deletedOf(name, versions) }
    if (method === 'DELETE') deleted.delete(name)
    if (method === 'DELETE') return { status: 204 }
    if (method !== 'POST' || last !== 'recover') return null
    deleted.delete(name)
    secrets.set(name, versions)
    return { status: 200, body: itemOf(versions.at(-1)!) }
  }

  function list(url: URL): Reply {
    const at = Number(url.searchParams.get('$skiptoken') ?? 0)
    const size = Number(url.searchParams.get('maxresults') ?? 25)
    if (size > 25) return problem(400, 'BadParameter', 'maxresults must be at most 25')
    const names = [...secrets.keys()].sort()
    const value = names
      .slice(at, at + size)
      .map((name) => ({ ...itemOf(secrets.get(name)!.at(-1)!), id: `${VAULT}/secrets/${name}` }))
    const query = `api-version=${url.searchParams.get('api-version')}&maxresults=${size}&$skiptoken=${at + size}`
    return {
      status: 200,
      body: { nextLink: at + size < names.length ? `${server.linkOrigin}/secrets?${query}` : null, value },
    }
  }

  const made = fake(answer)
  return Object.assign(server, made)
}

function itemOf({ id, contentType, tags, enabled, exp, nbf, created }: Version) {
  const attributes = {
    enabled,
    exp,
    nbf,
    created,
    updated: created,
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  }
  return { id, contentType, tags, attributes }
}

function deletedOf(name: string, versions: Version[]) {
  const version = versions.at(-1)!
  return { ...itemOf(version), value: version.value, recoveryId: `${VAULT}/deletedsecrets/${name}` }
}

function problem(status: number, code: string, message: string): Reply {
  return { status, body: { error: { code, message } } }
}

function absent(name: string): Reply {
  return problem(404, 'SecretNotFound', `A secret with (name/id) ${name} was not found in this key vault.`)
}
