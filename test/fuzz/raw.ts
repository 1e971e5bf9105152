/**
 * Requests as bytes that no client library would send.
 *
 * @module
 */
import { connect as openSocket } from 'node:net'

/** How long after an answer another one may come. */
const QUIET_MS = 700

export interface RawRequest {
  name: string
  bytes: string | Buffer
  /** What of it must not be done: the name of a secret that a hidden request would write. */
  hidden?: string
  /** Whether it ends before a request does: a server may wait for the rest. */
  unfinished?: true
}

/** The bytes that came back until the server closed the connection or fell silent. */
export interface RawAnswer {
  text: string
  statuses: number[]
  closed: boolean
}

const BODY = '{"value":"x"}'

/** Every one of them, for a server's host and a token. */
export function rawRequests(host: string, token: string, canary: string): RawRequest[] {
  const auth = `Host: ${host}\r\nAuthorization: Bearer ${token}\r\n`
  const json = 'Content-Type: application/json\r\n'
  const put = (name: string, head: string, body: string) =>
    `PUT /v1/vaults/default/secrets/${name} HTTP/1.1\r\n${auth}${json}${head}\r\n${body}`
  const get = (target: string, head = '') => `GET ${target} HTTP/1.1\r\n${auth}${head}\r\n`
  let count = 0
  /** A request whose end is told in two ways, with another in what one of them leaves over. */
  const smuggled = (name: string, headOf: (whole: number) => string, before: string, after = ''): RawRequest => {
    const hidden = `hidden-${++count}`
    const inner = put(hidden, `Content-Length: ${BODY.length}\r\n`, BODY)
    const body = `${before}${inner}${after}`
    return { name: `smuggling: ${name}`, bytes: put('carrier', headOf(body.length), body), hidden }
  }
  const chunked = 'Transfer-Encoding: chunked\r\n'
  const read = '/v1/vaults/default/secrets/a'
  return [
    smuggled('a length and chunks', (n) => `Content-Length: ${n}\r\n${chunked}`, '0\r\n\r\n'),
    smuggled('chunks and a length', (n) => `${chunked}Content-Length: ${n}\r\n`, '0\r\n\r\n'),
    smuggled('two lengths', (n) => `Content-Length: 0\r\nContent-Length: ${n}\r\n`, ''),
    smuggled('two lengths in one', (n) => `Content-Length: 0, ${n}\r\n`, ''),
    smuggled('a length with a sign', () => 'Content-Length: +0\r\n', ''),
    smuggled('a length in hexadecimal', () => 'Content-Length: 0x0\r\n', ''),
    smuggled('a negative length', () => 'Content-Length: -1\r\n', ''),
    smuggled('a length and white space before its colon', (n) => `Content-Length : ${n}\r\n`, ''),
    smuggled('chunks that are spelled otherwise', () => 'Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n', ''),
    smuggled(
      'chunks after something else',
      () => 'Transfer-Encoding: identity, chunked\r\nContent-Length: 3\r\n',
      '0\r\n\r\n',
    ),
    smuggled('chunks twice', () => 'Transfer-Encoding: chunked, chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n'),
    smuggled('chunks on a folded line', () => 'Transfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n'),
    smuggled('chunks behind a tab', () => 'Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n', '0\r\n\r\n'),
    smuggled('a chunk that is shorter than it says', () => chunked, '5\r\nab\r\n0\r\n\r\n'),
    smuggled('a chunk that is longer than it says', () => chunked, '1\r\nabcdef\r\n0\r\n\r\n'),
    smuggled('a chunk size that overflows', () => chunked, 'ffffffffffffffff1\r\na\r\n0\r\n\r\n'),
    smuggled('a chunk size with a sign', () => chunked, '-1\r\na\r\n0\r\n\r\n'),
    smuggled('a chunk size that is not a number', () => chunked, 'zz\r\na\r\n0\r\n\r\n'),
    smuggled('chunks that end in bare line feeds', () => chunked, '0\n\n'),
    { name: 'a chunk extension of 1 MiB', bytes: put('b', chunked, `1;${'a'.repeat(2 ** 20)}\r\n{\r\n0\r\n\r\n`) },
    { name: 'trailers of 1 MiB', bytes: put('b', chunked, `0\r\nX: ${'a'.repeat(2 ** 20)}\r\n\r\n`) },
    { name: 'chunks of one byte, ten thousand', bytes: put('b', chunked, `${'1\r\na\r\n'.repeat(10_000)}0\r\n\r\n`) },
    {
      name: 'chunks of more than the limit',
      bytes: put('b', chunked, `${'fff\r\n'.concat('a'.repeat(4095), '\r\n').repeat(64)}0\r\n\r\n`),
    },
    { name: 'a body that does not come', bytes: put('b', 'Content-Length: 100\r\n', '{"value"'), unfinished: true },
    { name: 'a chunk that does not come', bytes: put('b', chunked, '64\r\n{"value"'), unfinished: true },
    { name: 'a length that is not a number', bytes: put('b', 'Content-Length: abc\r\n', BODY) },
    {
      name: 'a length beyond all numbers',
      bytes: put('b', `Content-Length: ${'9'.repeat(40)}\r\n`, BODY),
      unfinished: true,
    },
    {
      name: 'an unknown encoding',
      bytes: put('b', 'Content-Encoding: gzip\r\nContent-Length: 4\r\n', '\x1f\x8b\x08\x00'),
    },
    { name: 'an expectation', bytes: put('b', `Expect: ${canary}\r\nContent-Length: 13\r\n`, BODY) },
    { name: 'two tokens', bytes: get(read, `Authorization: Bearer ${canary}\r\n`) },
    { name: 'two hosts', bytes: get(read, 'Host: evil.example\r\n') },
    { name: 'no host', bytes: `GET ${read} HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n\r\n` },
    {
      name: 'a host with a path',
      bytes: `GET ${read} HTTP/1.1\r\nHost: evil.example/x?y\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    },
    {
      name: 'a host with a NUL',
      bytes: `GET ${read} HTTP/1.1\r\nHost: a\0b\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    },
    { name: 'an absolute target of another host', bytes: get('http://evil.example/v1/vaults/default/secrets/none') },
    {
      name: 'an absolute target with credentials',
      bytes: get('http://a:b@evil.example/v1/vaults/default/secrets/none'),
    },
    { name: 'a target that is an authority', bytes: `CONNECT evil.example:443 HTTP/1.1\r\n${auth}\r\n` },
    { name: 'a target that is a star', bytes: `OPTIONS * HTTP/1.1\r\n${auth}\r\n` },
    { name: 'a target that is nothing', bytes: `GET  HTTP/1.1\r\n${auth}\r\n` },
    { name: 'a target without a slash', bytes: get('v1/vaults/default/secrets/a') },
    { name: 'TRACE', bytes: `TRACE ${read} HTTP/1.1\r\n${auth}\r\n` },
    { name: 'TRACK', bytes: `TRACK ${read} HTTP/1.1\r\n${auth}\r\n` },
    { name: 'a method in small letters', bytes: `delete ${read} HTTP/1.1\r\n${auth}\r\n` },
    { name: 'a method of 10,000 letters', bytes: `${'G'.repeat(10_000)} ${read} HTTP/1.1\r\n${auth}\r\n` },
    { name: 'an unknown version', bytes: `GET ${read} HTTP/9.9\r\n${auth}\r\n` },
    { name: 'an ancient version', bytes: `GET ${read}\r\n`, unfinished: true },
    { name: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', unfinished: true },
    { name: 'a handshake of TLS', bytes: Buffer.from('16030100a5010000a10303', 'hex'), unfinished: true },
    {
      name: 'an upgrade to a web socket',
      bytes: get(
        read,
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
      ),
    },
    { name: 'lines that end in bare line feeds', bytes: get(read).replaceAll('\r\n', '\n'), unfinished: true },
    { name: 'lines that end in bare carriage returns', bytes: get(read).replaceAll('\r\n', '\r'), unfinished: true },
    { name: 'a folded line', bytes: get(read, `X-Folded: a\r\n b ${canary}\r\n`) },
    { name: 'a header without a colon', bytes: get(read, `${canary.replace(/[^a-z]/g, '')}\r\n`) },
    { name: 'a header without a name', bytes: get(read, ': a\r\n') },
    { name: 'a NUL in a header', bytes: get(read, 'X: a\0b\r\n') },
    {
      name: 'invalid UTF-8 in a header',
      bytes: Buffer.from(get(read, 'User-Agent: a\xff\xfe\xc0\x80b\r\n'), 'latin1'),
    },
    {
      name: 'control characters in a header',
      bytes: Buffer.from(get(read, 'User-Agent: a\x1b[2J\x07b\r\n'), 'latin1'),
    },
    { name: 'a header of 1 MiB', bytes: get(read, `X: ${'a'.repeat(2 ** 20)}\r\n`) },
    {
      name: 'ten thousand headers',
      bytes: get(read, Array.from({ length: 10_000 }, (_, i) => `X-${i}: a\r\n`).join('')),
    },
    { name: 'a target of 100 KB', bytes: get(`/v1/vaults/default/secrets/${'a'.repeat(100_000)}`) },
    { name: 'a NUL in a target', bytes: get('/v1/vaults/default/secrets/a\0b') },
    {
      name: 'invalid UTF-8 in a target',
      bytes: Buffer.from(get('/v1/vaults/default/secrets/\xff\xfe'), 'latin1'),
    },
    ...[
      '..%2f..%2fhealthz',
      '%2e%2e/%2e%2e/none',
      '..\\..\\none',
      '%252e%252e%252fnone',
      'none%00',
      'none%0d%0aX-Evil:1',
      '%c0%ae%c0%ae/none',
      'none;a=b',
      './/none',
      '%zz',
    ].map((path) => ({ name: `the path ${path}`, bytes: get(`/v1/vaults/default/secrets/${path}`) })),
    { name: 'a line break in a query', bytes: get('/v1/vaults/default/secrets?prefix=a\rX-Evil:1') },
    { name: 'a body of deep arrays', bytes: put('b', 'Content-Length: 100000\r\n', '['.repeat(100_000)) },
    { name: 'a body with a prototype', bytes: put('b', 'Content-Length: 33\r\n', '{"value":"x","__proto__":{"a":1}}') },
    {
      name: 'a body of invalid UTF-8',
      bytes: Buffer.from(put('b', 'Content-Length: 13\r\n', '{"value":"\xff"}'), 'latin1'),
    },
    { name: 'nothing but line breaks', bytes: '\r\n'.repeat(10_000), unfinished: true },
    {
      name: 'nothing but noise',
      bytes: Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256)),
      unfinished: true,
    },
  ]
}

/**
 * Sends bytes and takes what comes, until the server closes or has said nothing for a while.
 *
 * @param firstMs How long its first word may take.
 */
export function sendRaw(endpoint: string, bytes: string | Buffer, firstMs: number): Promise<RawAnswer> {
  const { hostname, port } = new URL(endpoint)
  return new Promise((resolve) => {
    const socket = openSocket(Number(port), hostname)
    const chunks: Buffer[] = []
    const done = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      const text = Buffer.concat(chunks).toString('latin1')
      const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status))
      resolve({ text, closed, statuses })
    }
    let timer = setTimeout(() => done(false), firstMs)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(() => done(false), QUIET_MS)
    })
    socket.on('error', () => done(true))
    socket.on('close', () => done(true))
    socket.on('end', () => done(true))
    socket.write(bytes)
  })
}
