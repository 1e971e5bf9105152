/** A file of secrets: what it reads, what it leaves alone, and what it refuses. */
import { describe, expect, it } from 'vitest'
import { FileProvider } from '../../../../../core/providers/file/provider.ts'
import type { Provider, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf } from '../../../../support/core.ts'

const signal = () => AbortSignal.timeout(5_000)
const textOf = async (provider: Provider, name: string) =>
  Buffer.from((await provider.get(name, { signal: signal() })).value.reveal()).toString()

function open(format: 'env' | 'json', text: string | null) {
  const file = { text, writes: 0 }
  const read = async () => (file.text === null ? null : bytesOf(file.text))
  const write = async (bytes: Uint8Array) => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    file.text = Buffer.from(bytes).toString()
    file.writes++
  }
  return { file, provider: new FileProvider({ format, read, write }) }
}

const put = (provider: Provider, name: string, value: string) =>
  provider.put(name, new Redacted(bytesOf(value)), { signal: signal(), idempotencyKey: 'k'.repeat(32) })

describe('FileProvider', () => {
  it('row 10: reads the names of prototype members as ordinary names', async () => {
    const { provider } = open('json', '{"a":"1","__proto__":"2","toString":"3"}')
    for (const name of ['constructor', 'hasOwnProperty', 'valueOf']) {
      expect(await kindOf(provider.get(name, { signal: signal() }))).toBe('not_found')
    }
    expect(await textOf(provider, 'toString')).toBe('3')
    await put(provider, 'b', '4')
    expect(await textOf(provider, 'a')).toBe('1')
  })

  it.each([
    ['env', 'no assignment'],
    ['json', '{'],
    ['json', '[]'],
    ['json', '{"a":1}'],
    ['json', '{"a":{"value":"x","encoding":"hex"}}'],
    ['json', `{"a":"${'x'.repeat(1024 * 1024)}"}`],
  ] as const)('takes half a file for no file (%s)', async (format, text) => {
    const { file, provider } = open(format, text)
    expect(await kindOf(provider.get('A', { signal: signal() }))).toBe('unavailable')
    expect(await kindOf(put(provider, 'A', 'x'))).toBe('unavailable')
    expect(await kindOf(provider.health({ signal: signal() }))).toBe('unavailable')
    expect([file.text, file.writes]).toEqual([text, 0])
  })

  it('names the line that it cannot read, or the other flaw of the file', async () => {
    const code = async (provider: Provider) =>
      provider.get('A', { signal: signal() }).then(
        () => expect.unreachable(),
        (failure: ProviderFailure) => [failure.kind, failure.code],
      )
    expect(await code(open('env', 'A=1\n-----BEGIN\n').provider)).toEqual(['unavailable', 'Line2'])
    expect(await code(open('json', '{"A":1}').provider)).toEqual(['unavailable', 'Format'])
    expect(await code(open('env', 'A="1\n2"\r\nB=\'x\n').provider)).toEqual(['unavailable', 'Line3'])
    expect(await code(open('env', 'A=1\rB 2\r').provider)).toEqual(['unavailable', 'Line2'])
    const ofBytes = (...bytes: number[]) =>
      new FileProvider({ format: 'env', read: async () => Uint8Array.from(bytes) })
    expect(await code(ofBytes(65, 61, 49, 10, 66, 61, 0xe9, 10))).toEqual(['unavailable', 'EncodingLine2'])
    expect(await code(ofBytes(65, 61, 49, 10, 66, 61, 0))).toEqual(['unavailable', 'EncodingLine2'])
    expect(await code(ofBytes(0xff, 0xfe, 65, 0, 61, 0))).toEqual(['unavailable', 'Utf16'])
    expect(await code(open('env', `A=${'x'.repeat(1024 * 1024)}`).provider)).toEqual(['unavailable', 'Size'])
  })

  it('reads and writes a .env file with the grammar of dotenv, and keeps its line ends, comments and order', async () => {
    const text = '\ufeff# note\r\nPEM="-----BEGIN\r\nabc\r\n-----END" # key\r\nexport URL=https://x/#f\r\nmy.key: b\r\n'
    const { file, provider } = open('env', text)
    const names = (await provider.list({ prefix: '', cursor: null, limit: 10, signal: signal() })).items
    expect(names.map(({ name }) => name)).toEqual(['PEM', 'URL', 'my.key'])
    expect(await textOf(provider, 'PEM')).toBe('-----BEGIN\nabc\n-----END')
    expect(await textOf(provider, 'URL')).toBe('https://x/')
    await put(provider, 'my.key', "it's\nb")
    expect(file.text).toBe(text.replace('my.key: b', `my.key: "it's\nb"`))
    expect(await textOf(provider, 'my.key')).toBe("it's\nb")
    await provider.remove('my.key', { signal: signal() })
    expect(file.text).toBe(text.replace('my.key: b\r\n', ''))
  })

  it('row 66: refuses a value that no quoting keeps, and leaves the file as it is', async () => {
    for (const value of ["it's $(touch PWNED)", 'a\0b', `it's "quoted"`]) {
      const { file, provider } = open('env', 'A=1\n')
      const failure: ProviderFailure = await put(provider, 'A', value).then(
        () => expect.unreachable(),
        (error) => error,
      )
      expect([failure.kind, failure.code, file.text, file.writes]).toEqual(['invalid', 'Quoting', 'A=1\n', 0])
    }
  })

  const OTHERS =
    '{ "a" : "1",\r\n\t"__proto__":"\\u0070", "b": {"value":"2", "note":1.10}, "c":{"contentType":"text/css","value":"3"}}'

  it('row 66: changes one entry of a JSON file in place, and keeps every other character', async () => {
    const { file, provider } = open('json', OTHERS)
    await put(provider, 'a', 'x')
    expect(file.text).toBe(OTHERS.replace('"1"', '"x"'))
    await put(provider, 'new', 'y')
    expect(file.text).toBe(OTHERS.replace('"1"', '"x"').replace(/}$/, ', "new": "y"}'))
    await provider.remove('a', { signal: signal() })
    await provider.remove('new', { signal: signal() })
    expect(file.text).toBe(OTHERS.replace('"a" : "1",\r\n\t', ''))
    await provider.remove('b', { signal: signal() })
    await provider.remove('c', { signal: signal() })
    expect(file.text).toBe('{ "__proto__":"\\u0070"}')
  })

  it('row 66: replaces a structured entry by text only when the request says so', async () => {
    const { file, provider } = open('json', OTHERS)
    expect(await textOf(provider, 'b')).toBe('2')
    expect(await kindOf(put(provider, 'b', 'x'))).toBe('foreign_shape')
    expect([file.text, file.writes]).toEqual([OTHERS, 0])
    const options = { signal: signal(), idempotencyKey: 'k'.repeat(32), replace: 'shape' } as const
    await provider.put('b', new Redacted(bytesOf('x')), options)
    expect(file.text).toBe(OTHERS.replace('{"value":"2", "note":1.10}', '"x"'))
  })

  it('row 66: keeps text as text, and a stored content type', async () => {
    const { file, provider } = open('json', '{"a":"1","c":{"value":"3","contentType":"text/css"}}')
    const options = { signal: signal(), idempotencyKey: 'k'.repeat(32), contentType: 'text/plain; charset=utf-8' }
    await provider.put('a', new Redacted(bytesOf('x')), options)
    await provider.put('c', new Redacted(bytesOf('y')), { ...options, contentType: 'text/html' })
    expect(file.text).toBe('{"a":"x","c":{"value":"y","contentType":"text/html"}}')
  })

  it('row 67: refuses a file with a repeated name, and a value that is not Unicode text', async () => {
    expect(await kindOf(open('json', '{"a":"1","a":"2"}').provider.get('a', { signal: signal() }))).toBe('unavailable')
    const { provider } = open('json', '{"a":"\\ud800","b":"2"}')
    expect(await kindOf(provider.get('a', { signal: signal() }))).toBe('invalid')
    expect(await textOf(provider, 'b')).toBe('2')
  })

  it('loses none of several simultaneous writes', async () => {
    for (const format of ['env', 'json'] as const) {
      const { provider } = open(format, null)
      const names = Array.from({ length: 20 }, (_, at) => `N${at}`)
      await Promise.all(names.map((name) => put(provider, name, `of ${name}`)))
      for (const name of names) expect(await textOf(provider, name)).toBe(`of ${name}`)
    }
  })

  it('continues after a failed write, and hides its cause', async () => {
    let fails = true
    const write = async () => {
      if (fails) throw new Error('EACCES: canary, open /home/canary/.env')
    }
    const provider = new FileProvider({ format: 'env', read: async () => null, write })
    const failure: ProviderFailure = await put(provider, 'A', 'x').then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect([failure.kind, `${failure.stack}`.includes('canary')]).toEqual(['unavailable', false])
    fails = false
    expect(await kindOf(put(provider, 'A', 'x'))).toBe('ok')
    const unreadable = new FileProvider({ format: 'env', read: () => Promise.reject(new Error('canary')) })
    expect(await kindOf(unreadable.get('A', { signal: signal() }))).toBe('unavailable')
  })

  it('is read-only without a write function', async () => {
    const provider = new FileProvider({ format: 'json', read: async () => bytesOf('{"a":"1"}') })
    expect(await kindOf(put(provider, 'a', 'x'))).toBe('denied')
    expect(await kindOf(provider.remove('a', { signal: signal() }))).toBe('denied')
    expect(await textOf(provider, 'a')).toBe('1')
  })
})
