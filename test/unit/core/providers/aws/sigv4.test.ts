/** SigV4 against the vectors of aws-c-auth, and against the signer of AWS's own SDK. */
import { createHash, createHmac } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalRequest,
  type SignableRequest,
  type SigningScope,
  sign,
  stringToSign,
} from '../../../../../core/providers/aws/sigv4.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { bytesOf } from '../../../../support/core.ts'

const FILE = resolve(import.meta.dirname, '../../../../shared/vectors/sigv4.json')
const absent = !existsSync(FILE)

interface Vector {
  name: string
  context: {
    credentials: { access_key_id: string; secret_access_key: string; token?: string }
    region: string
    service: string
    timestamp: string
    normalize: boolean
    sign_body: boolean
    omit_session_token?: boolean
  }
  request: string
  canonicalRequest: string
  stringToSign: string
  signature: string
}

const vectors: Vector[] = absent ? [] : JSON.parse(readFileSync(FILE, 'utf8')).cases

/** Reads the request of a vector, with lines of a header that go on in the next one. */
function requestOf({ request, context }: Vector): SignableRequest {
  const [head = '', body = ''] = request.split('\n\n')
  const [first = '', ...lines] = head.replace(/\n\s+/g, ' ').trimEnd().split('\n')
  const [, method = '', target = ''] = /^(\S+) (.+) HTTP\/1\.1$/.exec(first) ?? []
  const [path = '', query = ''] = target.split('?')
  const headers = lines.map((line): [string, string] => [
    line.slice(0, line.indexOf(':')),
    line.slice(line.indexOf(':') + 1),
  ])
  const digest = createHash('sha256').update(body).digest('hex')
  if (context.sign_body) headers.push(['x-amz-content-sha256', digest])
  return { method, path, query, headers, body: bytesOf(body) }
}

describe('sign', { timeout: 60_000 }, () => {
  it.skipIf(absent)('has all 38 vectors before it', () => {
    expect(vectors).toHaveLength(38)
    // The request ends at an empty line only where there is a body.
    expect(vectors.filter((vector) => requestOf(vector).body.length > 0)).toHaveLength(2)
  })

  it.skipIf(absent).each(vectors)('agrees with vector $name', (vector) => {
    const { credentials, region, service, timestamp, normalize, omit_session_token } = vector.context
    const request = requestOf(vector)
    const scope: SigningScope = { region, service, now: Date.parse(timestamp), normalize }
    const keys = {
      accessKeyId: credentials.access_key_id,
      secretAccessKey: new Redacted(credentials.secret_access_key),
      // Sent, but not signed: the caller adds it afterwards.
      ...(credentials.token && !omit_session_token ? { sessionToken: new Redacted(credentials.token) } : {}),
    }
    const added = sign(request, keys, scope)
    const whole = { ...request, headers: [...request.headers, ...added.filter(([name]) => name !== 'authorization')] }
    expect(canonicalRequest(whole, normalize)).toBe(vector.canonicalRequest)
    expect(stringToSign(whole, scope)).toBe(vector.stringToSign)
    const authorization = added.find(([name]) => name === 'authorization')![1]
    expect(/Signature=([0-9a-f]{64})$/.exec(authorization)?.[1]).toBe(vector.signature)
  })

  it("signs what AWS's own signer would sign, byte for byte", async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => value.isWellFormed())
    const header = fc.stringMatching(/^x-[a-z][a-z0-9-]{0,10}$/).filter((name) => !/^x-amz/.test(name))
    const value = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/)
    const request = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
      segments: fc.array(fc.oneof(text, fc.constantFrom('', '.', '..', 'a b', '%2e%2e')), { maxLength: 4 }),
      // Theirs loses a key of the name `__proto__`.
      query: fc.dictionary(
        text.filter((key) => key !== '' && key !== '__proto__' && !/^x-amz-/i.test(key)),
        text,
        { maxKeys: 4 },
      ),
      headers: fc.dictionary(header, value, { maxKeys: 4 }),
      body: fc.uint8Array({ maxLength: 200 }),
    })
    const scope = fc.record({
      region: fc.constantFrom('us-east-1', 'eu-central-1', 'cn-north-1'),
      service: fc.constantFrom('secretsmanager', 'sts'),
      now: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
    })
    const keys = fc.record({ id: fc.stringMatching(/^AKIA[A-Z0-9]{16}$/), secret: text, token: fc.option(value) })
    await fc.assert(
      fc.asyncProperty(request, scope, keys, async (asked, { region, service, now }, { id, secret, token }) => {
        const host = 'example.amazonaws.com'
        const path = `/${asked.segments.map((segment) => encodeURI(segment).replace(/[?#]/g, '')).join('/')}`
        const query = Object.entries(asked.query)
          .map((pair) => pair.map(encodeURIComponent).join('='))
          .join('&')
        const theirs = await new SignatureV4({
          service,
          region,
          credentials: { accessKeyId: id, secretAccessKey: secret, ...(token === null ? {} : { sessionToken: token }) },
          sha256: Sha256,
          applyChecksum: false,
        }).sign(
          {
            ...{ method: asked.method, protocol: 'https:', hostname: host, path, query: asked.query },
            ...{ headers: { host, ...asked.headers }, body: asked.body },
          },
          { signingDate: new Date(now) },
        )
        const ours = sign(
          {
            method: asked.method,
            path,
            query,
            headers: [['host', host], ...Object.entries(asked.headers)],
            body: Uint8Array.from(asked.body),
          },
          {
            accessKeyId: id,
            secretAccessKey: new Redacted(secret),
            ...(token === null ? {} : { sessionToken: new Redacted(token) }),
          },
          { region, service, now },
        )
        expect(Object.fromEntries(ours)).toEqual({
          'x-amz-date': theirs.headers['x-amz-date'],
          ...(token === null ? {} : { 'x-amz-security-token': token }),
          authorization: theirs.headers.authorization,
        })
      }),
      { numRuns: 200 },
    )
  })

  it('takes date and time from one instant', () => {
    const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: new Redacted('secret') }
    const request = {
      method: 'POST',
      path: '/',
      query: '',
      headers: [['host', 'a.example']] as const,
      body: bytesOf('{}'),
    }
    const signed = Object.fromEntries(sign(request, keys, { region: 'r', service: 's', now: Date.UTC(2026, 0, 1) - 1 }))
    expect(signed['x-amz-date']).toBe('20251231T235959Z')
    expect(signed.authorization).toContain('Credential=AKIDEXAMPLE/20251231/r/s/aws4_request,')
  })
})

/** SHA-256 in the form that the SDK takes it in. */
class Sha256 {
  readonly #hash
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytes(secret))
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytes(data))
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(Uint8Array.from(this.#hash.digest()))
  }
  reset(): void {}
}

function bytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}
