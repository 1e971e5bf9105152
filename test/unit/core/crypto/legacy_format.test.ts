import { createCipheriv, randomBytes, scryptSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { legacyKey, openLegacy } from '../../../../core/crypto/legacy_format.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { rejectionOf, shownBy } from '../../../support/core.ts'

const key = Uint8Array.from(randomBytes(32))

/** Encrypts in the legacy format with Node's own cipher. */
function sealed(value: string, by: Uint8Array = key): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', by, nonce)
  const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
  return [nonce, cipher.getAuthTag(), ciphertext].map((part) => part.toString('hex')).join(':')
}

const textOf = async (text: string, by: Uint8Array<ArrayBuffer> = key) =>
  Buffer.from((await openLegacy(text, new Redacted(by))).reveal()).toString()

describe('openLegacy', () => {
  it.each(['', 'a', 'correct horse', 'käse 💧', 'x'.repeat(65_536)])(
    'opens what another implementation encrypts',
    async (value) => {
      expect(await textOf(sealed(value))).toBe(value)
    },
  )

  it('accepts only this order: nonce, tag, ciphertext', async () => {
    const [nonce, tag, ciphertext] = sealed('sixteen bytes...').split(':')
    for (const other of [
      [nonce, ciphertext, tag],
      [tag, nonce, ciphertext],
      [ciphertext, tag, nonce],
    ]) {
      expect(['bad_request', 'tampered']).toContain((await rejectionOf(textOf(other.join(':')))).code)
    }
  })

  it('refuses every changed byte, and a wrong key, with one message', async () => {
    const text = sealed('value')
    const at = [0, 5, 23, 26, 40, 57, 60, text.length - 1].filter((i) => text[i] !== ':')
    for (const i of at) {
      const changed = text.slice(0, i) + (text[i] === '0' ? '1' : '0') + text.slice(i + 1)
      expect((await rejectionOf(textOf(changed))).code).toBe('tampered')
    }
    expect((await rejectionOf(textOf(text, Uint8Array.from(randomBytes(32))))).code).toBe('tampered')
  })

  it.each([
    ['nothing', () => ''],
    ['two parts', () => sealed('v').split(':').slice(0, 2).join(':')],
    ['four parts', () => `${sealed('v')}:00`],
    ['upper case', () => sealed('vvvvvvvv').toUpperCase()],
    ['half a byte', () => `${sealed('v')}0`],
    ['a short nonce', () => sealed('v').slice(2)],
    ['white space', () => ` ${sealed('v')}`],
    ['too much', () => `${sealed('v')}${'00'.repeat(70_000)}`],
  ])('row 5: refuses another form: %s', async (_, text) => {
    expect(await rejectionOf(textOf(text()))).toMatchObject({ code: 'bad_request', detail: { field: 'value' } })
  })

  it('reveals nothing of a value', async () => {
    const value = canary()
    const text = sealed(value)
    const error = await rejectionOf(textOf(text, Uint8Array.from(randomBytes(32))))
    expect(leaks(shownBy(error), [value, text])).toEqual([])
  })
})

describe('legacyKey', () => {
  const good = { salt: Uint8Array.from(randomBytes(16)), n: 2 ** 14, r: 8, p: 1 }

  it('is scrypt, as Node has it', { timeout: 30_000 }, async () => {
    const derived = await legacyKey(new Redacted('correct horse'), good)
    const { salt, n, r, p } = good
    expect(Buffer.from(derived.reveal())).toEqual(scryptSync('correct horse', salt, 32, { N: n, r, p }))
    expect(await textOf(sealed('value', derived.reveal()), derived.reveal())).toBe('value')
  })

  it.each([
    ['salt', { salt: new Uint8Array(15) }],
    ['salt', { salt: new Uint8Array(1025) }],
    ['n', { n: 2 ** 13 }],
    ['n', { n: 2 ** 14 + 1 }],
    ['n', { n: 2 ** 31 }],
    ['n', { n: Number.NaN }],
    ['n', { n: 2 ** 20, r: 8 }],
    ['r', { r: 7 }],
    ['r', { r: 2 ** 30 }],
    ['p', { p: 0 }],
    ['p', { p: 2 ** 31 }],
    ['n', { n: 2 ** 18, p: 16 }],
  ])('row 7: refuses a wrong %s before any work: %o', async (field, change) => {
    expect(await rejectionOf(legacyKey(new Redacted('x'), { ...good, ...change }))).toMatchObject({ detail: { field } })
  })

  it('accepts any passphrase', async () => {
    expect((await rejectionOf(legacyKey(new Redacted(''), good))).detail.field).toBe('passphrase')
  })
})
