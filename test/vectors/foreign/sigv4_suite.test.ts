/**
 * The signing test suite of awslabs/aws-c-auth (`tests/aws-signing-test-suite/v4`).
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  canonicalRequest,
  type SignableRequest,
  type SigningScope,
  sign,
  stringToSign,
} from '../../../core/providers/aws/sigv4.ts'
import { Redacted } from '../../../core/redacted.ts'
import { bytesOf } from '../../support/core.ts'
import { readSuite } from './folder.ts'

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

const vectors = readSuite<{ cases: Vector[] }>('sigv4.json').cases

/** Reads the request of a vector. A header may continue on the next line. */
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

describe('sign', () => {
  it('finds all 38 vectors, two of them with a body', () => {
    expect(vectors).toHaveLength(38)
    // Only a request with a body has an empty line behind its headers.
    expect(vectors.filter((vector) => requestOf(vector).body.length > 0)).toHaveLength(2)
  })

  it.each(vectors)('agrees with vector $name', (vector) => {
    const { credentials, region, service, timestamp, normalize, omit_session_token } = vector.context
    const request = requestOf(vector)
    const scope: SigningScope = { region, service, now: Date.parse(timestamp), normalize }
    const keys = {
      accessKeyId: credentials.access_key_id,
      secretAccessKey: new Redacted(credentials.secret_access_key),
      // `omit_session_token`: the caller adds the token after signing.
      ...(credentials.token && !omit_session_token ? { sessionToken: new Redacted(credentials.token) } : {}),
    }
    const added = sign(request, keys, scope)
    const whole = { ...request, headers: [...request.headers, ...added.filter(([name]) => name !== 'authorization')] }
    expect(canonicalRequest(whole, normalize)).toBe(vector.canonicalRequest)
    expect(stringToSign(whole, scope)).toBe(vector.stringToSign)
    const authorization = added.find(([name]) => name === 'authorization')![1]
    expect(/Signature=([0-9a-f]{64})$/.exec(authorization)?.[1]).toBe(vector.signature)
  })
})
