/** What we write into `.env` files, as `dotenv`, Node, a shell and our own parser read it. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv as parseByNode } from 'node:util'
import { parse } from 'dotenv'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { envValues, parseEnv } from '../../../../core/text/dotenv.ts'
import { editEnv, quoteEnvValue } from '../../../../core/text/dotenv_edit.ts'

const folder = mkdtempSync(join(tmpdir(), 'env-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Sources a file in a shell, and returns the value of a key. */
function readByShell(shell: string, text: string, key: string): string {
  writeFileSync(join(folder, 'dev.env'), text)
  const script = `. ./dev.env; printf %s "$${key}"`
  return String(execFileSync(shell, ['-c', script], { cwd: folder, env: { PATH: process.env.PATH } }))
}

const ours = (text: string) => Object.fromEntries(envValues(parseEnv(text)))

describe('quoteEnvValue', () => {
  it.each([
    '',
    'plain',
    'a b',
    'a#b',
    'postern://default/db#/password',
    'postern://default/${POSTERN_ENV:-dev}/db',
    'abc$defg ${HOME} `id`',
    '"quoted"',
    '{"a":"b#c"}',
    'C:\\new\\table',
    "it's",
    "it's\non two lines",
    '-----BEGIN KEY-----\nabc=\n-----END KEY-----\n',
    ' surrounded ',
    '\ttab',
    '=',
    'päßwörd-日本 🔑',
    'a\u2028b',
    '\ufeffx',
    'x'.repeat(65_000),
  ])('writes %j so that all readers agree', (value) => {
    const text = `K=${quoteEnvValue(value)}\nL=1\n`
    const expected = { K: value, L: '1' }
    expect(ours(text)).toEqual(expected)
    expect(parse(text)).toEqual(expected)
    expect(parseByNode(text)).toEqual(expected)
    expect(readByShell('sh', text, 'K')).toBe(value)
  })

  it.each(['a\0b', '\0', 'l1\r\nl2', '\r', "it's $(touch PWNED)", 'it\'s "x"', "it's \\", "it's `id`"])(
    'has no form for %j',
    (value) => {
      expect(quoteEnvValue(value)).toBeNull()
    },
  )

  it('writes every value so that it reads back, or refuses it', () => {
    const value = fc.string({ unit: fc.constantFrom(...`aZ0 '"\`\\$#=\n\r_/`) })
    fc.assert(
      fc.property(value, (value) => {
        const quoted = quoteEnvValue(value)
        if (quoted === null) expect(value).toMatch(/['\r]/)
        else for (const read of [ours, parse]) expect(read(`K=${quoted}\nL=1`)).toEqual({ K: value, L: '1' })
      }),
    )
  })
})

describe('editEnv', { timeout: 60_000 }, () => {
  it('changes one value and leaves every other character as it is', () => {
    const text = '# database\nexport DB_URL=old # here\n\nOTHER="x" \nA=\nDB_URL=older'
    expect(editEnv(text, 'DB_URL', 'n w')).toBe(text.replace('older', "'n w'"))
    expect(editEnv(text, 'OTHER', 'new')).toBe(text.replace('"x"', 'new'))
    expect(editEnv(text, 'A', 'new')).toBe(text.replace('A=', 'A=new'))
    expect(editEnv(text, 'DB_URL', null)).toBe('# database\n\nOTHER="x" \nA=\n')
    expect(editEnv(text, 'MISSING', null)).toBe(text)
    expect(editEnv(text, 'NEW', 'v')).toBe(`${text}\nNEW=v\n`)
    expect(editEnv('', 'NEW', 'v')).toBe('NEW=v\n')
    expect(editEnv('A: x # c\n', 'A', 'a b')).toBe("A: 'a b' # c\n")
  })

  it('keeps a comment apart from a value that ended at it', () => {
    expect(editEnv('A=b#c\n', 'A', 'x')).toBe('A=x #c\n')
    expect(editEnv('A=#c\n', 'A', 'x')).toBe('A=x #c\n')
  })

  it('replaces and removes a value over several lines', () => {
    const text = '\ufeffA="1\n2" # c\n  export B=3\n'
    expect(editEnv(text, 'A', 'x')).toBe('\ufeffA=x # c\n  export B=3\n')
    expect(editEnv(text, 'A', null)).toBe('\ufeff  export B=3\n')
    expect(editEnv(text, 'B', null)).toBe('\ufeffA="1\n2" # c\n')
  })

  it('keeps the line ends of a file', () => {
    const text = '# a\r\nA=1\r\n\r\nB=2\r\n'
    expect(editEnv(text, 'A', 'x')).toBe('# a\r\nA=x\r\n\r\nB=2\r\n')
    expect(editEnv(text, 'C', 'x')).toBe(`${text}C=x\r\n`)
    expect(editEnv(text, 'A', null)).toBe('# a\r\n\r\nB=2\r\n')
    expect(editEnv('A=1\r\nB=2', 'C', 'x')).toBe('A=1\r\nB=2\r\nC=x\r\n')
    expect(editEnv('A=1\rB=2\r', 'C', 'x')).toBe('A=1\rB=2\rC=x\r')
    expect(editEnv('A=1\rB=2\r', 'A', null)).toBe('B=2\r')
    expect(editEnv('A=1\nB=2\r\nC=3\n', 'A', 'x')).toBe('A=x\nB=2\r\nC=3\n')
  })

  it('escapes a carriage return, which no quoting keeps, where no shell would run a part of the value', () => {
    expect(editEnv('', 'A', "it's\r\nl2")).toBe('A="it\'s\\r\\nl2"\n')
    expect(editEnv('', 'A', 'l1\r\nl2 $(touch PWNED)')).toBeNull()
    expect(editEnv('', 'A', 'a\0b')).toBeNull()
  })

  it('refuses a value that would move the end of another', () => {
    expect(editEnv("B='\nx'\n", 'A', 'b\\')).toBe("B='\nx'\nA='b\\'\n")
    expect(editEnv("A=1\nB='\nx'\n", 'A', 'b\\')).toBeNull()
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
    "it's\r; touch PWNED; ",
  ])('row 66: writes nothing that a shell would run when it sources the file: %j', (value) => {
    const text = editEnv('A=1\n', 'K', value)
    if (text === null) return expect(quoteEnvValue(value)).toBeNull()
    expect(ours(text)).toEqual({ A: '1', K: value })
    expect(['sh', 'bash'].map((shell) => readByShell(shell, text, 'A'))).toEqual(['1', '1'])
    expect(readdirSync(folder)).toEqual(['dev.env'])
  })

  it('writes values that dotenv reads back unchanged, or changes nothing', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => text.isWellFormed()),
      fc.string({ unit: fc.constantFrom(...`a'"\\\`$#= \n\r\u2028`), maxLength: 8 }),
    )
    const key = fc.constantFrom('A', 'B', 'C_1')
    const start = fc.constantFrom('# first\n', "A=x\r\nB: '\ny' # z\r\n", 'export A=1\rB="2"', '\ufeffA=#c\nA=2')
    fc.assert(
      fc.property(start, fc.array(fc.tuple(key, fc.option(value)), { maxLength: 8 }), (first, edits) => {
        const model = new Map(Object.entries(parse(first)))
        let text: string = first
        for (const [name, next] of edits) {
          const edited = editEnv(text, name, next)
          if (edited === null) continue
          text = edited
          if (next === null) model.delete(name)
          else model.set(name, next)
        }
        expect(parse(text)).toEqual(Object.fromEntries(model))
        expect(ours(text)).toEqual(Object.fromEntries(model))
      }),
      { numRuns: 1000 },
    )
  })
})
