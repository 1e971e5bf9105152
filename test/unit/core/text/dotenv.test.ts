import { describe, expect, it } from 'vitest'
import { isEnvFileName, lineOf, MAX_ENV_CHARS, parseEnv } from '../../../../core/text/dotenv.ts'
import { growth } from '../../../support/growth.ts'

const values = (text: string) => Object.fromEntries(parseEnv(text).entries.map(({ key, value }) => [key, value]))
const errors = (text: string) => parseEnv(text).errors.map(({ kind }) => kind)
const warnings = (text: string) => parseEnv(text).warnings.map(({ kind, key }) => [kind, key])

describe('parseEnv', () => {
  it('reads plain, quoted, exported, commented and empty values', () => {
    const text = `# note\nA=1\nexport B = two words # why\nC="x\\n y" # z\nD='raw \\n'\nE=\`a "b" 'c'\`\nF=\nG=a#b\n\nH=#none\r\nI=5\r\nJ: six\n`
    const plain = { A: '1', B: 'two words', C: 'x\n y', D: 'raw \\n', E: `a "b" 'c'` }
    expect(values(text)).toEqual({ ...plain, F: '', G: 'a', H: '', I: '5', J: 'six' })
    expect(errors(text)).toEqual([])
  })

  it.each([
    ['A=postern://v/db#/password', 'postern://v/db#/password'],
    ['A=postern://v/db#/password # main', 'postern://v/db#/password'],
    ['A: \tpostern://v/db?version=3#/a~1b/0\t', 'postern://v/db?version=3#/a~1b/0'],
    ['A=postern://v/${POSTERN_ENV:-dev}/db#/password\r', 'postern://v/${POSTERN_ENV:-dev}/db#/password'],
    ['A="postern://v/db#/password"', 'postern://v/db#/password'],
    ['A=POSTERN://v/db#/password', 'POSTERN://v/db'],
    ['A=x postern://v/db#/password', 'x postern://v/db'],
  ])('reads an unquoted reference with its pointer: %j', (text, value) => {
    expect(values(`${text}\nB=1`)).toEqual({ A: value, B: '1' })
    const { valueStart, valueEnd } = parseEnv(text).entries[0]!
    expect(text.slice(valueStart, valueEnd)).toContain(value)
    expect(errors(text)).toEqual([])
  })

  it('reads multi-line values and the lines after them', () => {
    expect(values('A="one\ntwo"\nB=3')).toEqual({ A: 'one\ntwo', B: '3' })
    expect(values('K="-----BEGIN\r\nabc\r\n-----END"\r\nB=3')).toEqual({ K: '-----BEGIN\nabc\n-----END', B: '3' })
  })

  it.each(['\n', '\r\n', '\r'])('returns the positions of a key and its raw value in a file with %j', (end) => {
    const text = ['X="a', 'b"', '# c', '  export KEY = "v" # c', ''].join(end)
    const entry = parseEnv(text).entries[1]!
    expect(text.slice(entry.start, entry.keyStart)).toBe('export ')
    expect(text.slice(entry.keyStart, entry.keyStart + 3)).toBe('KEY')
    expect(text.slice(entry.valueStart, entry.valueEnd)).toBe('"v"')
    expect(lineOf(text, entry.start)).toBe(4)
  })

  it.each([
    ['no_assignment', 'JUST_A_WORD', 2],
    ['no_assignment', 'A:b', 2],
    ['no_assignment', 'export A', 2],
    ['no_assignment', '=x', 2],
    ['no_assignment', 'MY KEY=x', 2],
    ['no_assignment', '\u200bA=x', 2],
    ['no_assignment', "A='x' \n'y'", 3],
    ['unclosed_quote', 'A="open', 2],
    ['unclosed_quote', "A='abc\nB=postern://default/dev/ok", 2],
    ['unclosed_quote', "A='abc\nB='x'", 2],
    ['unclosed_quote', "A='a # b'c", 2],
    ['unclosed_quote', 'A=`', 2],
    ['text_after_reference', 'A=postern://v/db password', 2],
    ['nul', 'A=1\nB=\0', 3],
  ])('refuses %s by its line, and reads the others: %j', (kind, text, line) => {
    const file = `FIRST=1\n${text}\nLAST=1`
    expect(parseEnv(file).errors.map(({ kind, start }) => [kind, lineOf(file, start)])).toEqual([[kind, line]])
    expect(values(file)).toMatchObject({ FIRST: '1', LAST: '1' })
  })

  it('names every unreadable line at once', () => {
    expect(errors("A\nB='\n\nC D\nE=1")).toEqual(['no_assignment', 'unclosed_quote', 'no_assignment'])
    expect(errors(`A=${'x'.repeat(MAX_ENV_CHARS)}`)).toEqual(['too_large'])
  })

  it.each([
    ['A=1\nA=2', ['repeated_key', 'A']],
    ['A=b#c', ['cut_at_hash', 'A']],
    ['A=#c', ['cut_at_hash', 'A']],
    ['A="a"b#c', ['cut_at_hash', 'A']],
    ["A='b'#c", ['cut_at_hash', 'A']],
    ["A:\nB='x'", ['value_on_next_line', 'A']],
    ["A=\n\n'x'", ['value_on_next_line', 'A']],
    ['A\n=x', ['value_on_next_line', 'A']],
  ])('warns of a value that may not be the intended one: %j', (text, warning) => {
    expect(errors(text)).toEqual([])
    expect(warnings(text)).toEqual([warning])
  })

  it.each(['A=b # c', 'A= # c', "A='b#c'", 'A=postern://v/db#/p', 'A=\n\nB=1', 'A=\t#'])(
    'warns of nothing in %j',
    (text) => {
      expect([errors(text), warnings(text)]).toEqual([[], []])
    },
  )

  it('has __proto__ as a key like any other', () => {
    expect(parseEnv('__proto__=x').entries.map(({ key, value }) => [key, value])).toEqual([['__proto__', 'x']])
  })

  it.each([
    ["A='x\\'", '\n'],
    ['A=\u2028"x', '\u2028"'],
    ['export', '\n'],
    ['A:', ' '],
    ["A='", '\n'],
    ["A='\\'", ' x\n'],
    ['A', '\n\n'],
    ['', '"x\u2028'],
    ['A=', '"\u2028'],
    ['', ' '],
  ])('takes linear time for a text of %j and many %j', (start, unit) => {
    for (const text of [(n: number) => start + unit.repeat(n), (n: number) => (start + unit).repeat(n)]) {
      const [small, large] = [text(1000), text(32_000)]
      // Quadratic work takes 1,024 times as long.
      const ratio = growth(
        () => parseEnv(small),
        () => parseEnv(large),
        512,
      )
      expect(ratio).toBeLessThan(512)
    }
  })
})

it('recognises the names of .env files', () => {
  expect(['.env', '.env.local', '.env.prod.postern', 'prod.env', 'my app.env'].every(isEnvFileName)).toBe(true)
  expect(['env', 'environment.ts', '.envrc', 'x.env.ts'].some(isEnvFileName)).toBe(false)
})
