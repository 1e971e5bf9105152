import { describe, expect, it } from 'vitest'
import { envValues, parseEnv } from '../../../../core/text/dotenv.ts'
import { type EntryValue, expandEntries, neededEntries, variablesIn } from '../../../../core/text/expand_entries.ts'
import { growth } from '../../../support/growth.ts'

const ENVIRONMENT: Record<string, string> = { HOME: '/home/u', EMPTY: '', DB: 'of-environment', PATH: '/bin' }
const SECRET = 'se${HOME}cret${NONE}'

/** Expands a file, in which the entry `S` is a secret. */
function expanded(text: string) {
  const { entries } = parseEnv(text)
  const values = envValues({ entries })
  const of = (key: string): EntryValue => ({
    text: key === 'S' ? SECRET : values.get(key)!,
    isLiteral: key === 'S' || entries.findLast((entry) => entry.key === key)!.quote === "'",
  })
  const result = expandEntries(new Map([...values.keys()].map((key) => [key, of(key)])), (name) => ENVIRONMENT[name])
  return Array.isArray(result)
    ? result.map(({ kind, key, name }) => `${kind} ${key} ${name}`)
    : Object.fromEntries(result)
}

describe('expandEntries', () => {
  it.each([
    ['A=${HOME}/x', { A: '/home/u/x' }],
    ['A="${HOME}/x"', { A: '/home/u/x' }],
    ['A=`${HOME}/x`', { A: '/home/u/x' }],
    ["A='${HOME}/x'", { A: '${HOME}/x' }],
    ['A=$HOME $$ ${} ${1A} ${HOME', { A: '$HOME $$ ${} ${1A} ${HOME' }],
    ['A=${NONE:-dev}-${EMPTY:-dev}-${HOME:-dev}', { A: 'dev-dev-/home/u' }],
    ['A=x${EMPTY}y${NONE:-}', { A: 'xy' }],
    ['A=${B}\nB=${C}\nC=1', { A: '1', B: '1', C: '1' }],
    ["A=${B}\nB='${C}'", { A: '${C}', B: '${C}' }],
    ['DB=of-file\nA=${DB}', { DB: 'of-file', A: 'of-file' }],
    ['PATH=${PATH}:/x', { PATH: '/bin:/x' }],
    ['A=1\nA=2\nB=${A}', { A: '2', B: '2' }],
    ['S=postern://v/s\nA=db://u:${S}@h', { S: SECRET, A: `db://u:${SECRET}@h` }],
    ['A=${HOME:-a}b}', { A: '/home/ub}' }],
  ])('expands %j', (text, values) => {
    expect(expanded(text)).toEqual(values)
  })

  it.each([
    ['A=${NONE}\nB=${OTHER}', ['unset A NONE', 'unset B OTHER']],
    ['A=${A}', ['unset A A']],
    ['A=${B}\nB=${A}', ['cycle B A']],
    ['A=${B}\nB=${C}\nC=${B}', ['cycle C B']],
    ['A=${NONE:-${HOME}}', ['nested A NONE']],
  ])('refuses %j by name', (text, problems) => {
    expect(expanded(text)).toEqual(problems)
  })

  it('refuses values that grow exponentially, or contain each other too deeply', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `A${i}=\${A${i + 1}}\${A${i + 1}}`)
    expect(expanded([...doubling, 'A60=0123456789'].join('\n'))).toContainEqual(expect.stringMatching(/^too_large /))
    const chain = Array.from({ length: 20_000 }, (_, i) => `A${i}=\${A${i + 1}}`)
    expect(expanded([...chain, 'A20000=1'].join('\n'))).toContainEqual(expect.stringMatching(/^too_large /))
  })

  it.each(['${', '${A', '${A:-', '${A:-x}', '${ ', '}${'])('finds variables in linear time among many %j', (unit) => {
    const [small, large] = [`${unit.repeat(1000)}}`, `${unit.repeat(32_000)}}`]
    // Quadratic work takes 1,024 times as long.
    const ratio = growth(
      () => variablesIn(small),
      () => variablesIn(large),
      512,
    )
    expect(ratio).toBeLessThan(512)
  })
})

it('lists the entries that an entry needs, through others', () => {
  const entries = new Map<string, EntryValue>(
    Object.entries({ A: '${B} ${HOME}', B: '${C:-x}', C: '1', D: '${A}' }).map(([key, text]) => [
      key,
      { text, isLiteral: key === 'C' },
    ]),
  )
  expect([...neededEntries(entries, ['A'])].sort()).toEqual(['A', 'B', 'C'])
  expect([...neededEntries(entries, ['D', 'NONE'])].sort()).toEqual(['A', 'B', 'C', 'D'])
})
