import { describe, expect, it } from 'vitest'
import { detect, looksSecret, MAX_SCANNED_CHARS } from '../../../../core/text/detect.ts'
import { findReferences } from '../../../../core/text/find_references.ts'
import { mask } from '../../../../core/text/mask.ts'
import { growth } from '../../../support/growth.ts'

const kinds = (text: string, env = false) => detect(text, { env }).map(({ kind }) => kind)
// Put together here, so that no scanner takes this file for a leak. The checksums are right.
const join = (...parts: string[]) => parts.join('')
const GITHUB = join('ghp_', 'zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ', '0mLq17')

describe('detect', () => {
  it.each([
    ['github-token', GITHUB],
    ['aws-access-key', join('AKIA', 'IOSFODNN7EXAMPLE')],
    ['stripe-key', join('sk_', 'live_', '4eC39HqLyjWDarjtT1zdp7dc')],
    ['slack-token', join('xoxb-', '123456789012-abcdefGHIJKL')],
    ['google-key', join('AIza', 'SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY')],
    ['postern-token', join('pst_acme_', 'a1'.repeat(32), 'b')],
    [
      'jwt',
      join('eyJ', 'hbGciOiJIUzI1NiJ9.eyJ', 'zdWIiOiIxMjM0NTY3ODkwIn0.', 'dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'),
    ],
    ['password-in-url', 'postgres://app:h4rd2guess@db.example.com/x'],
    [
      'private-key',
      join('-----BEGIN ', 'PRIVATE KEY-----\n', 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC', '\n-----END PRIVATE KEY-----'),
    ],
  ])('finds a %s at its place', (kind, secret) => {
    const text = `const x = ${JSON.stringify(`see ${secret} here`).replaceAll('\\n', '\n')}`
    const [finding, ...more] = detect(text)
    expect(finding?.kind).toBe(kind)
    expect(more).toEqual([])
    expect(secret).toContain(text.slice(finding!.start, finding!.end))
  })

  it('ignores a token with a wrong checksum', () => {
    expect(kinds(`"${GITHUB.slice(0, -1)}0"`)).toEqual([])
  })

  it('finds a random value behind a telling key, in its quotes', () => {
    const text = `const dbPassword = 'k3J9x!mQ2pLw8'`
    expect(detect(text)).toEqual([{ kind: 'high-entropy', start: 20, end: 33 }])
  })

  it.each([
    `const id = '3f2b8c1d-9e4a-4b6f-8d2c-1a5e7f9b0c3d'`,
    `const token = '3f2b8c1d-9e4a-4b6f-8d2c-1a5e7f9b0c3d'`,
    `"integrity": "sha512-PgPr+bUODjG3y+ozWUCyzttqR9EHny9sPAfJagddQjDwdtf66y2sDKJM"`,
    `password = 'changeme'`,
    `password: "your-password-here"`,
    `api_key = "<API_KEY>"`,
    'secret: "${SECRET}"',
    `const tokenDescription = 'The token that is used to sign in'`,
    `DATABASE_URL=postern://v/db`,
    'postgres://user:${PASSWORD}@host/db',
  ])('leaves alone %s', (text) => {
    expect(kinds(text)).toEqual([])
    expect(kinds(text, true)).toEqual([])
  })

  it('finds values of telling keys in a .env file, even commented out, in any form', () => {
    const text = 'LEVEL=debug\nDB_PASSWORD=correcthorse\n# API_TOKEN=oldoldold1\nAPI_KEY=\nSECRET=changeme\n'
    const found = detect(text, { env: true }).map(({ start, end }) => text.slice(start, end))
    expect(found).toEqual(['correcthorse', 'oldoldold1'])
  })

  it('takes linear time, even for hostile text', () => {
    const hostile = [
      'a://'.repeat(20_000),
      'token="'.repeat(12_000),
      '-----BEGIN PRIVATE KEY-----'.repeat(3000),
      'eyJaaaaaaaa.'.repeat(7000),
      'x'.repeat(80_000),
      'password = "aB3'.repeat(6000),
    ]
    for (const text of hostile) {
      expect(growthOf(detect, text)).toBeLessThan(MOST)
    }
  })

  it('scans reference-like text once, and masks a file in one pass', () => {
    const work = [
      { hostile: `postern://${'.'.repeat(80_000)}`, of: (text: string) => findReferences(`${text}a`) },
      { hostile: 'TOKEN=abcdef1\n'.repeat(6000), of: (text: string) => mask(text) },
    ]
    for (const { hostile, of } of work) {
      expect(growthOf(of, hostile)).toBeLessThan(MOST)
    }
  })

  it('scans the first 256 KiB only', () => {
    expect(kinds(`${' '.repeat(MAX_SCANNED_CHARS)}${GITHUB}`)).toEqual([])
  })
})

it('distinguishes pasted secrets from pasted text', () => {
  expect([GITHUB, 'k3J9xmQ2pLw8Zt5RvB1n', `  ${GITHUB}\n`].every(looksSecret)).toBe(true)
  expect(
    ['hello', 'a whole sentence with 1 number', 'https://example.com/a1b2c3d4e5', '', 'x'.repeat(40)].some(looksSecret),
  ).toBe(false)
})

/** The limit for four times the text: a margin for a busy machine, far below the sixteen of quadratic time. */
const MOST = 10

function growthOf(work: (text: string) => unknown, text: string): number {
  const [small, large] = [text.slice(0, 16_000), text.slice(0, 64_000)]
  return growth(
    three(() => work(small)),
    three(() => work(large)),
    MOST,
  )
}

/** Some work three times, so that a clock has something to measure. */
function three(work: () => unknown): () => void {
  return () => {
    for (let i = 0; i < 3; i++) work()
  }
}
