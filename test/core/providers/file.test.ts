/** A file of secrets: what it reads, what it leaves alone, and what it refuses. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editEnv, parseEnv } from '../../../core/providers/env_file.ts'
import { fileProvider } from '../../../core/providers/file.ts'
import type { Provider, ProviderFailure } from '../../../core/providers/provider.ts'
import { Redacted } from '../../../core/redacted.ts'
import { bytesOf } from '../support.ts'

const signal = () => AbortSignal.timeout(5_000)
const kindOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: ProviderFailure) => error.kind,
  )
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
  return { file, provider: fileProvider({ format, read, write }) }
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
    expect(editEnv(text, 'DB_URL', 'new')).toBe('# database\nDB_URL=\'new\'\n\nOTHER="x" \n')
    expect(editEnv(text, 'DB_URL', null)).toBe('# database\n\nOTHER="x" \n')
    expect(editEnv(text, 'NEW', 'v')).toBe(`${text}\nNEW='v'\n`)
    expect(editEnv('', 'NEW', 'v')).toBe("NEW='v'\n")
  })

  it('writes what is read again as it was', () => {
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

describe('fileProvider', () => {
  it('row 10: reads names of prototypes as names', async () => {
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

  it('loses no write of several at once', async () => {
    for (const format of ['env', 'json'] as const) {
      const { provider } = open(format, null)
      const names = Array.from({ length: 20 }, (_, at) => `N${at}`)
      await Promise.all(names.map((name) => put(provider, name, `of ${name}`)))
      for (const name of names) expect(await textOf(provider, name)).toBe(`of ${name}`)
    }
  })

  it('goes on after a write that failed, and says nothing of why', async () => {
    let fails = true
    const write = async () => {
      if (fails) throw new Error('EACCES: canary, open /home/canary/.env')
    }
    const provider = fileProvider({ format: 'env', read: async () => null, write })
    const failure: ProviderFailure = await put(provider, 'A', 'x').then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect([failure.kind, `${failure.stack}`.includes('canary')]).toEqual(['unavailable', false])
    fails = false
    expect(await kindOf(put(provider, 'A', 'x'))).toBe('ok')
    const unreadable = fileProvider({ format: 'env', read: () => Promise.reject(new Error('canary')) })
    expect(await kindOf(unreadable.get('A', { signal: signal() }))).toBe('unavailable')
  })

  it('is for reading only without a way to write', async () => {
    const provider = fileProvider({ format: 'json', read: async () => bytesOf('{"a":"1"}') })
    expect(await kindOf(put(provider, 'a', 'x'))).toBe('denied')
    expect(await kindOf(provider.remove('a', { signal: signal() }))).toBe('denied')
    expect(await textOf(provider, 'a')).toBe('1')
  })
})
