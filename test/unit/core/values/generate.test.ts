import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contentTypeOf,
  DEFAULT_RECIPE,
  generate,
  MIN_BITS,
  type Recipe,
  recipeBits,
  underPolicy,
  uniform,
} from '../../../../core/values/generate.ts'
import {
  type CharacterClass,
  CLASSES,
  classOf,
  type StrengthPolicy,
  weaknessOf,
} from '../../../../core/values/strength.ts'
import { refusalFrom } from '../../../support/core.ts'

const textOf = async (recipe: Recipe) => Buffer.from((await generate(recipe)).reveal()).toString()
const classesOf = (text: string) => new Set([...text].map(classOf))

const policy: StrengthPolicy = {
  resources: ['**'],
  minLength: 40,
  requireUpper: true,
  requireLower: true,
  requireDigit: true,
  requireSpecial: true,
  minEntropyBits: 128,
  denied: [],
}

describe('uniform', () => {
  it('favours no number: a chi-squared test over 200 values, which do not divide 65536', { timeout: 60_000 }, () => {
    const [below, draws] = [200, 50_000]
    const counts = new Array<number>(below).fill(0)
    for (let i = 0; i < draws; i++) counts[uniform(below)]!++
    const expected = draws / below
    const chi2 = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    // 199 degrees of freedom: above 305 once in 700,000 runs. A modulo of one byte would give 25,000.
    expect(chi2).toBeLessThan(305)
  })

  it('stays below its bound, for every bound', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 65_536 }), (below) => uniform(below) < below))
  })
})

describe('generate', () => {
  it('makes passwords of the requested length, alphabet and classes', async () => {
    const text = await textOf(DEFAULT_RECIPE)
    expect([text.length, classesOf(text).size]).toEqual([32, 4])
    expect(await textOf({ kind: 'password', length: 100, alphabet: 'ab' })).toMatch(/^[ab]{100}$/)
    for (let i = 0; i < 200; i++) {
      const short = await textOf({ kind: 'password', length: 4, require: CLASSES })
      expect(classesOf(short).size).toBe(4)
    }
  })

  it('makes every password of a recipe with equal probability', { timeout: 60_000 }, async () => {
    const recipe: Recipe = { kind: 'password', length: 3, alphabet: 'abA', require: ['upper', 'lower'] }
    // 27 in all, less 8 without an upper and 1 without a lower letter.
    const counts = new Map<string, number>()
    for (let i = 0; i < 9000; i++) {
      const text = await textOf(recipe)
      counts.set(text, (counts.get(text) ?? 0) + 1)
    }
    expect(counts.size).toBe(18)
    const chi2 = [...counts.values()].reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0)
    // 17 degrees of freedom: above 58 once in 500,000 runs.
    expect(chi2).toBeLessThan(58)
    expect(recipeBits(recipe)).toBeCloseTo(Math.log2(18), 9)
  })

  it('makes passphrases, keys in three encodings, and UUIDs', async () => {
    expect(await textOf({ kind: 'passphrase', words: 8, separator: '-' })).toMatch(/^[a-z]{3,8}(?:-[a-z]{3,8}){7}$/)
    expect(await textOf({ kind: 'hex', bytes: 32 })).toMatch(/^[0-9a-f]{64}$/)
    expect(Buffer.from(await textOf({ kind: 'base64', bytes: 33 }), 'base64')).toHaveLength(33)
    expect(await textOf({ kind: 'base64url', bytes: 32 })).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(await textOf({ kind: 'uuid' })).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
  })

  it.each<Recipe & { kind: 'ed25519' | 'rsa' }>([
    { kind: 'ed25519', format: 'pem' },
    { kind: 'ed25519', format: 'jwk' },
    { kind: 'rsa', bits: 2048, format: 'pem' },
    { kind: 'rsa', bits: 2048, format: 'jwk' },
  ])('makes a matching key pair: $kind as $format', async (recipe) => {
    const text = await textOf(recipe)
    const [privatePem, publicPem] = text.split(/(?<=-----END PRIVATE KEY-----\n)/)
    const jwk = recipe.format === 'jwk' ? JSON.parse(text) : null
    const privateKey = jwk ? createPrivateKey({ key: jwk, format: 'jwk' }) : createPrivateKey(privatePem!)
    const publicKey = jwk ? createPublicKey({ key: jwk, format: 'jwk' }) : createPublicKey(publicPem!)
    const digest = recipe.kind === 'rsa' ? 'sha256' : null
    expect(verify(digest, Buffer.from('m'), publicKey, sign(digest, Buffer.from('m'), privateKey))).toBe(true)
    if (recipe.kind === 'rsa') expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
    expect(contentTypeOf(recipe)).toBe(recipe.format === 'pem' ? 'application/x-pem-file' : 'application/jwk+json')
  })

  it('never makes the same value twice', async () => {
    const made = await Promise.all(Array.from({ length: 500 }, () => textOf(DEFAULT_RECIPE)))
    expect(new Set(made).size).toBe(500)
  })
})

describe('recipeBits', () => {
  it('agrees with an enumeration when classes are required', () => {
    const recipe = fc.record({
      alphabet: fc
        .uniqueArray(fc.constantFrom(...'abAB01!?'), { minLength: 1, maxLength: 6 })
        .map((all) => all.join('')),
      length: fc.integer({ min: 1, max: 4 }),
      require: fc.subarray([...CLASSES]),
    })
    fc.assert(
      fc.property(recipe, ({ alphabet, length, require }) => {
        const all = Array.from({ length: alphabet.length ** length }, (_, n) =>
          Array.from({ length }, (_, i) => alphabet[Math.floor(n / alphabet.length ** i) % alphabet.length]!).join(''),
        )
        const count = all.filter((text) => require.every((one: CharacterClass) => classesOf(text).has(one))).length
        expect(recipeBits({ kind: 'password', alphabet, length, require })).toBeCloseTo(
          count === 0 ? 0 : Math.log2(count),
          9,
        )
      }),
    )
  })

  it('is exact for long passwords too', () => {
    expect(recipeBits({ kind: 'password', length: 512, alphabet: 'ab' })).toBeCloseTo(512, 6)
    expect(recipeBits({ kind: 'passphrase', words: 12, separator: ' ' })).toBe(132)
  })
})

describe('underPolicy', () => {
  it('follows the policy, even with a weaker recipe', async () => {
    const recipe = underPolicy({ kind: 'password', length: 16 }, policy)
    for (let i = 0; i < 50; i++) {
      const text = await textOf(recipe)
      expect(weaknessOf(text, { ...policy, minEntropyBits: 0 })).toBeNull()
      expect(text).toHaveLength(40)
    }
  })

  it.each<[string, Recipe, StrengthPolicy | null]>([
    ['too little chance', { kind: 'password', length: 12 }, null],
    ['too little chance for the policy', { kind: 'hex', bytes: 12 }, policy],
    ['a UUID where 128 bits are asked', { kind: 'uuid' }, policy],
    ['an alphabet without a class', { kind: 'password', length: 64, alphabet: 'abcdefgh', require: ['digit'] }, null],
    ['an alphabet without a class of the policy', { kind: 'password', length: 64, alphabet: 'abcdefgh' }, policy],
    ['no room for all classes', { kind: 'password', length: 3, require: CLASSES }, null],
  ])('refuses %s', (_, recipe, under) => {
    expect(refusalFrom(() => underPolicy(recipe, under))).toMatchObject({
      code: 'bad_request',
      detail: { field: 'generate' },
    })
  })

  it('keeps a recipe that meets the minimum', () => {
    const recipe: Recipe = { kind: 'hex', bytes: MIN_BITS / 8 }
    expect(underPolicy(recipe, null)).toEqual(recipe)
    expect(refusalFrom(() => underPolicy({ kind: 'hex', bytes: MIN_BITS / 8 - 1 }, null)).code).toBe('bad_request')
  })
})
