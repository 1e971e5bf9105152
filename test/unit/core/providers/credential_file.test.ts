import { describe, expect, it } from 'vitest'
import { configuredProviders } from '../../../../core/provider_registry/from_settings.ts'
import { credentialFile } from '../../../../core/providers/credential_file.ts'
import { FollowedCredentials, RenewedCredentials, sourcedCredentials } from '../../../../core/providers/credentials.ts'
import { ProviderFailure } from '../../../../core/providers/provider.ts'
import type { Redacted } from '../../../../core/redacted.ts'
import { parseCredentialFile } from '../../../../core/settings/reader.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { canary, leaks } from '../../../support/canary.ts'

const signal = new AbortController().signal
const [FIRST, SECOND] = [canary(), canary()]
const rejected = () => new ProviderFailure('credentials', { code: 'Http403' })

/** A file whose content a test replaces, and a source that reads it. */
function open(content: string | null | (() => never)) {
  const lines: object[] = []
  const file = { content }
  const read = async () => {
    if (typeof file.content === 'function') file.content()
    return file.content === null ? null : new TextEncoder().encode(file.content as string)
  }
  const report = (level: string, event: string, facts: object) => void lines.push({ level, event, ...facts })
  const source = credentialFile('/run/token', { read, parse: parseCredentialFile, setting: 'TOKEN_FILE', report })
  const take = () =>
    source().then(
      (value) => value.reveal(),
      (error) => error.code,
    )
  return { file, source, take, lines }
}

describe('a credential file', () => {
  it('is read again at each use', async () => {
    const { file, take } = open(`${FIRST}\n`)
    expect(await take()).toBe(FIRST)
    file.content = SECOND
    expect(await take()).toBe(SECOND)
  })

  it.each([
    [null, 'NoFile'],
    ['', 'File'],
    ['\n', 'File'],
    [`${FIRST}\n${FIRST}`, 'File'],
    [
      () => {
        throw new Error('EACCES')
      },
      'File',
    ],
  ])('fails clearly with the content %j, and never falls back to an earlier one', async (content, code) => {
    const { file, take, lines } = open(FIRST)
    await take()
    file.content = content as string
    expect([await take(), await take()]).toEqual([code, code])
    file.content = SECOND
    expect(await take()).toBe(SECOND)
    expect(lines).toEqual([
      { level: 'error', event: 'credential_file_unusable', setting: 'TOKEN_FILE', code },
      { level: 'info', event: 'credential_file_usable', setting: 'TOKEN_FILE' },
    ])
    expect(leaks(JSON.stringify(lines), [FIRST, SECOND])).toEqual([])
  })

  it('is read once more where its writer had emptied it first', async () => {
    const { file, take, lines } = open('')
    setTimeout(() => {
      file.content = SECOND
    }, 20)
    expect(await take()).toBe(SECOND)
    expect(lines).toEqual([])
  })
})

describe('credentials of sources', () => {
  it('are used once more if they were replaced in between, and not otherwise', async () => {
    const taken = [FIRST, SECOND, SECOND, SECOND]
    const credentials = sourcedCredentials(async () => taken.shift()!)
    const tried: string[] = []
    const attempt = async (value: string) => {
      tried.push(value)
      if (value === FIRST || tried.length > 2) throw rejected()
      return 'served'
    }
    expect(await credentials.use(signal, attempt)).toBe('served')
    await expect(credentials.use(signal, attempt)).rejects.toMatchObject({ kind: 'credentials' })
    expect(tried).toEqual([FIRST, SECOND, SECOND])
  })

  it('follow a token that is replaced while the former one lasts', async () => {
    const { file, source } = open(FIRST)
    const make = (token: Redacted<string>) =>
      new RenewedCredentials(async () => ({ value: token, lifetimeMs: 3_600_000 }), {})
    const credentials = new FollowedCredentials(source, make)
    const use = () => credentials.use(signal, async (token) => token.reveal())
    expect([await use(), await use()]).toEqual([FIRST, FIRST])
    file.content = SECOND
    expect(await use()).toBe(SECOND)
    expect(await credentials.keep(signal, 'given')).toBeGreaterThan(Date.now())
  })
})

describe('a provider whose credential is in a file', () => {
  const AT = 'POSTERN_PROVIDERS__X__'
  const KINDS: [string, Record<string, string>, string][] = [
    ['hashicorp', { VAULT_URL: 'https://vault.example', VAULT_TOKEN_FILE: 'f' }, 'x-vault-token'],
    ['http', { URL: 'https://store.example', TOKEN_FILE: 'f' }, 'authorization'],
    ['http', { URL: 'https://store.example', TOKEN_FILE: 'f', HEADER: 'X-Key' }, 'x-key'],
    ['aws', { REGION: 'eu-west-1', ACCESS_KEY_ID_FILE: 'f', SECRET_ACCESS_KEY: 'example' }, 'authorization'],
    [
      'aws',
      { REGION: 'eu-west-1', ACCESS_KEY_ID: 'A', SECRET_ACCESS_KEY: 'a', SESSION_TOKEN_FILE: 'f' },
      'x-amz-security-token',
    ],
  ]

  it.each(KINDS)('(%s: %j) sends the new one after it was replaced', async (kind, given, header) => {
    const settings = Object.entries({ KIND: kind, ...given }).map(([name, value]) => [AT + name, value])
    const { providers } = parseSettings({ environment: Object.fromEntries(settings) })
    // A header has visible ASCII.
    const [first, second] = [FIRST, SECOND].map((text) => Buffer.from(text).toString('base64url'))
    let content = first!
    const files = {
      variable: () => undefined,
      read: async () => new TextEncoder().encode(`${content}\n`),
      store: () => expect.unreachable(),
    }
    const sent: string[] = []
    const fetch = async (request: Request) => {
      sent.push(request.headers.get(header) ?? '')
      return Response.json({ errors: [] }, { status: 404 })
    }
    const { provider } = configuredProviders(providers, { files, fetch }).get('x')!
    await provider.get('a', { signal }).catch(() => {})
    const before = sent.length
    content = second!
    await provider.get('a', { signal }).catch(() => {})
    expect(before).toBeGreaterThan(0)
    expect(sent.slice(0, before).every((value) => value.includes(first!))).toBe(true)
    expect(sent.slice(before).every((value) => value.includes(second!))).toBe(true)
    expect(sent.length).toBeGreaterThan(before)
    const all = sent.length
    for (content of [`${first}\nX-Other: 1`, 'né', '☃']) {
      await expect(provider.get('a', { signal })).rejects.toMatchObject({ kind: 'credentials', code: 'File' })
    }
    expect(sent.length).toBe(all)
  })
})
