import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expand, isEnvFileName, MAX_ENV_CHARS, parseEnv, quoteEnvValue } from '../../../../core/text/dotenv.ts'

const values = (text: string) => Object.fromEntries(parseEnv(text).entries.map(({ key, value }) => [key, value]))
const problems = (text: string) => parseEnv(text).problems.map(({ kind }) => kind)

describe('parseEnv', () => {
  it('reads plain, quoted, exported, commented and empty values', () => {
    const text = `# note\nA=1\nexport B = two words # why\nC="x\\n\\"y\\" # z"\nD='raw \\n'\nE=\`a "b" 'c'\`\nF=\nG=a#b\n\nH=#none\r\nI=5\r\n`
    expect(values(text)).toEqual({
      A: '1',
      B: 'two words',
      C: 'x\n"y" # z',
      D: 'raw \\n',
      E: `a "b" 'c'`,
      F: '',
      G: 'a#b',
      H: '',
      I: '5',
    })
    expect(problems(text)).toEqual([])
  })

  it('reads multi-line values and the lines after them', () => {
    expect(values('A="one\ntwo"\nB=3')).toEqual({ A: 'one\ntwo', B: '3' })
  })

  it('returns the positions of a key and its raw value', () => {
    const text = 'X=1\n  export KEY = "v" # c'
    const entry = parseEnv(text).entries[1]!
    expect(text.slice(entry.keyStart, entry.keyStart + 3)).toBe('KEY')
    expect(text.slice(entry.valueStart, entry.valueEnd)).toBe('"v"')
  })

  it.each([
    ['no_equals', 'JUST_A_WORD'],
    ['bad_key', '1A=x'],
    ['bad_key', '=x'],
    ['unclosed_quote', 'A="open'],
    ['repeated_key', 'A=1\nA=2'],
    ['too_large', `A=${'x'.repeat(MAX_ENV_CHARS)}`],
  ])('names %s, and reads the other lines', (kind, text) => {
    expect(problems(text)).toEqual([kind])
    if (kind !== 'too_large') expect(values(`${text}\nOK=1`)).toHaveProperty('OK', '1')
  })

  it('reads back every value that quoteEnvValue writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...`aZ0 '"\`\\$#=\n_/`) }), (value) => {
        const quoted = quoteEnvValue(value)
        if (quoted !== null) expect(values(`K=${quoted}\nL=1`)).toEqual({ K: value, L: '1' })
        else expect(value).toMatch(/'/)
      }),
    )
  })

  it('refuses to quote a NUL, at which a shell would cut the value', () => {
    for (const value of ['a\0b', '\0', "a'\0"]) expect(quoteEnvValue(value)).toBeNull()
  })

  it('returns the exact position of every raw value', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=\n"\'`# \\\r') }), (text) => {
        for (const { key, keyStart, valueStart, valueEnd } of parseEnv(text).entries) {
          expect(text.startsWith(key, keyStart)).toBe(true)
          expect(valueStart).toBeLessThanOrEqual(valueEnd)
          expect(valueEnd).toBeLessThanOrEqual(text.length)
        }
      }),
    )
  })
})

describe('expand', () => {
  const variables = new Map([['ENV', 'prod']])
  it.each([
    ['${ENV}/db', { text: 'prod/db' }],
    ['${NONE:-dev}/db', { text: 'dev/db' }],
    ['${ENV:-dev}', { text: 'prod' }],
    ['${NONE}/db', { missing: 'NONE' }],
    ['$ENV', { text: '$ENV' }],
  ])('turns %s into %o', (text, expected) => {
    expect(expand(text, variables)).toEqual(expected)
  })

  it('does not expand the value of a variable again', () => {
    expect(expand('${A}', new Map([['A', '${B}']]))).toEqual({ text: '${B}' })
  })
})

it('recognises the names of .env files', () => {
  expect(['.env', '.env.local', '.env.prod.postern', 'prod.env'].every(isEnvFileName)).toBe(true)
  expect(['env', 'environment.ts', '.envrc', 'x.env.ts'].some(isEnvFileName)).toBe(false)
})
