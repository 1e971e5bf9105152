import { describe, expect, it } from 'vitest'
import { expand } from '../../../../core/text/variables.ts'

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
