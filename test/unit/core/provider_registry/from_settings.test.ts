import { describe, expect, it } from 'vitest'
import { configuredProviders } from '../../../../core/provider_registry/from_settings.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { canary } from '../../../support/canary.ts'
import { refusalFrom } from '../../../support/core.ts'

const http = { POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: 'https://store.example/{name}' }
const configure = (settings: Record<string, string>) => {
  const environment = Object.entries(settings).map(([name, value]) => [`POSTERN_PROVIDERS__${name}`, value])
  const { providers } = parseSettings({ environment: { ...http, ...Object.fromEntries(environment) } })
  return configuredProviders(providers, { files: null })
}

describe('the default chain', () => {
  it.each([
    [{ PRIMARY_PROVIDER: 'aws' }, 'PRIMARY_PROVIDER: Names aws', 'AWS_REGION'],
    [
      { PRIMARY_PROVIDER: 'http', SECONDARY_PROVIDER: 'azure_key_vault' },
      'SECONDARY_PROVIDER: Names azure',
      'AZURE_VAULT_URL',
    ],
    [
      { PRIMARY_PROVIDER: 'http', SECONDARY_PROVIDER: 'aws-backup', AWS_REGION: '' },
      'SECONDARY_PROVIDER: Names aws-backup',
      'AWS_REGION_BACKUP',
    ],
    [{ PRIMARY_PROVIDER: 'file' }, 'PRIMARY_PROVIDER: Names file', 'FILE_PATH'],
    [
      { PRIMARY_PROVIDER: 'http', SECONDARY_PROVIDER: 'hashicorp', TERTIARY_PROVIDER: 'aws' },
      'SECONDARY_PROVIDER: Names hashicorp',
      'HASHICORP_VAULT_URL',
    ],
  ])('refuses %j, since failover would skip a member that is not configured', (settings, named, needed) => {
    const { code, message } = refusalFrom(() => configure(settings))
    expect(code).toBe('bad_request')
    expect(message).toContain(`POSTERN_PROVIDERS__${named}`)
    expect(message).toContain(`Set POSTERN_PROVIDERS__${needed},`)
  })

  it('accepts configured members, and an empty chain', () => {
    expect([...configure({ PRIMARY_PROVIDER: 'http' }).keys()]).toEqual(['http'])
    expect([...configure({}).keys()]).toEqual(['http'])
  })
})

describe('a credential file', () => {
  const JWT = canary()
  /** Logs in at Vault with the token in a file, and returns the token that was sent or the failure's code. */
  const logIn = async (content: string | null): Promise<unknown> => {
    const sent: unknown[] = []
    const fetch = async (request: Request) => {
      sent.push(((await request.json()) as { jwt: string }).jwt)
      return Response.json({ errors: ['permission denied'] }, { status: 403 })
    }
    const settings = {
      POSTERN_PROVIDERS__HASHICORP_VAULT_URL: 'https://vault.example',
      POSTERN_PROVIDERS__HASHICORP_JWT_ROLE: 'postern',
      POSTERN_PROVIDERS__HASHICORP_JWT_FILE: '/run/token',
    }
    const { providers } = parseSettings({ environment: settings })
    const read = async () => (content === null ? null : new TextEncoder().encode(content))
    const files = { variable: () => undefined, read, store: () => expect.unreachable() }
    const { provider } = configuredProviders(providers, { files, fetch }).get('hashicorp')!
    const failure = await provider.get('a', { signal: AbortSignal.timeout(5000) }).catch((error) => error)
    expect(failure.kind).toBe('credentials')
    return sent.length === 0 ? failure.code : sent
  }

  it.each(['', '\n', '\r\n'])('drops one line end %j, as a setting does', async (end) => {
    expect(await logIn(JWT + end)).toEqual([JWT])
  })

  it.each(['\n\n', ' ', '\r', '\t\n', '\0'])('never sends a credential with %j', async (end) => {
    expect(await logIn(JWT + end)).toBe('File')
    expect(await logIn(end + JWT)).toBe('File')
  })

  it('never sends an empty credential', async () => {
    expect([await logIn(''), await logIn('\n'), await logIn(null)]).toEqual(['File', 'File', 'NoFile'])
  })
})
