import { describe, expect, it } from 'vitest'
import { PROVIDER_KINDS } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { instancesOf } from '../../../../core/settings/provider_instances.ts'
import { parseSettings, settingsReference } from '../../../../core/settings/settings.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { refusalFrom, shownBy } from '../../../support/core.ts'

const PREFIX = 'POSTERN_PROVIDERS__'
type Given = Record<string, string>

const prefixed = (given: Given) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [PREFIX + name, value]))
const parse = (given: Given, options = {}) => parseSettings({ environment: prefixed(given) }, options)
const instances = (given: Given) => instancesOf(parse(given).providers)
/** The complaints about each setting below the prefix. */
const complaints = (given: Given, more: Given = {}, options = {}): Given => {
  const read = () => parseSettings({ environment: { ...prefixed(given), ...more } }, options)
  const [head, ...lines] = refusalFrom(read).message.split('\n')
  expect(head).toBe('Settings are invalid')
  const pairs = lines.map((line) => /^ {2}POSTERN_(?:PROVIDERS__)?([A-Za-z0-9_-]+): (.+)$/.exec(line)!.slice(1))
  expect(new Set(pairs.map(([name]) => name)).size).toBe(pairs.length)
  return Object.fromEntries(pairs)
}

const VAULT = { KIND: 'hashicorp', VAULT_URL: 'https://vault.example', VAULT_TOKEN: 'token' }
const AWS = { KIND: 'aws', REGION: 'eu-west-1', ACCESS_KEY_ID: 'AKIAEXAMPLE', SECRET_ACCESS_KEY: 'example' }
const AZURE = {
  ...{ KIND: 'azure', VAULT_URL: 'https://one.vault.azure.net', TENANT_ID: 'example.com', CLIENT_ID: 'client' },
  CLIENT_SECRET: 'example',
}
const KINDS: Record<string, Given> = {
  aws: AWS,
  azure: AZURE,
  hashicorp: VAULT,
  google: {
    ...{ KIND: 'google', PROJECT: 'project', IDENTITY_TOKEN: 'token' },
    AUDIENCE: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  },
  http: { KIND: 'http', URL: 'https://store.example' },
  file: { KIND: 'file', PATH: './secrets.json' },
}
const named = (name: string, given: Given) =>
  Object.fromEntries(Object.entries(given).map(([field, value]) => [`${name}__${field}`, value]))

describe('an instance', () => {
  it.each(PROVIDER_KINDS)('is configured by its name as %s, for no vault unless one is listed', (kind) => {
    const [found, ...rest] = instances(named('EU_WEST_2', KINDS[kind]!))
    expect(rest).toEqual([])
    expect(found).toMatchObject({ id: 'eu-west-2', kind, reach: { vaults: [] } })
  })

  it('has the settings of a fixed provider without its prefix', () => {
    const flat: Record<string, string> = {
      ...{ aws: 'AWS_', azure: 'AZURE_', hashicorp: 'HASHICORP_', http: 'CUSTOM_PROVIDER_', file: 'FILE_' },
    }
    const known = settingsReference().map(({ name }) => name)
    // A kind that came with instances has no fixed provider.
    for (const kind of PROVIDER_KINDS.filter((one) => one !== 'google')) {
      const { KIND: _, ...fields } = KINDS[kind]!
      const [fixed] = instances(Object.fromEntries(Object.entries(fields).map(([f, v]) => [flat[kind] + f, v])))
      const [instance] = instances(named('X', KINDS[kind]!))
      const { vaults: __, ...settings } = instance!.settings as Record<string, unknown>
      const revealed = (given: object) =>
        Object.entries(given).map(([f, v]) => [f, v instanceof Redacted ? v.reveal() : v])
      expect(revealed(settings).toSorted()).toEqual(revealed(fixed!.settings).toSorted())
      expect(Object.keys(fields).every((field) => known.includes(PREFIX + flat[kind] + field))).toBe(true)
    }
  })

  it('is one of several of its kind, each with vaults and a prefix of its own', () => {
    const given = {
      ...named('TEAM_A', { ...VAULT, MOUNT: 'team-a', VAULTS: 'a', NAME_PREFIX: 'one' }),
      ...named('TEAM_B', { ...VAULT, MOUNT: 'team/b', VAULTS: 'a,b', NAME_PREFIX: 'two/{vault}' }),
      ...{ HASHICORP_VAULT_URL: 'https://other.example', HASHICORP_VAULT_TOKEN: 'token' },
    }
    expect(instances(given).map(({ id, settings, reach }) => [id, Object(settings).mount, reach.vaults])).toEqual([
      ['hashicorp', 'secret', ['default']],
      ['team-a', 'team-a', ['a']],
      ['team-b', 'team/b', ['a', 'b']],
    ])
  })

  it('is read from every source of settings', () => {
    const { providers } = parseSettings({
      environment: { POSTERN_PROVIDERS__A__KIND: 'hashicorp' },
      dotenv: { POSTERN_PROVIDERS__A__VAULT_URL: 'https://vault.example' },
      secrets: { postern_providers__a__vault_token: 'token\n' },
    })
    expect(instancesOf(providers)).toMatchObject([{ id: 'a', kind: 'hashicorp' }])
  })

  it('does not exist while all of its settings are empty', () => {
    expect(instances({ A__KIND: '', A__REGION: '' })).toEqual([])
  })

  it.each([
    'AWS',
    'AWS_BACKUP',
    'AZURE',
    'AZURE_BACKUP',
    'HASHICORP',
    'HTTP',
    'FILE',
    'SEALED',
    'AWS_SECRETS_MANAGER',
    'HASHICORP_VAULT',
  ])('cannot be called %s, which is another provider', (name) => {
    const found = complaints(named(name, VAULT))
    expect(Object.keys(found)).toEqual(Object.keys(named(name, VAULT)))
    for (const message of Object.values(found)) expect(message).toContain('is reserved')
  })

  it.each(['eu', 'Eu', 'EU__WEST', 'EU_', '_EU', 'EU-WEST', 'X'.repeat(65)])(
    'cannot be called %s, so that two names never make one id',
    (name) => {
      expect(Object.keys(complaints(named(name, VAULT)))).toEqual(Object.keys(named(name, VAULT)))
    },
  )

  it('names every setting that is wrong, beside those of other providers and of the server', () => {
    const given = {
      ...named('A', { ...AWS, REGION: 'nowhere', ROLE: 'x' }),
      ...named('B', { REGION: 'eu-west-1', VAULTS: 'a' }),
      ...named('C', { KIND: 'vault', VAULT_URL: 'https://vault.example' }),
      ...named('D', { KIND: 'hashicorp', VAULT_URL: 'http://10.0.0.1', MOUNT: '../x', VAULTS: 'a,b' }),
      ...named('E', { KIND: 'azure', VAULT_URL: 'https://vault.example', CLIENT_ID: 'a b' }),
      ...named('F', { KIND: 'http', URL: 'https://store.example{name}', POINTER: 'value', HEADER: 'Host', TOKEN: 'a' }),
      ...named('G', { KIND: 'aws', REGION: 'eu-west-1', ROLE_ARN: 'arn' }),
      ...{ AWS_REGION: 'x', AWS_REGION_BACKUP: 'y', AWS_STS_ENDPOINT: 'z', FILE_PATH: 'a.json' },
      PRIMARY_PROVIDER: 'nowhere',
    }
    const found = complaints(given, { POSTERN_PORT: 'x', POSTERN_ENVIRONMENT: 'production', POSTERN_DEBUG: 'true' })
    expect(Object.keys(found).toSorted()).toEqual(
      [
        ...['A__REGION', 'A__ROLE', 'B__REGION', 'B__VAULTS', 'C__KIND', 'D__VAULT_URL', 'D__MOUNT', 'D__NAME_PREFIX'],
        ...['D__VAULT_TOKEN', 'E__VAULT_URL', 'E__CLIENT_ID', 'E__CLIENT_SECRET', 'E__TENANT_ID', 'F__URL'],
        ...['F__POINTER', 'F__HEADER', 'G__ROLE_ARN', 'G__WEB_IDENTITY_TOKEN', 'AWS_REGION', 'AWS_REGION_BACKUP'],
        ...['AWS_STS_ENDPOINT', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'FILE_PATH', 'PRIMARY_PROVIDER'],
        ...['PORT', 'DEBUG'],
      ].toSorted(),
    )
    expect(found).toMatchObject({
      A__ROLE: expect.stringMatching(/kind aws.*ROLE_ARN/),
      B__REGION: expect.stringContaining('B__KIND'),
    })
  })

  it('quotes no credential that it refuses', () => {
    const secret = canary()
    const wrong = {
      ...named('A', { ...AWS, SECRET_ACCESS_KEY: `${secret}\n\n` }),
      ...named('B', { ...VAULT, VAULT_TOKEN: `\t${secret}` }),
    }
    expect(leaks(shownBy(refusalFrom(() => parse(wrong))), [secret])).toEqual([])
    expect(Object.keys(complaints(wrong))).toEqual(['A__SECRET_ACCESS_KEY', 'B__VAULT_TOKEN'])
  })

  it('is refused in production when it is a file', () => {
    expect(Object.keys(complaints(named('A', KINDS.file!), { POSTERN_ENVIRONMENT: 'production' }))).toEqual(['A__PATH'])
  })
})

describe('a credential', () => {
  it.each([
    ['HASHICORP_VAULT_TOKEN', { HASHICORP_VAULT_URL: 'https://vault.example' }],
    ['AWS_SECRET_ACCESS_KEY', { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE' }],
    ['AZURE_FEDERATED_TOKEN', { AZURE_VAULT_URL: AZURE.VAULT_URL, AZURE_TENANT_ID: 'a.example', AZURE_CLIENT_ID: 'a' }],
    ['X__TOKEN', named('X', KINDS.http!)],
    ['X__SECRET_ID', named('X', { KIND: 'hashicorp', VAULT_URL: 'https://vault.example', ROLE_ID: 'role' })],
  ])('%s is given as a text or as a file, not both', (name, more) => {
    expect(instances({ ...more, [name]: 'example' })).toHaveLength(1)
    expect(instances({ ...more, [`${name}_FILE`]: '/run/secret' })).toHaveLength(1)
    expect(Object.keys(complaints({ ...more, [name]: 'example', [`${name}_FILE`]: '/run/secret' }))).toEqual([
      `${name}_FILE`,
    ])
  })

  it('is not in a file where there are none, and neither is a store', () => {
    const given = {
      ...named('A', { KIND: 'hashicorp', VAULT_URL: 'https://vault.example', VAULT_TOKEN_FILE: '/run/secret' }),
      ...named('B', KINDS.file!),
      ...{
        AWS_REGION: 'eu-west-1',
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/r',
        AWS_WEB_IDENTITY_TOKEN_FILE: 'x',
      },
    }
    expect(Object.keys(complaints(given, {}, { hasFiles: false })).toSorted()).toEqual([
      ...['AWS_WEB_IDENTITY_TOKEN_FILE', 'A__VAULT_TOKEN_FILE', 'B__PATH'],
    ])
  })
})

describe('a default chain', () => {
  const two = {
    ...named('A', { ...VAULT, VAULTS: 'x' }),
    ...named('B_2', { ...AWS, VAULTS: 'x,y', NAME_PREFIX: '{vault}' }),
  }

  it('takes the ids of instances', () => {
    expect(parse({ ...two, PRIMARY_PROVIDER: 'a', SECONDARY_PROVIDER: 'b-2' }).providers.secondaryProvider).toBe('b-2')
  })

  it('names no second provider that a vault of the first may not use', () => {
    const found = complaints({ ...two, PRIMARY_PROVIDER: 'b-2', SECONDARY_PROVIDER: 'a' })
    expect(found).toEqual({ SECONDARY_PROVIDER: 'Names a, which the vault y may not use' })
  })

  it.each(['A', 'b_2', 'B-2', ''.padStart(65, 'a')])('does not take %s for an id', (word) => {
    expect(Object.keys(complaints({ ...two, PRIMARY_PROVIDER: word }))).toEqual(['PRIMARY_PROVIDER'])
  })
})
