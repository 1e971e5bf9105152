import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeniedTexts } from '../../../../core/values/denied_texts.ts'
import { type StrengthPolicy, weaknessOf } from '../../../../core/values/strength.ts'
import { growth } from '../../../support/growth.ts'

describe('DeniedTexts', () => {
  it.each([
    [['she', 'he', 'hers'], 'ushers', true],
    [['abcd', 'bc'], 'xabce', true],
    [['aab'], 'aaaab', true],
    [['abab', 'babc'], 'ababc', true],
    [['cd'], 'abcxd', false],
    [['😀'], 'a😀', true],
    [[], 'anything', false],
    [[''], '', true],
  ])('%j are in %s: %s', (texts, value, expected) => {
    expect(new DeniedTexts(texts).areIn(value)).toBe(expected)
  })

  it('finds the texts that separate searches find', () => {
    const letters = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength, minLength: 1 })
    fc.assert(
      fc.property(fc.array(letters(6), { maxLength: 8 }), letters(40), (texts, value) => {
        expect(new DeniedTexts(texts).areIn(value)).toBe(texts.some((text) => value.includes(text)))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a policy with many denied texts', () => {
  const policy = (denied: string[]): StrengthPolicy => ({
    ...{ resources: ['**'], minLength: 1, requireUpper: false, requireLower: false, requireDigit: false },
    ...{ requireSpecial: false, minEntropyBits: 1, denied },
  })
  const near = (count: number) =>
    Array.from({ length: count }, (_, i) => `${'a'.repeat(60)}${String(i).padStart(4, '0')}`)

  it.each(['Pass-', 'x'.repeat(65_530)])('denies them in any case, in values of any length', (start) => {
    expect(weaknessOf(`${start}SwordFish1`, policy([...near(980), 'swordfish']))).toBe('denied')
    expect(weaknessOf(`${start}Sw0rdFish1`, policy([...near(980), 'swordfish']))).not.toBe('denied')
  })

  it('costs about as much for a large value as a policy with few texts', () => {
    const value = 'a'.repeat(65_536)
    const [few, many] = [policy(near(20)), policy(near(980))]
    const ratio = growth(
      () => weaknessOf(value, few),
      () => weaknessOf(value, many),
      5,
    )
    expect(ratio).toBeLessThan(5)
  })
})
