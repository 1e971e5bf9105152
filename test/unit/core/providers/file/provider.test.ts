/** A file of secrets: what it reads, what it leaves alone, and what it refuses. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editEnv, parseEnv, wrongLine } from '../../../../../core/providers/file/env_file.ts'
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

describe('parseEnv', () => {
  it.each([
    ['KEY=value', 'value'],
    ['KEY = value ', 'value'],
    ['  export KEY=value', 'value'],
    ['KEY=a b # comment', 'a b'],
    ['KEY=a#b', 'a#b'],
    ['KEY=', ''],
    ['KEY=# comment', ''],
    ['KEY=\'a # "b" \\n\'', 'a # "b" \\n'],
    ["KEY='a' # comment", 'a'],
    ['KEY="a # \\"b\\" \\n"', 'a # "b" \n'],
    ['KEY="a" # comment', 'a'],
    ['KEY=a=b==', 'a=b=='],
    ['# KEY=other\r\nKEY=value\r\n\r\n', 'value'],
    ['KEY=first\nKEY=second', 'second'],
  ])('reads %j', (text, value) => {
    expect(parseEnv(text)?.get('KEY')).toBe(value)
  })

  it.each(['KEY', 'KEY: value', '1KEY=a', 'KEY="a', "KEY='a", 'KEY="a" b', "KEY='a'b", 'KEY="\\x"', '=a', 'K-EY=a'])(
    'refuses %j',
    (text) => {
      expect(parseEnv(`A=1\n${text}\n`)).toBeNull()
    },
  )
})

describe('editEnv', { timeout: 60_000 }, () => {
  it('changes one line and leaves the others as they are', () => {
    const text = '# database\nexport DB_URL=old # here\n\nOTHER="x" \nDB_URL=older'
    expect(editEnv(text, 'DB_URL', 'new')).toBe('# database\nexport DB_URL=\'new\'\n\nOTHER="x" \n')
    expect(editEnv(text, 'DB_URL', null)).toBe('# database\n\nOTHER="x" \n')
    expect(editEnv(text, 'NEW', 'v')).toBe(`${text}\nNEW='v'\n`)
    expect(editEnv('', 'NEW', 'v')).toBe("NEW='v'\n")
  })

  it('keeps the line endings of a file', () => {
    const text = '# a\r\nA=1\r\n\r\nB=2\r\n'
    expect(editEnv(text, 'A', 'x')).toBe("# a\r\nA='x'\r\n\r\nB=2\r\n")
    expect(editEnv(text, 'C', 'x')).toBe(`${text}C='x'\r\n`)
    expect(editEnv(text, 'A', null)).toBe('# a\r\n\r\nB=2\r\n')
    expect(editEnv('A=1\r\nB=2', 'C', 'x')).toBe("A=1\r\nB=2\r\nC='x'\r\n")
    // Each line has its own, where they differ.
    expect(editEnv('A=1\nB=2\r\nC=3\n', 'A', 'x')).toBe("A='x'\nB=2\r\nC=3\n")
  })

  it.each([
    "it's $(touch PWNED)",
    "it's `touch PWNED`",
    "it's ${IFS}$(touch PWNED)",
    "'; touch PWNED; '",
    "it's \\$(touch PWNED)",
    "it's \\\\`touch PWNED`",
    'l1\r\nl2 $(touch PWNED) \\',
    '\n$(touch PWNED)\n',
    '"; touch PWNED; \'"',
    "it's $'\\x24(touch PWNED)'",
    '$(touch PWNED)',
  ])('row 66: writes nothing that a shell would run when it sources the file: %j', (value) => {
    const folder = mkdtempSync(join(tmpdir(), 'env-'))
    try {
      const text = editEnv('A=1\n', 'K', value)
      expect(parseEnv(text)?.get('K')).toBe(value)
      writeFileSync(join(folder, 'dev.env'), text)
      const shells = ['sh', 'bash'].map((shell) =>
        execFileSync(shell, ['-c', '. ./dev.env; printf %s "$A"'], { cwd: folder, env: { PATH: process.env.PATH } }),
      )
      expect(shells.map(String)).toEqual(['1', '1'])
      expect(readdirSync(folder)).toEqual(['dev.env'])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('names the line that it cannot read', () => {
    expect(['A=1\nB', 'A=1\r\n\r\nK="a\nB=2', '# a\nA=1\n'].map(wrongLine)).toEqual([2, 3, 0])
  })

  it('writes values that read back unchanged', () => {
    const value = fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => text.isWellFormed())
    const key = fc.constantFrom('A', 'B', 'C_1')
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.option(value)), { maxLength: 8 }), (edits) => {
        const model = new Map<string, string>()
        let text = '# first\n'
        for (const [name, next] of edits) {
          text = editEnv(text, name, next)
          if (next === null) model.delete(name)
          else model.set(name, next)
        }
        expect(new Map([...parseEnv(text)!].sort())).toEqual(new Map([...model].sort()))
      }),
      { numRuns: 300 },
    )
  })
})

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
    const latin1 = new FileProvider({ format: 'env', read: async () => Uint8Array.of(65, 61, 0xe9) })
    expect(await code(latin1)).toEqual(['unavailable', 'Encoding'])
    expect(await code(open('env', `A=${'x'.repeat(1024 * 1024)}`).provider)).toEqual(['unavailable', 'Size'])
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
