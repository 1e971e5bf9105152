/**
 * AWS Signature Version 4, in the `Authorization` header.
 *
 * The path is signed as given: it is sent unchanged, while `new URL` would normalise it. The nouns are those of the
 * description by AWS.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, hex, utf8 } from '../../bytes.ts'
import type { Redacted } from '../../redacted.ts'

const ALGORITHM = 'AWS4-HMAC-SHA256'

/** Keys that sign requests. */
export interface AwsKeys {
  accessKeyId: string
  secretAccessKey: Redacted<string>
  sessionToken?: Redacted<string>
}

/** A request as it is signed. */
export interface SignableRequest {
  method: string
  path: string
  /** Without `?`. */
  query: string
  /** The headers to sign, `host` included, in the order in which they are sent. */
  headers: readonly (readonly [name: string, value: string])[]
  /** The exact bytes of the body. */
  body: Bytes
}

/** The scope of a signature. */
export interface SigningScope {
  region: string
  service: string
  /** Milliseconds since the Unix epoch. Use one instant: at midnight, two would give two dates. */
  now: number
  /** Whether `.`, `..` and empty segments are normalised, as every service except S3 expects. */
  normalize?: boolean
}

/**
 * Signs a request.
 *
 * @returns The headers to add to the signed ones.
 */
export function sign(request: SignableRequest, keys: AwsKeys, scope: SigningScope): [name: string, value: string][] {
  const date = amzDate(scope.now)
  const token: [string, string][] = keys.sessionToken ? [['x-amz-security-token', keys.sessionToken.reveal()]] : []
  const added: [string, string][] = [['x-amz-date', date], ...token]
  const whole = { ...request, headers: [...request.headers, ...added] }
  const signature = hex(hmac(sha256, signingKey(keys, scope), utf8(stringToSign(whole, scope))))
  const credential = `${keys.accessKeyId}/${credentialScope(scope)}`
  const signed = canonicalHeaders(whole).map(([name]) => name)
  const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${signed.join(';')}, Signature=${signature}`
  return [...added, ['authorization', authorization]]
}

/** The string to sign. The request has its `x-amz-date`. */
export function stringToSign(request: SignableRequest, scope: SigningScope): string {
  const digest = hex(sha256(utf8(canonicalRequest(request, scope.normalize))))
  return [ALGORITHM, amzDate(scope.now), credentialScope(scope), digest].join('\n')
}

/** The canonical request. */
export function canonicalRequest(request: SignableRequest, normalize = true): string {
  const headers = canonicalHeaders(request)
  return [
    request.method,
    escapeUri(normalize ? normalizePath(request.path) : request.path).replaceAll('%2F', '/'),
    canonicalQuery(request.query),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    headers.map(([name]) => name).join(';'),
    hex(sha256(request.body)),
  ].join('\n')
}

function canonicalHeaders({ headers }: SignableRequest): [name: string, value: string][] {
  const values = new Map<string, string[]>()
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    values.set(key, [...(values.get(key) ?? []), value.trim().replace(/\s+/g, ' ')])
  }
  return [...values].map(([name, all]): [string, string] => [name, all.join(',')]).sort(byKeyThenValue)
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '')
  return pairs
    .map((pair): [string, string] => {
      const [key = '', ...value] = pair.split('=').map((part) => escapeUri(decodeURIComponent(part)))
      return [key, value.join('%3D')]
    })
    .sort(byKeyThenValue)
    .map((pair) => pair.join('='))
    .join('&')
}

function byKeyThenValue([a, x]: [string, string], [b, y]: [string, string]): number {
  if (a !== b) return a < b ? -1 : 1
  return x < y ? -1 : Number(x > y)
}

function normalizePath(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`
}

/** Percent-encodes all but the unreserved characters of RFC 3986 section 2.3. */
function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function amzDate(now: number): string {
  return new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, '')
}

function credentialScope({ region, service, now }: SigningScope): string {
  return `${amzDate(now).slice(0, 8)}/${region}/${service}/aws4_request`
}

function signingKey({ secretAccessKey }: AwsKeys, scope: SigningScope): Uint8Array {
  const start: Uint8Array = utf8(`AWS4${secretAccessKey.reveal()}`)
  return credentialScope(scope)
    .split('/')
    .reduce((key, part) => hmac(sha256, key, utf8(part)), start)
}
