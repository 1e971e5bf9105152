/**
 * SigV4 against the examples that AWS documents, and against the signer of AWS's own SDK. The suite of aws-c-auth runs
 * from `test/vectors/foreign/sigv4_suite.test.ts`.
 *
 * @module
 */
import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AwsKeys,
  type SignableRequest,
  type SigningScope,
  sign,
  stringToSign,
} from '../../../../../core/providers/aws/sigv4.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { bytesOf } from '../../../../support/core.ts'

/** Signs a request and returns the signature and the names of the headers that it covers. */
function signatureOf(request: SignableRequest, keys: AwsKeys, scope: SigningScope) {
  const { authorization = '' } = Object.fromEntries(sign(request, keys, scope))
  const [, covered, signature] = /SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(authorization) ?? []
  return { covered, signature }
}

describe('sign', { timeout: 60_000 }, () => {
  // AWS IAM User Guide, "Create a signed AWS API request": the request that its steps sign.
  it("gives the signature of the IAM User Guide's example", () => {
    const request: SignableRequest = {
      ...{ method: 'GET', path: '/', query: 'Action=ListUsers&Version=2010-05-08', body: bytesOf('') },
      headers: [
        ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
        ['host', 'iam.amazonaws.com'],
      ],
    }
    const keys = {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: new Redacted('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
    }
    const scope = { region: 'us-east-1', service: 'iam', now: Date.UTC(2015, 7, 30, 12, 36) }
    expect(signatureOf(request, keys, scope)).toEqual({
      covered: 'content-type;host;x-amz-date',
      signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    })
    const dated = { ...request, headers: [...request.headers, ['x-amz-date', '20150830T123600Z'] as const] }
    expect(stringToSign(dated, scope)).toBe(
      [
        'AWS4-HMAC-SHA256',
        '20150830T123600Z',
        '20150830/us-east-1/iam/aws4_request',
        'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59',
      ].join('\n'),
    )
  })

  // Amazon S3 API Reference, "Examples: Signature calculations in AWS Signature Version 4". S3 does not fold paths.
  it.each<{
    example: string
    request: Partial<SignableRequest>
    covered: string
    signature: string
  }>([
    {
      example: 'GET Object',
      request: { path: '/test.txt', headers: [['range', 'bytes=0-9']] },
      covered: 'host;range;x-amz-content-sha256;x-amz-date',
      signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    },
    {
      example: 'PUT Object',
      request: {
        ...{ method: 'PUT', path: '/test$file.text', body: bytesOf('Welcome to Amazon S3.') },
        headers: [
          ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
          ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
        ],
      },
      covered: 'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    },
    {
      example: 'GET Bucket Lifecycle',
      request: { query: 'lifecycle' },
      covered: 'host;x-amz-content-sha256;x-amz-date',
      signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    },
    {
      example: 'Get Bucket (List Objects)',
      request: { query: 'max-keys=2&prefix=J' },
      covered: 'host;x-amz-content-sha256;x-amz-date',
      signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    },
  ])('gives the signature of the example $example in the S3 API Reference', ({ request, covered, signature }) => {
    const body = request.body ?? bytesOf('')
    const whole: SignableRequest = {
      ...{ method: 'GET', path: '/', query: '', ...request, body },
      headers: [
        ['host', 'examplebucket.s3.amazonaws.com'],
        ['x-amz-content-sha256', createHash('sha256').update(body).digest('hex')],
        ...(request.headers ?? []),
      ],
    }
    const keys = {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: new Redacted('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
    }
    const scope = { region: 'us-east-1', service: 's3', now: Date.UTC(2013, 4, 24), normalize: false }
    expect(signatureOf(whole, keys, scope)).toEqual({ covered, signature })
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

  it('derives date and time from one instant', () => {
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
