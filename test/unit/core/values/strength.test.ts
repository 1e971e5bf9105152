import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_RECIPE, generate, recipeBits } from '../../../../core/values/generate.ts'
import { concerns, entropyBits, type StrengthPolicy, weaknessOf, weakValue } from '../../../../core/values/strength.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { shownBy } from '../../../support/core.ts'

/** The default policy, with some entropy. */
const policy: StrengthPolicy = {
  resources: ['prod/**', 'shared'],
  minLength: 8,
  requireUpper: true,
  requireLower: true,
  requireDigit: true,
  requireSpecial: true,
  minEntropyBits: 40,
  denied: ['acme', 'Postern'],
}

describe('weaknessOf', () => {
  it.each([
    ['Xk7#qR9!', null],
    ['Xk7#qR9', 'too_short'],
    ['xk7#qr9!', 'no_upper'],
    ['XK7#QR9!', 'no_lower'],
    ['Xkz#qRv!', 'no_digit'],
    ['Xk7zqR9v', 'no_special'],
    ['Xk7#ACME!q', 'denied'],
    ['7#posternQ', 'denied'],
    ['Password1!', 'too_guessable'],
    ['P4$$w0rd!1', 'too_guessable'],
    ['Aa1!Aa1!Aa1!', 'too_guessable'],
    ['Abcdefgh1!', 'too_guessable'],
    ['Qwertzuiop1!', 'too_guessable'],
    ['A1!aaaaaaaaaaaaaaaaaaaa', 'too_guessable'],
  ])('finds in %s: %s', (value, weakness) => {
    expect(weaknessOf(value, policy)).toBe(weakness)
  })

  it.each([
    ['Ärger7ключ!', null],
    ['Ключ7ключ!', null],
    ['ärger7ключ!', 'no_upper'],
    ['ÄRGER7КЛЮЧ!', 'no_lower'],
    ['Ärgerключ!', 'no_digit'],
    ['Ärger٧ключ!', null],
    // Neither a letter beyond ASCII, nor one without case, nor a mark on a letter is a special character.
    ['Naïvete77', 'no_special'],
    ['Schlüssel77鍵', 'no_special'],
    ['Nai\u0308vete77', 'no_special'],
    ['Naïvete77€', null],
    ['Naïvete77💧', null],
  ])('knows the letters and digits of all alphabets: %s: %s', (value, weakness) => {
    expect(weaknessOf(value, { ...policy, minEntropyBits: 0 })).toBe(weakness)
  })

  it('counts characters, not bytes', () => {
    const lenient = { ...policy, minLength: 4, minEntropyBits: 0, requireUpper: false, requireDigit: false }
    expect(weaknessOf('a!é💧', lenient)).toBeNull()
    expect(weaknessOf('a!💧', lenient)).toBe('too_short')
  })
})

describe('entropyBits', () => {
  it('credits generated values: on average it deducts less than a twentieth for patterns', async () => {
    // The mean of one is 0.975 of its bits, its deviation 0.03: of 200 together, the limit is eleven deviations away.
    const values = await Promise.all(Array.from({ length: 200 }, () => generate(DEFAULT_RECIPE)))
    const bits = values.map((value) => entropyBits(Buffer.from(value.reveal()).toString()))
    const mean = bits.reduce((sum, one) => sum + one) / bits.length
    expect(mean).toBeGreaterThan(recipeBits(DEFAULT_RECIPE) * 0.95)
    expect(mean).toBeLessThanOrEqual(recipeBits(DEFAULT_RECIPE) * 1.001)
  })

  it('grows only a little when a value is doubled', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3, maxLength: 60 }), (text) => {
        expect(entropyBits(text + text)).toBeLessThan(entropyBits(text) + 30)
      }),
    )
  })

  it('is zero for an empty value, and fast for 64 KiB', () => {
    expect(entropyBits('')).toBe(0)
    expect(entropyBits('ab'.repeat(32_768))).toBeLessThan(30)
    expect(entropyBits('x'.repeat(65_536))).toBeLessThan(30)
  })
})

describe('weakValue', () => {
  it('names the weakness and quotes nothing', () => {
    const value = canary().toLowerCase()
    const error = weakValue(weaknessOf(value, policy)!, { auditIndex: 7 })
    expect(error).toMatchObject({ code: 'bad_request', detail: { field: 'value', reason: 'weak', auditIndex: 7 } })
    expect(leaks(shownBy(error), [value])).toEqual([])
    expect(weaknessOf('Xk7#qR9!', policy)).toBeNull()
  })
})

describe('concerns', () => {
  it('applies to the names of its patterns only', () => {
    expect(['prod/db', 'prod/a/b', 'shared'].map((name) => concerns(policy, name))).toEqual([true, true, true])
    expect(['prod', 'production/db', 'shared/a'].map((name) => concerns(policy, name))).toEqual([false, false, false])
  })

  it('applies in any case, so that no slip of case escapes it', () => {
    expect(['Prod/db', 'PROD/a', 'Shared'].map((name) => concerns(policy, name))).toEqual([true, true, true])
  })
})
