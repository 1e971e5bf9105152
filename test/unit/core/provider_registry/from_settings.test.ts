import { describe, expect, it } from 'vitest'
import { configuredProviders } from '../../../../core/provider_registry/from_settings.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
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
