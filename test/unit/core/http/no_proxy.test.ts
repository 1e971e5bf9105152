/** Which hosts are reached without the proxy. */
import { describe, expect, it } from 'vitest'
import { isExempt, parseProxyExemption } from '../../../../core/http/no_proxy.ts'

const isDirect = (list: string, url: string) =>
  isExempt(new URL(url), list.split(',').filter(Boolean).map(parseProxyExemption))

describe('isExempt', () => {
  it.each<[string, string, boolean]>([
    ['example.com', 'https://example.com/', true],
    ['example.com', 'https://EXAMPLE.com./', true],
    ['example.com', 'https://a.b.example.com/', true],
    ['example.com', 'https://notexample.com/', false],
    ['example.com', 'https://example.com.evil.test/', false],
    ['EXAMPLE.COM.', 'https://a.example.com/', true],
    ['.example.com', 'https://a.example.com/', true],
    ['.example.com', 'https://example.com/', false],
    ['*.example.com', 'https://a.example.com/', true],
    ['*.example.com', 'https://example.com/', false],
    ['.svc', 'https://vault.vault.svc:8200/', true],
    ['example.com:8200', 'https://example.com:8200/', true],
    ['example.com:8200', 'https://example.com/', false],
    ['example.com:443', 'https://example.com/', true],
    ['.example.com:443', 'https://a.example.com/', true],
    ['10.0.0.5', 'https://10.0.0.5:8200/', true],
    ['10.0.0.5:8200', 'https://10.0.0.5:8200/', true],
    ['10.0.0.5:8200', 'https://10.0.0.5/', false],
    ['10.0.0.0/8', 'https://10.200.0.5/', true],
    ['10.0.0.0/8', 'https://11.0.0.5/', false],
    ['10.0.0.0/8', 'https://10.example.com/', false],
    ['fd00::/8', 'https://[fd00:1::5]:8200/', true],
    ['fd00::5', 'https://[FD00:0::5]/', true],
    ['[fd00::5]', 'https://[fd00::5]/', true],
    ['[fd00::5]:8200', 'https://[fd00::5]:8200/', true],
    ['[fd00::5]:8200', 'https://[fd00::5]/', false],
    ['10.0.0.0/8', 'https://[::ffff:10.0.0.1]/', true],
    ['*', 'https://example.com/', true],
    ['a.test,b.test', 'https://b.test/', true],
    ['', 'https://example.com/', false],
    // This machine and its link are never behind a proxy.
    ['', 'http://127.0.0.1:8200/', true],
    ['', 'https://127.8.8.8/', true],
    ['', 'https://LOCALHOST./', true],
    ['', 'https://[::1]/', true],
    ['', 'http://169.254.169.254/', true],
    ['', 'http://[fd00:ec2::254]/', true],
    ['', 'https://localhost.example.com/', false],
  ])('decides for the list %j and %s: %j', (list, url, direct) => {
    expect(isDirect(list, url)).toBe(direct)
  })
})

describe('parseProxyExemption', () => {
  it.each([
    '',
    '.',
    '*.',
    'a b',
    'http://a.test',
    'a.test:',
    'a.test:0',
    'a.test:port',
    '[a.test]',
    '**.test',
    'a*.test',
    '::1]',
    '-',
    'a..b',
  ])('refuses %j', (item) => {
    expect(() => parseProxyExemption(item)).toThrow('Must be names')
  })

  it('proposes the range without host bits', () => {
    expect(() => parseProxyExemption('10.1.2.3/8')).toThrow('10.0.0.0/8 has none')
  })
})
