/** The network code that operators see for an unanswered request. */
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { networkCode } from '../../../../core/http/network_code.ts'
import { NoAnswer, send } from '../../../../core/http/send.ts'
import { canary } from '../../../support/canary.ts'

const coded = (code: unknown, message = 'm') => Object.assign(new Error(message), { code })

describe('networkCode', () => {
  it.each<[string, unknown, string | null]>([
    ['of Bun', coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['of Bun in its own form', coded('ConnectionRefused'), 'ECONNREFUSED'],
    [
      'of Bun for a plain port',
      coded('EPROTO', 'The TLS handshake failed. Does the server speak TLS on this port?'),
      'ERR_SSL_WRONG_VERSION_NUMBER',
    ],
    [
      'of a chain that ends at a private authority',
      coded('SELF_SIGNED_CERT_IN_CHAIN'),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    ['of a chain without its authority', coded('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [
      'of undici for a proxy that refuses',
      new TypeError('fetch failed', {
        cause: new Error('Request was cancelled.', {
          cause: coded('UND_ERR_ABORTED', 'Proxy response (407) !== 200 when HTTP Tunneling'),
        }),
      }),
      'ERR_PROXY_TUNNEL',
    ],
    [
      'of Deno for a proxy that refuses',
      new Error('client error (Connect): proxy authentication required'),
      'ERR_PROXY_TUNNEL',
    ],
    [
      'of Deno for a resolver that is away',
      new Error('dns error: failed to lookup address information: Temporary failure in name resolution'),
      'EAI_AGAIN',
    ],
    [
      'of Deno for a plain port',
      new Error('received corrupt message of type InvalidContentType'),
      'ERR_SSL_WRONG_VERSION_NUMBER',
    ],
    ['of Deno for an expired certificate', new Error('invalid peer certificate: Expired'), 'CERT_HAS_EXPIRED'],
    [
      'of Deno for another name',
      new Error(
        'invalid peer certificate: certificate not valid for name "a"; certificate is only valid for DnsName("b")',
      ),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ['of a port that fetch blocks', new TypeError('fetch failed', { cause: new Error('bad port') }), 'ERR_BAD_PORT'],
    ['of a vague code, where no message says more', coded('EPROTO'), 'EPROTO'],
    ['of Node, from the cause', new TypeError('fetch failed', { cause: coded('ENOTFOUND') }), 'ENOTFOUND'],
    [
      'of Node, from the first address that was tried',
      new TypeError('fetch failed', { cause: new AggregateError([coded('ECONNREFUSED')], '') }),
      'ECONNREFUSED',
    ],
    [
      'of Deno, from the phrase of its cause',
      new TypeError('fetch failed', {
        cause: new Error('client error (Connect): dns error: failed to lookup address'),
      }),
      'ENOTFOUND',
    ],
    [
      'of Deno for a certificate',
      new Error('client error (Connect): invalid peer certificate: UnknownIssuer'),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    [
      'of Deno for a certificate that is its own authority',
      new Error('invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))'),
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    ],
    ['of Deno for another certificate', new Error('invalid peer certificate: BadEncoding'), 'TLS'],
    ['of workerd', new Error('Network connection lost.'), 'ECONNRESET'],
    ['of none', new Error('internal error'), null],
    ['of a value that is not an error', 'ENOTFOUND', null],
    ['of a code that is a number', coded(23), null],
    ['of a code that is a sentence', coded('could not reach https://store.example/prod/db'), null],
    ['of a code that is too long', coded('A'.repeat(100)), null],
    ['of a code in lower case, as values are', coded('hunter2'), null],
  ])('is the code %s', (_, error, code) => {
    expect(networkCode(error)).toBe(code)
  })

  it('handles circular causes', () => {
    const error = new Error('m')
    error.cause = error
    expect(networkCode(error)).toBeNull()
  })

  it('never contains text from a message', () => {
    const text = canary()
    for (const error of [new Error(text), coded(text), new Error('m', { cause: coded(`E ${text}`, text) })]) {
      expect(networkCode(error) ?? '').not.toContain(text)
    }
  })

  it('is set for an unanswered request, and is in no detail of the error', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    const error = await send(`http://127.0.0.1:${port}/`, {}, { allowLoopback: true }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(NoAnswer)
    expect(error.networkCode).toBe('ECONNREFUSED')
    expect(JSON.stringify([error.message, error.detail])).not.toContain('ECONNREFUSED')
  })
})
