/** One list of the forms of credentials, for logs and for the editor: neither recognizes less than it did with a list of its own. */
import { describe, expect, it } from 'vitest'
import { CREDENTIAL_FORMS, CREDENTIAL_TRACE } from '../../../core/credential_forms.ts'
import { cleanse, isClean } from '../../../core/sanitize.ts'
import { detect, looksSecret } from '../../../core/text/detect.ts'
import { growth } from '../../support/growth.ts'

// Put together here, so that no scanner takes this file for a leak. The checksums are right.
const join = (...parts: string[]) => parts.join('')
const letters = (length: number) => 'aB3dE5gH7jK9mN1pQ2sT4vW6xY8z'.repeat(80).slice(0, length)

/** A whole credential of each form. */
const WHOLE: [string, string][] = [
  ['private-key', join('-----BEGIN ', 'EC PRIVATE KEY-----\n', letters(64), '\n-----END EC PRIVATE KEY-----')],
  ['github-token', join('ghp_', 'zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ', '0mLq17')],
  ['github-token', join('github_pat_', letters(22), '_', letters(59))],
  ['npm-token', join('npm_', 'zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ', '0mLq17')],
  ['aws-access-key', join('ASIA', 'IOSFODNN7EXAMPLE')],
  ['slack-token', join('xoxb-', '123456789012-', letters(12))],
  ['stripe-key', join('rk_', 'live_', letters(24))],
  ['google-key', join('AIza', letters(35))],
  ['gitlab-token', join('glpat-', letters(20))],
  ['sendgrid-key', join('SG.', letters(22), '.', letters(43))],
  ['api-key', join('sk-', 'ant-', letters(40))],
  ['postern-token', join('pss_acme_', letters(65))],
  ['postern-ticket', join('pso_acme_', letters(80))],
  ['vault-token', join('hvs.', letters(90))],
  ['jwt', join('eyJ', letters(20), '.eyJ', letters(30), '.', letters(43))],
  ['azure-key', join('AccountKey=', letters(86), '==')],
  ['password-in-url', 'postgres://app:h4rd2guess@db.example.com/x'],
]

/** What the log took out when it had a list of its own: also a credential that was cut. */
const TRACES = [
  join('pst_', 'a_', letters(20)),
  join('pss_', 'a_', letters(20)),
  join('pso_', 'a_', letters(20)),
  join('hvs.', letters(20)),
  join('AKIA', '0123456789ABCDEF'),
  ...['o', 'p', 'r', 's', 'u'].map((kind) => join('gh', kind, '_', letters(20))),
  join('github_pat_', letters(20)),
  join('eyJ', letters(8), '.', letters(8)),
  join('-----BEGIN ', 'CERTIFICATE-----'),
]

describe('the list', () => {
  it('has an example for each form', () => {
    expect(WHOLE.map(([kind]) => kind)).toEqual(CREDENTIAL_FORMS.map(({ kind }) => kind))
  })

  it.each(WHOLE)('lets the editor find a %s', (kind, credential) => {
    expect(detect(`see "${credential}" here`).map((finding) => finding.kind)).toEqual([kind])
    expect(looksSecret(credential)).toBe(true)
  })

  const traces = new Set(CREDENTIAL_FORMS.filter(({ trace }) => trace).map(({ kind }) => kind))
  const traced = WHOLE.filter(([kind]) => traces.has(kind)).map(([, credential]) => credential)
  it.each([...traced, ...TRACES])('makes a log redact %s', (credential) => {
    const cleansed = cleanse(`agent/1 (${credential})`)
    expect(cleansed).toMatch(/^agent\/1 \(<redacted>/)
    expect([isClean(`{"agent":"${credential.split('\n')[0]}"}`), isClean(JSON.stringify(cleansed))]).toEqual([
      false,
      true,
    ])
  })

  it('leaves words alone that only look similar', () => {
    for (const text of [
      'npm_config_registry',
      'task-force-of-the-whole-company-and-its-friends',
      'SG.1',
      'disk-proj-1',
      'slack/xoxb',
    ])
      expect([cleanse(text), detect(text)]).toEqual([text, []])
  })

  it('keeps names that begin like a token readable in the log', () => {
    for (const name of ['slack/xoxb-production-bot', 'gitlab/glpat-for-the-release-pipeline']) {
      expect(cleanse(name)).toBe(name)
    }
  })

  it('takes time linear in its input', () => {
    for (const hostile of ['eyJaaaaaaaa', 'pst_a', 'SG.', '-----BEGIN A', 'xoxb']) {
      const [small, large] = [2000, 32_000].map((times) => hostile.repeat(times)) as [string, string]
      const search = (text: string) => () => text.replace(CREDENTIAL_TRACE, '')
      expect(growth(search(small), search(large), 128)).toBeLessThan(128)
    }
  })
})
