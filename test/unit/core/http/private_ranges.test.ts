/** Private ranges that an operator opens for stores. */
import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../../core/addresses.ts'
import { checkUrl, parsePrivateRange } from '../../../../core/http/address_guard.ts'
import { send } from '../../../../core/http/send.ts'
import { configuredProviders } from '../../../../core/provider_registry/from_settings.ts'
import { parseBaseUrl } from '../../../../core/providers/request.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { canary } from '../../../support/canary.ts'

const privateRanges = ['10.0.0.0/8', 'fd00::/8', '100.64.0.0/10'].map(parsePrivateRange)

describe('row 13: a private range', () => {
  it.each([
    'https://10.0.0.5:8200/',
    'https://10.255.255.255/',
    'https://[fd00::5]/',
    'https://[::ffff:10.1.2.3]/',
    'https://100.64.0.9/',
  ])('opens %s, and only where it is given', (url) => {
    expect(() => checkUrl(url, { privateRanges })).not.toThrow()
    expect(() => checkUrl(url)).toThrow('It is in a private network')
    expect(() => checkUrl(url, { allowLoopback: true })).toThrow('It is in a private network')
    expect(() => checkUrl(url, { privateRanges: [parsePrivateRange('192.168.7.0/24')] })).toThrow('private network')
  })

  it.each([
    'http://10.0.0.5:8200/',
    'https://192.168.0.1/',
    'https://11.0.0.1@192.168.0.1/',
    'https://user@10.0.0.5/',
    'https://169.254.169.254/',
    'https://[fd00:ec2::254]/',
    'https://[fd00:ec2::23]/',
    'https://[fd20:ce::254]/',
    'https://[fd00:c1::a9fe:a9fe]/',
    'https://100.100.100.200/',
    'https://[fe80::1]/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://0.0.0.0/',
    'https://metadata.google.internal/',
  ])('does not open %s', async (url) => {
    const all = ['10.0.0.0/8', 'fc00::/7', '100.64.0.0/10'].map(parsePrivateRange)
    expect(() => checkUrl(url, { privateRanges: all })).toThrow('Address must be https')
    const fetch = () => Promise.reject(new Error('was sent'))
    await expect(send(url, {}, { privateRanges: all, fetch })).rejects.toMatchObject({ code: 'bad_request' })
  })

  it.each([
    '0.0.0.0/0',
    '8.0.0.0/8',
    '169.254.0.0/16',
    '127.0.0.0/8',
    '10.0.0.0/7',
    '::/0',
    'fe80::/10',
    '192.0.0.0/8',
    '::1',
  ])('cannot be %s', (range) => {
    // Some are not even ranges without host bits.
    expect(() => parsePrivateRange(range)).toThrow(/Must be ranges within 10\.0\.0\.0\/8|host bits/)
  })

  it('may be an address, or a part of a private network', () => {
    expect(['10.0.0.5', '172.16.0.0/12', '192.168.4.0/24', 'fc00::/7'].map((one) => parsePrivateRange(one))).toEqual(
      ['10.0.0.5', '172.16.0.0/12', '192.168.4.0/24', 'fc00::/7'].map((one) => parseRange(one)),
    )
  })
})

describe('the address of a store', () => {
  it.each([
    ['https://10.0.0.5:8200', '10.0.0.5 is a private address. List its range in POSTERN_PROVIDERS__PRIVATE_RANGES'],
    ['https://[fd12::1]', 'fd12::1 is a private address'],
    ['http://vault.vault.svc:8200', 'Must begin with https://'],
    ['http://10.0.0.5:8200', 'Must begin with https://'],
    ['https://localhost:8200', 'Set POSTERN_PROVIDERS__ALLOW_LOOPBACK=true'],
    ['http://127.0.0.2:8200', 'Set POSTERN_PROVIDERS__ALLOW_LOOPBACK=true'],
    ['https://169.254.169.254', '169.254.169.254 is reserved'],
    ['https://metadata.google.internal', 'This host is reserved'],
    ['vault.example:8200', 'Must be a URL such as https://host'],
    ['https://a:b@vault.example', 'Must have no user name and no password'],
  ])('is refused as %s, with the way out', (url, message) => {
    expect(() => parseBaseUrl(url, 'address', {})).toThrow(message)
  })

  it('is not quoted when it may hold a credential', () => {
    const value = canary().replaceAll(/[^A-Za-z0-9]/g, 'x')
    for (const url of [`https://${value}:x@10.0.0.5/`, `${value}://host`, `https://${value}@vault.example`]) {
      expect(() => parseBaseUrl(url, 'address', {})).toThrow(/^(?!.*canary)(?:Must be a URL|Must have no user name)/i)
    }
  })
})

describe('the settings of the way out', () => {
  const parse = (environment: Record<string, string>) => parseSettings({ environment })

  it.each([
    'https://proxy.test:3128',
    'socks5://proxy.test',
    'proxy.test:3128',
    'http://proxy.test/path',
    'http://proxy.test/?a',
    'http://u:%ZZ@proxy.test',
  ])('refuse the proxy %s', (proxy) => {
    expect(() => parse({ POSTERN_PROXY: proxy })).toThrow(/POSTERN_PROXY: Must /)
  })

  it('are refused on Workers', () => {
    const settings = {
      POSTERN_CA_FILE: '/ca.pem',
      POSTERN_PROXY: 'http://proxy.test',
      POSTERN_NO_PROXY: 'a.test',
      POSTERN_PROVIDERS__AWS_CA_FILE: '/ca.pem',
      POSTERN_PROVIDERS__HASHICORP_CA_FILE: '/ca.pem',
      POSTERN_PROVIDERS__AZURE_CA_FILE: '/ca.pem',
      POSTERN_PROVIDERS__CUSTOM_PROVIDER_CA_FILE: '/ca.pem',
    }
    for (const [name, value] of Object.entries(settings)) {
      const here = () => parseSettings({ environment: { [name]: value } }, { hasFiles: false })
      expect(here).toThrow(`${name}: Must not be set`)
      expect(() => parse({ [name]: value })).not.toThrow()
    }
  })

  it('name the setting of a private address, for a fixed provider and for an instance', () => {
    const fixed = {
      POSTERN_PROVIDERS__HASHICORP_VAULT_URL: 'https://10.0.0.5:8200',
      POSTERN_PROVIDERS__HASHICORP_VAULT_TOKEN: 't',
    }
    const own = {
      POSTERN_PROVIDERS__EU__KIND: 'hashicorp',
      POSTERN_PROVIDERS__EU__VAULT_URL: 'https://10.0.0.5:8200',
      POSTERN_PROVIDERS__EU__VAULT_TOKEN: 't',
    }
    const advice = '10.0.0.5 is a private address. List its range in POSTERN_PROVIDERS__PRIVATE_RANGES'
    expect(() => parse(fixed)).toThrow(`POSTERN_PROVIDERS__HASHICORP_VAULT_URL: ${advice}`)
    expect(() => parse(own)).toThrow(`POSTERN_PROVIDERS__EU__VAULT_URL: ${advice}`)
    for (const given of [fixed, own]) {
      const { providers } = parse({ ...given, POSTERN_PROVIDERS__PRIVATE_RANGES: '10.0.0.0/8' })
      expect(configuredProviders(providers, { files: null }).size).toBe(1)
    }
  })

  it('read a proxy with credentials, and hide them', () => {
    const settings = parse({ POSTERN_PROXY: 'http://us%40er:p%3Ass@proxy.test:3128/' })
    expect(settings.proxy!.reveal()).toBe('http://us%40er:p%3Ass@proxy.test:3128')
    expect(JSON.stringify(settings)).not.toContain('p%3Ass')
    expect(parse({ POSTERN_PROXY: 'http://[fd00::1]:3128' }).proxy!.reveal()).toBe('http://[fd00::1]:3128')
  })

  it("open the private ranges for the operator's other URLs too", () => {
    const urls = {
      POSTERN_AUDIT__SINK_URL: 'https://10.0.0.5/sink',
      POSTERN_AUDIT__ANCHOR: 'https://10.0.0.5/anchor',
      POSTERN_TRACES__URL: 'https://10.0.0.5/v1/traces',
    }
    for (const [name, url] of Object.entries(urls)) {
      expect(() => parse({ [name]: url })).toThrow(/POSTERN_PROVIDERS__PRIVATE_RANGES/)
      expect(() => parse({ [name]: url, POSTERN_PROVIDERS__PRIVATE_RANGES: '10.0.0.0/24' })).not.toThrow()
    }
  })
})
