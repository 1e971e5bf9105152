import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { checkUrl } from '../../../../core/http/address_guard.ts'
import { type SendOptions, send } from '../../../../core/http/send.ts'
import { refusalFrom, rejectionOf, shownBy } from '../../../support/core.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/canary-path`
}
const sendHere = (url: string, options: SendOptions = {}) => send(url, {}, { allowLoopback: true, ...options })
const hostOf = (text: string) => new URL(text).hostname

describe('checkUrl', () => {
  it.each([
    'https://example.com',
    'https://example.com:8443/a?b=c#d',
    'https://EXAMPLE.com./',
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
    'https://172.15.255.255/',
    'https://172.32.0.0/',
    'https://169.253.255.255/',
    'https://metadata.google.internal.example.com/',
    'https://localhost.example.com/',
  ])('accepts %s', (url) => {
    expect(() => checkUrl(url)).not.toThrow()
    expect(() => checkUrl(url, { allowLoopback: true })).not.toThrow()
  })

  // The same place, in spellings that once got past filters of others.
  it.each([
    '169.254.169.254',
    '169.254.169.254.',
    '2852039166',
    '0xa9fea9fe',
    '0xA9.0xFE.0xA9.0xFE',
    '0251.0376.0251.0376',
    '025177524776',
    '169.254.43518',
    '169.16689662',
    '0xa9.254.0251.254',
    '169。254。169。254',
    '①⑥⑨.②⑤④.①⑥⑨.②⑤④',
    '%31%36%39.254.169.254',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[0:0:0:0:0:FFFF:A9FE:A9FE]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a9fe:a9fe::1]',
    'example.com@169.254.169.254',
    'example.com:443@169.254.169.254',
    '169.254.169.254:443',
    '169.254.169.254/latest/meta-data?x=https://example.com',
  ])('row 13: refuses the metadata service as %s', (host) => {
    for (const scheme of ['http', 'https']) {
      for (const allowLoopback of [false, true]) {
        const error = refusalFrom(() => checkUrl(`${scheme}://${host}`, { allowLoopback }))
        expect([error.code, error.detail.field]).toEqual(['bad_request', 'url'])
      }
    }
  })

  it.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '100.100.100.200', '172.16.0.1', '172.31.255.255'],
    ...['192.0.0.192', '192.168.1.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...[
      '[::]',
      '[fd00::1]',
      '[fd00:ec2::254]',
      '[fe80::1]',
      '[ff02::1]',
      '[2001:db8::1]',
      '[::ffff:10.0.0.1]',
      '[::ffff:7f00:2]',
    ],
    ...[
      'metadata.google.internal',
      'METADATA.google.internal.',
      'metadata',
      'instance-data',
      'instance-data.ec2.internal',
    ],
    ...['foo.localhost', 'foo.localhost.', 'a.b.LOCALHOST'],
  ])('row 13: refuses %s, an internal address', (host) => {
    for (const allowLoopback of [false, true]) {
      expect(refusalFrom(() => checkUrl(`https://${host}/`, { allowLoopback })).code).toBe('bad_request')
    }
  })

  it.each([
    ...[
      'localhost',
      'localhost.',
      'LOCALHOST',
      '127.0.0.1',
      '127.0.0.2',
      '127.255.255.255',
      '127.1',
      '2130706433',
      '0x7f000001',
      '[::1]',
      '[::ffff:127.0.0.1]',
    ],
  ])('refuses loopback as %s unless allowed', (host) => {
    for (const scheme of ['http', 'https']) {
      expect(refusalFrom(() => checkUrl(`${scheme}://${host}:8080/`)).code).toBe('bad_request')
    }
  })

  it('permits http to loopback only where that is allowed', () => {
    for (const host of ['localhost', 'localhost.', '127.0.0.1', '127.0.0.2', '[::1]', '[0:0:0:0:0:0:0:1]', '127.1']) {
      expect(() => checkUrl(`http://${host}:8080/a`, { allowLoopback: true })).not.toThrow()
      expect(() => checkUrl(`https://${host}/a`, { allowLoopback: true })).not.toThrow()
    }
    for (const url of [
      'http://example.com/',
      'http://128.0.0.1/',
      'http://localhost.example.com/',
      'http://127.0.0.1.example.com/',
      'ws://localhost/',
    ]) {
      expect(refusalFrom(() => checkUrl(url, { allowLoopback: true })).code).toBe('bad_request')
    }
  })

  it.each([
    ...['', 'example.com', '//example.com', 'https://', 'https:// a', 'file:///etc/passwd', 'ftp://example.com/'],
    ...['data:text/plain,a', 'javascript:alert(1)', 'gopher://example.com/', 'blob:https://example.com/a'],
    ...['https://canary:canary@example.com/', 'https://canary@example.com/', 'https://:canary@example.com/'],
  ])('refuses %j, and does not quote it', (url) => {
    const error = refusalFrom(() => checkUrl(url, { allowLoopback: true }))
    expect(error.code).toBe('bad_request')
    expect(shownBy(error)).not.toContain('canary')
  })
})

describe('send', () => {
  it('returns the status, the headers and the whole body', async () => {
    const seen: unknown[] = []
    const url = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers['x-sent']])
      response.writeHead(404, { 'X-Answered': 'yes' })
      response.write('one ')
      response.end('two')
    })
    const { status, headers, body } = await send(
      url,
      { method: 'PUT', body: 'a', headers: { 'X-Sent': '1' } },
      { allowLoopback: true },
    )
    expect([status, headers.get('X-Answered'), Buffer.from(body).toString()]).toEqual([404, 'yes', 'one two'])
    expect(seen).toEqual([['PUT', '/canary-path', '1']])
  })

  it('returns no bytes for an answer without a body', async () => {
    const url = await serve((_, response) => response.writeHead(204).end())
    expect((await sendHere(url)).body).toEqual(new Uint8Array(0))
  })

  it('row 13: sends nothing to a forbidden address', async () => {
    let asked = 0
    const ask = async () => {
      asked++
      return new Response('')
    }
    for (const url of ['https://169.254.169.254/', 'http://example.com/', 'https://u:p@example.com/', 'nope']) {
      expect((await rejectionOf(send(url, {}, { fetch: ask }))).code).toBe('bad_request')
    }
    expect((await rejectionOf(send('http://127.0.0.1/', {}, { fetch: ask }))).code).toBe('bad_request')
    expect(asked).toBe(0)
    await send('https://example.com/', {}, { fetch: ask })
    expect(asked).toBe(1)
  })

  it.each([301, 302, 303, 307, 308])('row 13: returns a redirect, and does not follow it (%i)', async (status) => {
    const paths: (string | undefined)[] = []
    const url = await serve((request, response) => {
      paths.push(request.url)
      response.writeHead(status, { Location: '/elsewhere' }).end()
    })
    expect((await send(url, { redirect: 'follow' }, { allowLoopback: true })).status).toBe(status)
    expect(paths).toEqual(['/canary-path'])
  })

  it('accepts an answer of the largest size, and refuses one byte more, with or without a declared length', async () => {
    for (const announced of [true, false]) {
      const url = await serve((request, response) => {
        const size = request.url === '/canary-path' ? 1000 : 1001
        if (announced) response.setHeader('Content-Length', size)
        response.write(Buffer.alloc(500))
        response.end(Buffer.alloc(size - 500))
      })
      expect((await sendHere(url, { maxBytes: 1000 })).body).toHaveLength(1000)
      expect((await rejectionOf(sendHere(`${url}/more`, { maxBytes: 1000 }))).code).toBe('unavailable')
    }
  })

  it('aborts an endless answer', async () => {
    let closed: () => void
    const hungUp = new Promise<void>((resolve) => {
      closed = resolve
    })
    const url = await serve((_, response) => {
      response.once('close', () => closed())
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', write)
      write()
    })
    expect((await rejectionOf(sendHere(url, { maxBytes: 100_000 }))).code).toBe('unavailable')
    await hungUp
  })

  it('counts the size of an answer after decompression', async () => {
    const packed = gzipSync(Buffer.alloc(10_000_000))
    const url = await serve((_, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': packed.length }).end(packed)
    })
    expect(packed.length).toBeLessThan(100_000)
    expect((await rejectionOf(sendHere(url, { maxBytes: 100_000 }))).code).toBe('unavailable')
  })

  it('limits the time for an answer, including its body', async () => {
    const silent = await serve(() => {})
    expect((await rejectionOf(sendHere(silent, { timeoutMs: 50 }))).code).toBe('unavailable')
    const slow = await serve((_, response) => {
      response.write('a')
    })
    expect((await rejectionOf(sendHere(slow, { timeoutMs: 200 }))).code).toBe('unavailable')
  })

  it('reveals nothing of the request, its address or the answer in an error', async () => {
    const cut = await serve((_, response) => {
      response.write('canary-body')
      response.destroy()
    })
    const closed = await serve((_, response) => response.end())
    servers.pop()?.close()
    const init = { headers: { 'X-Sent': 'canary-header' } }
    for (const url of [cut, closed]) {
      const error = await rejectionOf(send(url, init, { allowLoopback: true }))
      expect(error.code).toBe('unavailable')
      expect(shownBy(error)).not.toContain('canary')
      expect(shownBy(error)).not.toContain(hostOf(url))
    }
    const failing = () => Promise.reject(new TypeError('canary of the platform'))
    expect(shownBy(await rejectionOf(send('https://example.com/canary', init, { fetch: failing })))).not.toContain(
      'canary',
    )
  })

  it('distinguishes a failed connection from a timeout', async () => {
    const silent = await serve(() => {})
    expect((await rejectionOf(sendHere(silent, { timeoutMs: 50 }))).detail.reason).toBe('late_answer')
    const cut = await serve((_, response) => response.destroy())
    expect((await rejectionOf(sendHere(cut))).detail.reason).toBe('no_answer')
  })

  it('ends with the signal of its caller, while waiting and while reading', async () => {
    let hungUp = 0
    const silent = await serve((_, response) => response.once('close', () => hungUp++))
    const slow = await serve((_, response) => {
      response.once('close', () => hungUp++)
      response.write('a')
    })
    for (const url of [silent, slow]) {
      const caller = new AbortController()
      const sent = send(url, { signal: caller.signal }, { allowLoopback: true })
      setTimeout(() => caller.abort(new Error('canary of the caller')), 100)
      const error = await rejectionOf(sent)
      expect([error.code, error.detail.reason]).toEqual(['unavailable', 'late_answer'])
      expect(shownBy(error)).not.toContain('canary')
    }
    await expect.poll(() => hungUp).toBe(2)
  })

  it('sends nothing for a caller that has already aborted', async () => {
    let asked = 0
    const ask = async () => {
      asked++
      return new Response('')
    }
    const error = await rejectionOf(send('https://example.com/', { signal: AbortSignal.abort() }, { fetch: ask }))
    expect([error.detail.reason, asked]).toEqual(['late_answer', 0])
  })
})
