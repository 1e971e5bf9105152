import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseSettings } from '../../../../../core/settings/settings.ts'
import { configurationOf } from '../../../../../core/vault/audit/configuration_task.ts'
import { openVault } from '../../../../support/core.ts'

const settingsOf = (environment: Record<string, string>) =>
  configurationOf(parseSettings({ environment: { POSTERN_ROOT_KEY: 'A'.repeat(43), ...environment } }))

const WITNESS = (() => {
  const typed = Buffer.concat([Buffer.of(4), Buffer.alloc(32, 7)])
  const id = createHash('sha256').update('w.test\n').update(typed).digest('hex').slice(0, 8)
  return `w.test+${id}+${typed.toString('base64')}`
})()

describe('a configuration', () => {
  it('names every setting, without secrets or the paths of addresses', () => {
    const shown = settingsOf({
      POSTERN_AUDIT__SINK_URL: 'https://hooks.example.com/T0/canary-path',
      POSTERN_AUDIT__SINK_TOKEN: 'canary-token',
      POSTERN_AUDIT__WITNESSES: `HTTPS://witness.example.com/canary-path ${WITNESS}`,
      POSTERN_AUDIT__ANCHOR: 'HTTPS://anchor.example.com/canary-path',
      POSTERN_SECURITY__ALLOWED_IP_RANGES: '10.0.0.0/8',
    })
    expect(shown).toMatchObject({
      port: '8787',
      'audit.sinkUrl': 'https://hooks.example.com',
      'security.requireMfa': 'false',
    })
    expect(shown.rootKey).toContain('redacted')
    expect(JSON.stringify(shown)).not.toMatch(/canary|AAAA/)
  })

  it('is recorded when it changed since the last opening, before and after', () => {
    const bench = openVault()
    const note = (environment: Record<string, string>) =>
      bench.vault.perform('vault.configure', settingsOf(environment), bench.now)
    note({})
    note({})
    note({ POSTERN_SECURITY__REQUIRE_MFA: 'true' })
    const noted = bench.log().filter(({ operation }) => operation === 'vault.configure')
    expect(noted).toHaveLength(2)
    expect(noted[1]).toMatchObject({
      severity: 'notice',
      principal: null,
      facts: { before: { 'security.requireMfa': 'false' }, after: { 'security.requireMfa': 'true' } },
    })
    expect(Object.keys(noted[1]!.facts.after as object)).toHaveLength(1)
  })
})
