import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { mintToken, parseToken, vaultOfToken } from '../../../../core/authentication/token.ts'
import { bytesOf } from '../../../support/core.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i)
const OTHER_KEY = Uint8Array.from({ length: 32 }, (_, i) => i ^ (i === 31 ? 1 : 0))
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ALL = `${DIGITS}_-. ~\n\0é`

const mint = (vault = 'acme') => {
  const { text, hash } = mintToken(vault, KEY)
  return { text: text.reveal(), hash }
}
const replaceAt = (text: string, at: number, char: string) => text.slice(0, at) + char + text.slice(at + 1)
const numberOf = (payload: string) => [...payload].reduce((n, digit) => n * 62n + BigInt(DIGITS.indexOf(digit)), 0n)
const payloadOf = (n: bigint) => {
  let text = ''
  for (let i = 0; i < 65; i++, n /= 62n) text = DIGITS[Number(n % 62n)] + text
  return text
}
/** A token made from its parts by the docstring, with Node's own HMAC. */
const tokenByTheBook = (vault: string, secret: Uint8Array, key: Uint8Array) => {
  const mac = createHmac('sha256', key).update(`pst_${vault}_`).update(secret).digest()
  const payload = Buffer.concat([secret, mac.subarray(0, 16)])
  return {
    text: `pst_${vault}_${payloadOf(BigInt(`0x${payload.toString('hex')}`))}`,
    hash: Uint8Array.from(mac.subarray(16)),
  }
}

describe('mintToken', () => {
  it('writes the vault and 65 base62 digits, which a double click selects whole', () => {
    expect(mint('a-1').text).toMatch(/^pst_a-1_[0-9A-Za-z]{65}$/)
  })

  it('hides the text, and returns a hash of 16 bytes', () => {
    const { text, hash } = mintToken('acme', KEY)
    expect(JSON.stringify({ text })).toBe('{"text":"<redacted>"}')
    expect(hash).toHaveLength(16)
  })

  it('never repeats a token or a hash', () => {
    const minted = Array.from({ length: 500 }, () => mint())
    expect(new Set(minted.map(({ text }) => text)).size).toBe(500)
    expect(new Set(minted.map(({ hash }) => Buffer.from(hash).toString('hex'))).size).toBe(500)
  })

  it('derives a hash that is not part of the token', () => {
    for (let i = 0; i < 50; i++) {
      const { text, hash } = mint()
      const payload = numberOf(text.slice(-65)).toString(16).padStart(96, '0')
      for (let at = 0; at + 8 <= 32; at += 2) {
        expect(payload).not.toContain(
          Buffer.from(hash)
            .toString('hex')
            .slice(at, at + 8),
        )
      }
    }
  })
})

describe('parseToken', () => {
  it('reads a minted token, and returns the same hash', () => {
    for (let i = 0; i < 100; i++) {
      const { text, hash } = mint()
      expect(parseToken(text, KEY)).toEqual({ kind: 'token', vault: 'acme', hash })
    }
  })

  it('reads a token that follows the docstring, and returns the other half of the MAC', () => {
    // A secret of leading zeros as well: the digits must keep their width.
    for (const fill of [0, 1, 0xff]) {
      const { text, hash } = tokenByTheBook('acme', new Uint8Array(32).fill(fill), KEY)
      expect(parseToken(text, KEY)).toEqual({ kind: 'token', vault: 'acme', hash })
    }
  })

  it('distinguishes a session token from an API token', () => {
    const { text, hash } = mintToken('acme', KEY, 'session')
    const session = text.reveal()
    expect(session).toMatch(/^pss_acme_[0-9A-Za-z]{65}$/)
    expect(parseToken(session, KEY)).toEqual({ kind: 'session', vault: 'acme', hash })
    expect(parseToken(session.replace('pss_', 'pst_'), KEY)).toBeNull()
    expect(parseToken(mint().text.replace('pst_', 'pss_'), KEY)).toBeNull()
  })

  it('refuses a token with any one character changed', { timeout: 60_000 }, () => {
    const { text } = mint()
    for (let at = 0; at < text.length; at++) {
      for (const char of ALL) {
        if (char !== text[at]) expect(parseToken(replaceAt(text, at, char), KEY)).toBeNull()
      }
    }
  })

  it('refuses a token with any one character missing, doubled or swapped with the next', () => {
    const { text } = mint()
    for (let at = 0; at < text.length; at++) {
      expect(parseToken(text.slice(0, at) + text.slice(at + 1), KEY)).toBeNull()
      expect(parseToken(text.slice(0, at) + text[at] + text.slice(at), KEY)).toBeNull()
      const swapped = replaceAt(replaceAt(text, at, text[at + 1] ?? ''), at + 1, text[at]!)
      if (swapped !== text) expect(parseToken(swapped, KEY)).toBeNull()
    }
  })

  it('row 37: refuses a token under the key of another vault', () => {
    const { text } = mint()
    expect(parseToken(text, OTHER_KEY)).toBeNull()
    expect(parseToken(text, new Uint8Array(32))).toBeNull()
  })

  it('row 37: refuses a token with the id of another vault, under either key', () => {
    const { text } = mint('acme')
    const moved = text.replace('pst_acme_', 'pst_other_')
    expect(vaultOfToken(moved)).toBe('other')
    expect(parseToken(moved, KEY)).toBeNull()
    expect(parseToken(moved, OTHER_KEY)).toBeNull()
  })

  it('refuses every other spelling of the same bytes', () => {
    const { text } = tokenByTheBook('acme', new Uint8Array(32), KEY)
    const payload = numberOf(text.slice(-65))
    // 62^65 is more than 2^387, so up to seven further numbers fit the width and have the same low 384 bits.
    for (let k = 1n; k <= 7n; k++) {
      const spelling = `pst_acme_${payloadOf(payload + (k << 384n))}`
      expect(spelling).toMatch(/^pst_acme_[0-9A-Za-z]{65}$/)
      expect(parseToken(spelling, KEY)).toBeNull()
    }
  })

  it.each<[string, (text: string) => string]>([
    ['in capitals', (text) => text.toUpperCase()],
    ['in small letters', (text) => text.toLowerCase()],
    ['with its prefix in capitals', (text) => text.replace('pst_', 'PST_')],
    ['with its vault in capitals', (text) => text.replace('acme', 'ACME')],
    ['with white space in front', (text) => ` ${text}`],
    ['with white space behind', (text) => `${text} `],
    ['with a line feed behind', (text) => `${text}\n`],
    ['with a second line', (text) => `${text}\n${text}`],
    ['with a scheme in front', (text) => `Bearer ${text}`],
    ['without its vault', (text) => text.replace('acme_', '')],
    ['with an empty vault', (text) => text.replace('acme', '')],
    ['with a vault of 33 characters', (text) => text.replace('acme', 'a'.repeat(33))],
    ['with 66 digits', (text) => text.replace('acme_', 'acme_0')],
    ['as its digits alone', (text) => text.slice(-65)],
    ['as nothing', () => ''],
    ['with the largest number that fits', () => `pst_acme_${'z'.repeat(65)}`],
    ['with the smallest number', () => `pst_acme_${'0'.repeat(65)}`],
    ['as a very long text', (text) => text + 'a'.repeat(100_000)],
  ])('refuses a token %s', (_, change) => {
    const { text } = mint()
    expect(parseToken(change(text), KEY)).toBeNull()
  })

  it('refuses a tag whose last bit is wrong', () => {
    const { text } = mint()
    expect(parseToken(`pst_acme_${payloadOf(numberOf(text.slice(-65)) ^ 1n)}`, KEY)).toBeNull()
  })
})

describe('vaultOfToken', () => {
  it('reads the vault without checking the tag', () => {
    expect(vaultOfToken(mint('a-1').text)).toBe('a-1')
    expect(vaultOfToken(`pst_a_${'0'.repeat(65)}`)).toBe('a')
  })

  it.each(['', 'pst_a_', `pst_A_${'0'.repeat(65)}`, `pst_a_b_${'0'.repeat(65)}`, `pst_a_${'0'.repeat(64)}`])(
    'finds none in "%s"',
    (text) => {
      expect(vaultOfToken(text)).toBeNull()
    },
  )
})

describe('the hash of a token', () => {
  it('depends on every bit of the secret, of the vault and of the key', () => {
    const secret = bytesOf('ab'.repeat(32), 'hex')
    const flipped = secret.with(31, secret[31]! ^ 1)
    const hashes = [
      parseToken(tokenByTheBook('acme', secret, KEY).text, KEY),
      parseToken(tokenByTheBook('acme', flipped, KEY).text, KEY),
      parseToken(tokenByTheBook('acmf', secret, KEY).text, KEY),
      parseToken(tokenByTheBook('acme', secret, OTHER_KEY).text, OTHER_KEY),
    ].map((token) => Buffer.from(token!.hash).toString('hex'))
    expect(new Set(hashes).size).toBe(4)
  })

  it('depends on the key, so it cannot be computed from the token alone', () => {
    const secret = new Uint8Array(32).fill(7)
    const [one, two] = [tokenByTheBook('acme', secret, KEY), tokenByTheBook('acme', secret, OTHER_KEY)]
    expect(one.text).toHaveLength(two.text.length)
    expect(Buffer.from(one.hash).equals(two.hash)).toBe(false)
  })
})
