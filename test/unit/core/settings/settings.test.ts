import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { inRange } from '../../../../core/addresses.ts'
import { mintToken } from '../../../../core/authentication/token.ts'
import { Redacted } from '../../../../core/redacted.ts'
import type { Sources } from '../../../../core/settings/reader.ts'
import { parseSettings, type Settings, settingsReference } from '../../../../core/settings/settings.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { refusalFrom, shownBy } from '../../../support/core.ts'

const ROOT_KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
/** Settings with their secrets in clear. */
const revealed = (value: unknown): unknown => {
  if (value instanceof Redacted) return revealed(value.reveal())
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, revealed(one)]))
}
const parse = (environment: Record<string, string | undefined>) => parseSettings({ environment })
/** The names that an error complains of, in the order of the alphabet. */
const complaintsOf = (run: () => unknown) => {
  const [head, ...lines] = refusalFrom(run).message.split('\n')
  expect(head).toBe('Settings are invalid')
  return lines.map((line) => /^ {2}([A-Z0-9_]+): .+$/.exec(line)![1]!).toSorted()
}

describe('parseSettings', () => {
  it('has a default for everything but secrets and certificates', () => {
    expect(parse({})).toMatchObject({
      appName: 'postern',
      environment: 'development',
      debug: false,
      host: '127.0.0.1',
      port: 8787,
      data: './data',
      trustedProxies: [],
      requestTimeoutMs: 10_000,
      bodyTimeoutMs: 5000,
      tls: {},
    })
    expect(parse({}).rootKey).toBeUndefined()
  })

  it('takes the environment before .env, .env before the secrets folder, and that before the default', () => {
    const name = 'POSTERN_APP_NAME'
    const [environment, dotenv, secrets] = [{ [name]: 'a' }, { [name]: 'b' }, { [name]: 'c' }]
    expect(parseSettings({ environment, dotenv, secrets }).appName).toBe('a')
    expect(parseSettings({ environment: {}, dotenv, secrets }).appName).toBe('b')
    expect(parseSettings({ environment: { [name]: undefined }, dotenv: {}, secrets }).appName).toBe('c')
    expect(parseSettings({ environment: {}, dotenv: {}, secrets: {} }).appName).toBe('postern')
  })

  it.each(['POSTERN_APP_NAME', 'POSTERN_AUDIT__RETENTION_DAYS', 'POSTERN_LOG_ORIGIN'])(
    'row 62: an empty %s in one source does not hide the next source',
    (name) => {
      const value = '11'
      const sources: Sources[] = [
        { environment: { [name]: '' }, dotenv: { [name]: value } },
        { environment: { [name]: '' }, secrets: { [name.toLowerCase()]: value } },
        { environment: {}, dotenv: { [name]: '' }, secrets: { [name]: value } },
        { environment: { [name]: '' }, dotenv: { [name]: '' }, secrets: { [name]: '\n', [name.toLowerCase()]: value } },
        { environment: { [name]: value }, dotenv: { [name]: '' }, secrets: { [name]: '' } },
      ]
      const expected = parse({ [name]: value })
      for (const given of sources) expect(parseSettings(given)).toEqual(expected)
    },
  )

  it('resolves the precedence of each setting on its own', () => {
    const settings = parseSettings({
      environment: { POSTERN_PORT: '1' },
      dotenv: { POSTERN_PORT: '2', POSTERN_DATA: '/b' },
      secrets: { POSTERN_PORT: '3', POSTERN_DATA: '/c', POSTERN_APP_NAME: 'c' },
    })
    expect([settings.port, settings.data, settings.appName]).toEqual([1, '/b', 'c'])
  })

  it('reads a file of the secrets folder by its name in capitals, or else in small letters', () => {
    const read = (secrets: Record<string, string>) => parseSettings({ environment: {}, secrets }).appName
    expect(read({ postern_app_name: 'small' })).toBe('small')
    expect(read({ POSTERN_APP_NAME: 'capital', postern_app_name: 'small' })).toBe('capital')
  })

  const SOURCES: [string, (name: string, value: string) => Sources][] = [
    ['the environment', (name, value) => ({ environment: { [name]: value } })],
    ['.env', (name, value) => ({ environment: {}, dotenv: { [name]: value } })],
    ['the secrets folder', (name, value) => ({ environment: {}, secrets: { [name]: value } })],
    ['a file in lower case', (name, value) => ({ environment: {}, secrets: { [name.toLowerCase()]: value } })],
  ]
  /** Every credential, with a value that it accepts. */
  const CREDENTIALS = {
    ROOT_KEY,
    NEXT_ROOT_KEY: ROOT_KEY,
    FORMER_ROOT_KEYS: ROOT_KEY,
    PROXY: 'http://user:canary@proxy.test:3128',
    AUDIT__ANCHOR_TOKEN: 'canary',
    AUDIT__SINK_TOKEN: 'canary',
    AUDIT__SINK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    TRACES__TOKEN: 'canary',
    PROVIDERS__AWS_ACCESS_KEY_ID: 'canary',
    PROVIDERS__AWS_SECRET_ACCESS_KEY: 'canary',
    PROVIDERS__AWS_SESSION_TOKEN: 'canary',
    PROVIDERS__AWS_WEB_IDENTITY_TOKEN: 'canary',
    PROVIDERS__AZURE_CLIENT_SECRET: 'canary',
    PROVIDERS__AZURE_FEDERATED_TOKEN: 'canary',
    PROVIDERS__HASHICORP_VAULT_TOKEN: 'canary',
    PROVIDERS__HASHICORP_ROLE_ID: 'canary',
    PROVIDERS__HASHICORP_SECRET_ID: 'canary',
    PROVIDERS__HASHICORP_JWT: 'canary',
    PROVIDERS__CUSTOM_PROVIDER_TOKEN: 'canary',
  }
  const credentials = Object.entries(CREDENTIALS).map(([name, value]) => [`POSTERN_${name}`, value] as const)

  it('has every secret setting in the table of credentials', () => {
    const secrets = settingsReference().filter(({ secret }) => secret)
    expect(secrets.filter(({ name }) => !credentials.some(([known]) => known === name))).toEqual([])
  })

  it.each(SOURCES)('drops one trailing line end of a setting from %s', (_, sources) => {
    for (const [name, value] of [...credentials, ['POSTERN_PORT', '9'], ['POSTERN_DATA', '/data']] as const) {
      const expected = JSON.stringify(revealed(parseSettings(sources(name, value))))
      for (const end of ['\n', '\r\n'])
        expect(JSON.stringify(revealed(parseSettings(sources(name, value + end)))), name).toBe(expected)
    }
  })

  it.each(SOURCES)(
    'refuses other white space and control characters around a credential from %s by its name',
    (_, sources) => {
      for (const [name, value] of credentials.filter(([name]) => name !== 'POSTERN_FORMER_ROOT_KEYS')) {
        const wrong = ['\n\n', '\r', ' ', '\t', '\0', '\u00a0', '\r\n\n'].map((end) => value + end)
        for (const given of [
          ...wrong,
          ` ${value}`,
          `\n${value}`,
          `\ufeff${value}`,
          `${value.slice(0, 3)}\n${value.slice(3)}`,
        ]) {
          expect(complaintsOf(() => parseSettings(sources(name, given)))).toEqual([name])
          expect(refusalFrom(() => parseSettings(sources(name, given))).message).not.toContain(value)
        }
      }
    },
  )

  it('reads a root key that an editor ended with a line break', () => {
    const { rootKey } = parseSettings({ environment: {}, secrets: { postern_root_key: `${ROOT_KEY}\n` } })
    expect(Buffer.from(rootKey!.reveal()).toString('base64url')).toBe(ROOT_KEY)
  })

  it('accepts several former root keys, except the root key or the next one', () => {
    const [other, third] = ['A', 'B'].map((first) => first + ROOT_KEY.slice(1).replaceAll('Q', first)) as [
      string,
      string,
    ]
    const { formerRootKeys } = parse({ POSTERN_ROOT_KEY: ROOT_KEY, POSTERN_FORMER_ROOT_KEYS: `${other}, ${third}` })
    expect(formerRootKeys.map((key) => Buffer.from(key.reveal()).toString('base64url'))).toEqual([other, third])
    const wrong = [
      { POSTERN_ROOT_KEY: ROOT_KEY, POSTERN_FORMER_ROOT_KEYS: `${other},${ROOT_KEY}` },
      { POSTERN_ROOT_KEY: ROOT_KEY, POSTERN_FORMER_ROOT_KEYS: other, POSTERN_NEXT_ROOT_KEY: other },
      { POSTERN_ROOT_KEY: ROOT_KEY, POSTERN_NEXT_ROOT_KEY: ROOT_KEY },
    ]
    for (const given of wrong) expect(complaintsOf(() => parse(given))).toEqual(['POSTERN_FORMER_ROOT_KEYS'])
  })

  it.each(['/var/lib/postern\r', ' /var/lib/postern', '/var/lib/postern\n\n', ' ', '/var/lib\0/postern'])(
    'row 62: refuses a data folder whose spelling names another folder: %j',
    (data) => {
      for (const sources of [
        { environment: { POSTERN_DATA: data } },
        { environment: {}, secrets: { postern_data: data } },
      ])
        expect(() => parseSettings(sources)).toThrow('POSTERN_DATA: Must not have control characters')
    },
  )

  it('treats an empty value as absent', () => {
    expect(parse({ POSTERN_PORT: '', POSTERN_ROOT_KEY: '' })).toEqual(parse({}))
  })

  it('reads nested settings from names with two underscores', () => {
    const { tls } = parse({ POSTERN_TLS__CERT_FILE: '/c', POSTERN_TLS__KEY_FILE: '/k' })
    expect(tls).toEqual({ certFile: '/c', keyFile: '/k' })
  })

  it('reads comma-separated lists and trims their items', () => {
    const { trustedProxies } = parse({ POSTERN_TRUSTED_PROXIES: ' 10.0.0.0/8 , 2001:db8::/32,' })
    expect(trustedProxies).toHaveLength(2)
    expect(trustedProxies.map((range) => inRange('10.1.2.3', range))).toEqual([true, false])
  })

  it.each(['["10.0.0.0/8", "2001:db8::/32"]', ' ["10.0.0.0/8","2001:db8::/32"] '])(
    'reads a list in JSON as one with commas: %s',
    (given) => {
      const lists = [given, '10.0.0.0/8,2001:db8::/32'].map((list) => parse({ POSTERN_TRUSTED_PROXIES: list }))
      expect(lists[0]!.trustedProxies.map(String)).toEqual(lists[1]!.trustedProxies.map(String))
      expect(lists[0]!.trustedProxies.map((range) => inRange('10.1.2.3', range))).toEqual([true, false])
    },
  )

  it('reads an empty list in JSON', () => {
    expect(parse({ POSTERN_SECURITY__REFUSAL_RATE: '[]' }).security.refusalRate).toEqual([])
    expect(() => parse({ POSTERN_SECURITY__ALLOWED_IP_RANGES: '[]' })).toThrow('at least one item')
  })

  it.each([
    [['true', 'True', 'TRUE', 't', 'yes', 'Y', 'on', '1'], true],
    [['false', 'False', 'FALSE', 'f', 'no', 'N', 'off', '0'], false],
  ])('reads a flag as people write it: %j', (words, expected) => {
    for (const word of words) expect(parse({ POSTERN_METRICS: word }).metrics).toBe(expected)
  })

  it('hides secrets', () => {
    const token = mintToken('acme', new Uint8Array(32)).text.reveal()
    const settings = parse({ POSTERN_ROOT_KEY: ROOT_KEY, POSTERN_AUDIT__ANCHOR_TOKEN: token })
    expect(settings.audit.anchorToken?.reveal()).toBe(token)
    expect(settings.rootKey).toBeInstanceOf(Redacted)
    const shown = JSON.stringify(settings) + inspect(settings, { depth: Infinity, showHidden: true })
    expect(leaks(shown, [token, ROOT_KEY])).toEqual([])
    expect(shown).not.toContain('28, 29, 30, 31')
  })

  it('is frozen throughout', () => {
    const settings = parse({ POSTERN_TRUSTED_PROXIES: '10.0.0.0/8', POSTERN_CLIENT_ADDRESS: 'forwarded' })
    const mutable: string[] = []
    const walk = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) mutable.push(path)
      for (const [key, child] of Object.entries(value)) walk(child, `${path}.${key}`)
    }
    walk(settings, 'settings')
    expect(mutable).toEqual([])
    expect(() => Object.assign(settings.tls, { certFile: 'x' })).toThrow(TypeError)
    expect(() => (settings as { port: number }).port++).toThrow(TypeError)
    expect(() => (settings.trustedProxies as unknown[]).push(1)).toThrow(TypeError)
  })

  it.each([
    ['POSTERN_PORT', '65536'],
    ['POSTERN_PORT', '-1'],
    ['POSTERN_PORT', '80.5'],
    ['POSTERN_PORT', '0x50'],
    ['POSTERN_PORT', ' 80'],
    ['POSTERN_PORT', '1e3'],
    ['POSTERN_REQUEST_TIMEOUT_MS', '600001'],
    ['POSTERN_BODY_TIMEOUT_MS', '5s'],
    ['POSTERN_BODY_TIMEOUT_MS', '10000'],
    ['POSTERN_DEBUG', 'yes!'],
    ['POSTERN_DEBUG', '2'],
    ['POSTERN_DEBUG', ' true'],
    ['POSTERN_TRUSTED_PROXIES', '["10.0.0.0/8"'],
    ['POSTERN_TRUSTED_PROXIES', '["10.0.0.0/8", 4]'],
    ['POSTERN_TRUSTED_PROXIES', '["10.0.0.0/8,10.1.0.0/16"]'],
    ['POSTERN_SECURITY__SECRET_COMPLEXITY_MIN_LENGTH', '0'],
    ['POSTERN_ENVIRONMENT', 'prod'],
    ['POSTERN_ROOT_KEY', 'short'],
    ['POSTERN_FORMER_ROOT_KEYS', 'short'],
    ['POSTERN_FORMER_ROOT_KEYS', `${ROOT_KEY},short`],
    ['POSTERN_FORMER_ROOT_KEYS', `${ROOT_KEY},${ROOT_KEY}`],
    ['POSTERN_NEXT_ROOT_KEY', 'short'],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/8,10.0.0.1/8'],
    ['POSTERN_TRUSTED_PROXIES', '*'],
  ])('refuses %s=%s', (name, value) => {
    expect(complaintsOf(() => parse({ [name]: value }))).toEqual([name])
  })

  it.each([
    ['POSTERN_PORT', '0', 'port', 0],
    ['POSTERN_PORT', '65535', 'port', 65_535],
    ['POSTERN_REQUEST_TIMEOUT_MS', '600000', 'requestTimeoutMs', 600_000],
    ['POSTERN_BODY_TIMEOUT_MS', '100', 'bodyTimeoutMs', 100],
    ['POSTERN_BODY_TIMEOUT_MS', '9999', 'bodyTimeoutMs', 9999],
    ['POSTERN_DEBUG', 'true', 'debug', true],
    ['POSTERN_ENVIRONMENT', 'test', 'environment', 'test'],
  ] as const)('takes %s=%s', (name, value, key, expected) => {
    expect(parse({ [name]: value })[key satisfies keyof Settings]).toBe(expected)
  })

  it('names the replacement of a former setting, and shows no value', () => {
    const value = canary()
    const error = refusalFrom(() => parse({ POSTERN_BOOTSTRAP_TOKEN: value }))
    expect(error.message).toMatch(/POSTERN_BOOTSTRAP_TOKEN: .*npm run mint -- VAULT/)
    expect(leaks(shownBy(error), [value])).toEqual([])
  })

  it('names all invalid and unknown settings of all sources at once, without values', () => {
    const secret = canary()
    const names = [
      'POSTERN_BODY_TIMEOUT_MS',
      'POSTERN_BOOTSTRAP_TOKEN',
      'POSTERN_DEBUG',
      'POSTERN_ENVIRONMENT',
      'POSTERN_PORT',
      'POSTERN_REQUEST_TIMEOUT_MS',
      'POSTERN_ROOT_KEY',
      'POSTERN_TRUSTED_PROXIES',
    ]
    const sources = {
      environment: { ...Object.fromEntries(names.map((name) => [name, secret])), POSTERN_ROOTKEY: secret },
      dotenv: { POSTERN_HOTS: secret },
      secrets: { postern_tls_cert_file: secret },
    }
    const unknown = ['POSTERN_HOTS', 'POSTERN_ROOTKEY', 'POSTERN_TLS_CERT_FILE']
    expect(complaintsOf(() => parseSettings(sources))).toEqual([...names, ...unknown].toSorted())
    expect(leaks(shownBy(refusalFrom(() => parseSettings(sources))), [secret])).toEqual([])
  })

  it.each([
    ['POSTERN_HOTS', 'POSTERN_HOST'],
    ['POSTERN_ROOTKEY', 'POSTERN_ROOT_KEY'],
    ['postern_root_key', 'POSTERN_ROOT_KEY'],
    ['POSTERN_TLS_CERT_FILE', 'POSTERN_TLS__CERT_FILE'],
    ['POSTERN_CERT_FILE', 'POSTERN_TLS__CERT_FILE'],
    ['POSTERN_AWS_REGION', 'POSTERN_PROVIDERS__AWS_REGION'],
    ['POSTERN_PROVIDER__AWS_REGION', 'POSTERN_PROVIDERS__AWS_REGION'],
    ['POSTERN_SECURITY__REQUIRE_MFA_ADMIN', 'POSTERN_SECURITY__REQUIRE_MFA_FOR_ADMIN'],
    ['POSTERN_ENVIROMENT', 'POSTERN_ENVIRONMENT'],
    ['POSTERN_TOKENS', null],
    ['POSTERN_SOMETHING_ELSE_ENTIRELY', null],
    [`POSTERN_${'X'.repeat(10_000)}`, null],
  ])('refuses the unknown setting %.60s and proposes %s', (name, nearest) => {
    for (const sources of [{ environment: { [name]: '1' } }, { environment: {}, dotenv: { [name]: '1' } }]) {
      const { message } = refusalFrom(() => parseSettings(sources))
      const advice = nearest === null ? '' : `. Did you mean ${nearest}?`
      expect(message).toBe(`Settings are invalid\n  ${name}: Unknown setting${advice}`)
    }
  })

  it.each([
    ...['ENV', 'TOKEN', 'TOKEN_FILE', 'URL', 'VAULT', 'PROFILE', 'ID_TOKEN_FILE', 'IMPORT_KEY', 'IMPORT_PASSPHRASE'],
    ...['HANDOVER', 'VECTORS', 'BENCH_SECONDS', 'LIVE_AWS_REGION', 'ENDPOINT', 'SECRETS_DIR', 'SITE', 'UPSTREAM'],
    ...['SERVICE_HOST', 'PORT_8787_TCP', 'MAIN_SERVICE_PORT'],
  ])('takes no notice of POSTERN_%s, which is not a setting of the server', (name) => {
    const named = { [`POSTERN_${name}`]: 'x' }
    expect(parse(named)).toEqual(parse({}))
    expect(parseSettings({ environment: {}, dotenv: named, secrets: named })).toEqual(parse({}))
  })

  it('refuses time limits that leave no time for the answer', () => {
    const times = (request: string, body: string) => ({
      POSTERN_REQUEST_TIMEOUT_MS: request,
      POSTERN_BODY_TIMEOUT_MS: body,
    })
    expect(complaintsOf(() => parse(times('199', '100')))).toEqual(['POSTERN_REQUEST_TIMEOUT_MS'])
    expect(parse(times('200', '199'))).toMatchObject({ requestTimeoutMs: 200, bodyTimeoutMs: 199 })
    expect(complaintsOf(() => parse(times('200', '200')))).toEqual(['POSTERN_BODY_TIMEOUT_MS'])
  })

  it('reports rules across settings together with invalid settings', () => {
    const complaints = complaintsOf(() =>
      parse({
        POSTERN_BODY_TIMEOUT_MS: 'x',
        POSTERN_DEBUG: 'true',
        POSTERN_ENVIRONMENT: 'production',
        POSTERN_HOST: '0.0.0.0',
        POSTERN_TLS__KEY_FILE: '/k',
      }),
    )
    expect(complaints).toEqual(['POSTERN_BODY_TIMEOUT_MS', 'POSTERN_DEBUG', 'POSTERN_HOST', 'POSTERN_TLS__KEY_FILE'])
  })

  it('ignores foreign names, and the variables that Kubernetes sets for a service named postern', () => {
    const environment = {
      PATH: '/bin',
      POSTER: 'x',
      MY_POSTERN_PORT: 'x',
      POSTERN_PORT: 'tcp://10.96.0.1:8787',
      POSTERN_SERVICE_HOST: '10.96.0.1',
      POSTERN_SERVICE_PORT: '8787',
      POSTERN_SERVICE_PORT_HTTP: '8787',
      POSTERN_PORT_8787_TCP: 'tcp://10.96.0.1:8787',
      POSTERN_PORT_8787_TCP_ADDR: '10.96.0.1',
      POSTERN_PORT_8787_TCP_PORT: '8787',
      POSTERN_PORT_8787_TCP_PROTO: 'tcp',
    }
    expect(parse(environment)).toEqual(parse({}))
  })

  it.each([
    ...[['127.0.0.1'], ['::1'], ['localhost'], ['127.0.0.2'], ['127.255.255.254']],
    ...[
      ['[::1]', '::1'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['[0000::0001]', '::1'],
      ['::ffff:127.0.0.1', '127.0.0.1'],
    ],
    ...[
      ['LOCALHOST', 'localhost'],
      ['localhost.', 'localhost'],
      [' 127.0.0.1', '127.0.0.1'],
      ['\t::1\r', '::1'],
    ],
  ])('binds loopback as %j without TLS', (given, host = given) => {
    expect(parse({ POSTERN_HOST: given }).host).toBe(host)
  })

  it.each([
    ['127.1', 'four decimal parts'],
    ['2130706433', 'four decimal parts'],
    ['0x7f000001', 'four decimal parts'],
    ['127.0.0.01', 'four decimal parts'],
    ['256.0.0.1', 'four decimal parts'],
    ['::1::', 'four decimal parts'],
    ['[localhost]', 'four decimal parts'],
    ['[::1', 'four decimal parts'],
    ['fe80::1%', 'four decimal parts'],
    ['127.0.0.1%lo', 'four decimal parts'],
    ['a b', 'four decimal parts'],
    ['-a', 'four decimal parts'],
    ['*', '0.0.0.0 or ::'],
    ['127.0.0.1:8787', 'Must be 127.0.0.1 alone. The port is POSTERN_PORT'],
    ['[::1]:8787', 'Must be ::1 alone. The port is POSTERN_PORT'],
    ['localhost:8787', 'Must be a host alone. The port is POSTERN_PORT'],
    ['http://127.0.0.1', 'without a scheme'],
    ['127.0.0.1/8', 'without a scheme'],
  ])('refuses the host %j and says how to write it', (host, message) => {
    expect(() => parse({ POSTERN_HOST: host })).toThrow(`POSTERN_HOST: Must be `)
    expect(() => parse({ POSTERN_HOST: host })).toThrow(message)
  })

  it.each([
    ['[::]', '::'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['[fe80::1%eth0]', 'fe80::1%eth0'],
    ['Example.COM.', 'example.com'],
  ])('reads the host %j as %j', (given, host) => {
    const tls = { POSTERN_TLS__CERT_FILE: '/c', POSTERN_TLS__KEY_FILE: '/k' }
    expect(parse({ POSTERN_HOST: given, ...tls }).host).toBe(host)
    expect(complaintsOf(() => parse({ POSTERN_HOST: given }))).toEqual(['POSTERN_HOST'])
  })

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '127.0.0.1.example.com', 'localhost.example'])(
    'binds %s only behind TLS or a declared proxy',
    (host) => {
      const wide = { POSTERN_HOST: host }
      const tls = { POSTERN_TLS__CERT_FILE: '/c', POSTERN_TLS__KEY_FILE: '/k' }
      expect(complaintsOf(() => parse(wide))).toEqual(['POSTERN_HOST'])
      expect(parse({ ...wide, ...tls }).host).toBe(host)
      for (const header of ['forwarded', 'rfc7239']) {
        const behind = { POSTERN_TRUSTED_PROXIES: '10.0.0.0/8', POSTERN_CLIENT_ADDRESS: header }
        expect(parse({ ...wide, ...behind }).host).toBe(host)
      }
      expect(complaintsOf(() => parse({ ...wide, POSTERN_TRUSTED_PROXIES: ' , ' }))).toEqual(['POSTERN_HOST'])
    },
  )

  it('refuses a certificate without its key, and a key without its certificate', () => {
    expect(complaintsOf(() => parse({ POSTERN_TLS__CERT_FILE: '/c' }))).toEqual(['POSTERN_TLS__KEY_FILE'])
    expect(complaintsOf(() => parse({ POSTERN_TLS__KEY_FILE: '/k' }))).toEqual(['POSTERN_TLS__KEY_FILE'])
  })

  it('refuses debug in production only', () => {
    const debug = { POSTERN_DEBUG: 'true' }
    expect(complaintsOf(() => parse({ ...debug, POSTERN_ENVIRONMENT: 'production' }))).toEqual(['POSTERN_DEBUG'])
    expect(parse({ ...debug, POSTERN_ENVIRONMENT: 'test' }).debug).toBe(true)
    expect(parse({ POSTERN_ENVIRONMENT: 'production' }).environment).toBe('production')
  })
})

describe('describeSettings', () => {
  const described = settingsReference()

  it('lists every setting once, by its variable', () => {
    const names = described.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const known = [
      'POSTERN_APP_NAME',
      'POSTERN_BODY_TIMEOUT_MS',
      'POSTERN_DATA',
      'POSTERN_DEBUG',
      'POSTERN_ENVIRONMENT',
      'POSTERN_HOST',
      'POSTERN_PORT',
      'POSTERN_REQUEST_TIMEOUT_MS',
      'POSTERN_ROOT_KEY',
      'POSTERN_TLS__CERT_FILE',
      'POSTERN_TLS__KEY_FILE',
      'POSTERN_TRUSTED_PROXIES',
    ]
    expect(names).toEqual(expect.arrayContaining(known))
  })

  it('describes the purpose, the type and the default of each setting', () => {
    for (const { description, type } of described) {
      expect(description).toMatch(/^[A-Z].*\.$/s)
      expect(type).not.toBe('')
    }
    const of = (name: string) => described.find((one) => one.name === name)!
    expect(of('POSTERN_PORT')).toMatchObject({ type: '0 to 65535', fallback: '8787', secret: false })
    expect(of('POSTERN_ENVIRONMENT').type).toBe('`development`, `test`, `production`')
    expect(of('POSTERN_ROOT_KEY')).toMatchObject({ fallback: null, secret: true })
    expect(of('POSTERN_TLS__CERT_FILE').fallback).toBeNull()
  })

  it('states defaults that parse to themselves', () => {
    const defaults = described.flatMap(({ name, fallback }) => (fallback === null ? [] : [[name, fallback]]))
    expect(defaults.length).toBeGreaterThan(5)
    expect(parse(Object.fromEntries(defaults))).toEqual(parse({}))
  })
})
