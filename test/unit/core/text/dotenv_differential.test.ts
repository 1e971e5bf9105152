/** Our parser of `.env` files against the `dotenv` package, as locked. */
import { readFileSync } from 'node:fs'
import { parse } from 'dotenv'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { envValues, parseEnv } from '../../../../core/text/dotenv.ts'

const LINE_ENDS = ['\n', '\n', '\n', '\r\n', '\r', '\n\n']

/**
 * What `dotenv` reads, except the entries whose quote is not closed, which we refuse. `null` where another of our exceptions
 * or a key that `dotenv` cannot hold makes a comparison pointless.
 */
function expected(text: string): Record<string, string> | null {
  const { errors } = parseEnv(text)
  if (/postern:\/\/|__proto__/.test(text) || errors.some(({ kind }) => kind === 'nul')) return null
  const unclosed = errors.filter(({ kind }) => kind === 'unclosed_quote').map(({ key }) => key)
  const values = parse(text)
  // With one key in both lists, either assignment could be the last.
  if (parseEnv(text).entries.some(({ key }) => unclosed.includes(key))) return null
  return Object.fromEntries(Object.entries(values).filter(([key]) => !unclosed.includes(key)))
}

const ours = (text: string) => Object.fromEntries(envValues(parseEnv(text)))

/** Compares the two, and checks that each position is that of the text. */
function compare(text: string): void {
  const values = expected(text)
  if (values !== null) expect(ours(text)).toEqual(values)
  let at = 0
  for (const { key, start, keyStart, valueStart, valueEnd, value, quote } of parseEnv(text).entries) {
    expect(start).toBeGreaterThanOrEqual(at)
    expect(text.slice(start, keyStart)).toMatch(/^(?:export\s+)?$/)
    expect(text.startsWith(key, keyStart)).toBe(true)
    expect(text.slice(keyStart + key.length, valueStart)).toMatch(/^(?:\s*=|:\s)\s*$/)
    const raw = text.slice(valueStart, valueEnd)
    if (quote !== '') expect([raw[0], raw.at(-1)]).toEqual([quote, quote])
    if (quote === "'" || quote === '`') expect(value).toBe(raw.slice(1, -1).replaceAll(/\r\n?/g, '\n'))
    at = valueEnd
  }
}

const noise = fc.string({
  unit: fc.constantFrom(
    ...'ab=:#\'"`\\ \t$-._nr',
    '\n',
    '\n',
    '\r',
    '\r\n',
    '\u00a0',
    '\u2028',
    '\ufeff',
    'export ',
    'A=',
    '\nB=',
  ),
  maxLength: 40,
})
const key = fc.constantFrom('A', 'B', 'C_1', 'my.key', 'MY-KEY', '1A', 'export', '-', 'aé')
const blank = fc.constantFrom('', '', '', ' ', '\t', '  ', '\u00a0')
const text = fc.string({
  unit: fc.constantFrom(...'ab #=:\\$"\'`nr', '\\n', '\\"', "\\'", '\n', '\r\n', '\u2029'),
  maxLength: 12,
})
const value = fc.oneof(
  text,
  fc.tuple(fc.constantFrom('"', "'", '`'), text).map(([quote, inner]) => quote + inner + quote),
  fc.tuple(fc.constantFrom('"', "'", '`'), text).map(([quote, inner]) => quote + inner),
)
const assignment = fc
  .tuple(
    blank,
    fc.constantFrom('', '', 'export ', 'export\t', 'export\n'),
    key,
    fc.constantFrom('=', '=', '=', ' = ', ': ', ':', ':\n', '\n='),
    blank,
    value,
    fc.constantFrom('', '', ' # note', '#note', 'x'),
  )
  .map((parts) => parts.join(''))
const line = fc.oneof(
  { weight: 6, arbitrary: assignment },
  { weight: 1, arbitrary: fc.constantFrom('', '# note', '  # A=1', "# it's", 'export A', 'word', '\ufeff', "'x'") },
)
const file = fc
  .array(fc.tuple(line, fc.constantFrom(...LINE_ENDS)), { maxLength: 6 })
  .map((lines) => lines.flat().join(''))

describe('parseEnv and dotenv', () => {
  it.each<[string, fc.Arbitrary<string>]>([
    ['files', file],
    ['noise', noise],
  ])(
    'agree on random %s',
    (_, arbitrary) => {
      fc.assert(fc.property(arbitrary, compare), { numRuns: 4000 })
    },
    120_000,
  )

  it.each([
    'A:\nB=1',
    'A:\r\nB=1',
    "A=\n'x'",
    "A=\n\n 'x\ny' # c\nB=2",
    'export\nA=1',
    'A\n=1',
    'export = 5',
    'export A',
    "A='x\\'\nB=2",
    'A=a\u2028B=2',
    '# c\u2028B=2',
    "A='a'\u2028'b'",
    'A=x\u2028\'b\'\u2028"c"',
    'A="a" #"b"',
    'A:b',
    'A : b',
    'A=:\n',
    "A=''b",
    "A= 'a' 'b'",
    'A="a\\"',
    "A='it\\'s'",
    "A=\r\n'x\r\ny'\r\n",
    'A="\\\\n"',
    'A="a\\nb"c',
    '\ufeff\ufeffA=1',
    'A=b#c',
    'A=https://x/#f',
    'A={"a":"b#c"}',
    "A='a\\'b'",
    'A="b"c',
    "A='b' c",
    'A="a";B=1',
    'A="C:\\temp"',
    'A="a\\"b"',
    'A="foo\\$BAR"',
    'K="a\r\nb"',
    'A=1\rB=2',
    'A: b',
    '1A=b',
    'A=\u00a0b',
  ])('agree on %j', compare)

  it('agree on each line of the dialects that readers differ in', () => {
    const dialects = JSON.parse(readFileSync(new URL('./dotenv_dialects.json', import.meta.url), 'utf8'))
    expect(Object.keys(dialects)).toHaveLength(37)
    for (const text of Object.values<string>(dialects)) compare(text)
  })
})
