/** Instances of providers, through the API. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canary } from '../../../support/canary.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-instances-'))
const VALUE = canary()
const file = join(folder, 'store.json')
writeFileSync(file, JSON.stringify({ 'ours/db': VALUE, 'theirs/db': VALUE }))

const environment = {
  POSTERN_METRICS: 'true',
  POSTERN_PROVIDERS__ATTEMPT_MS: '5000',
  POSTERN_PROVIDERS__DEADLINE_MS: '9000',
  POSTERN_PROVIDERS__TEAM_STORE__KIND: 'file',
  POSTERN_PROVIDERS__TEAM_STORE__PATH: file,
  POSTERN_PROVIDERS__TEAM_STORE__VAULTS: 'default',
  POSTERN_PROVIDERS__TEAM_STORE__NAME_PREFIX: 'ours',
  POSTERN_PROVIDERS__HIDDEN_STORE__KIND: 'file',
  POSTERN_PROVIDERS__HIDDEN_STORE__PATH: file,
  POSTERN_PROVIDERS__HIDDEN_STORE__VAULTS: 'other',
  POSTERN_PROVIDERS__UNUSED_STORE__KIND: 'file',
  POSTERN_PROVIDERS__UNUSED_STORE__PATH: file,
}
const chain = (provider: string) => ({ resource: '**', members: [{ provider }] })

describe('an instance', () => {
  it('keeps the secrets of a vault that may use it, under its prefix', async () => {
    const { admin, log } = await openApp(null, { environment })
    await admin.putChain('all', chain('team-store'))
    const { value, provider } = await admin.get('db')
    expect([value.reveal(), provider]).toEqual([VALUE, 'team-store'])
    expect(log().at(-1)).toMatchObject({ operation: 'secret.provided', facts: { provider: 'team-store' } })
    expect((await admin.providers()).items.map(({ id, kind }) => [id, kind])).toEqual([['team-store', 'file']])
  })

  it('is unknown to a vault that may not use it: its answers are those for a provider that is missing', async () => {
    const { admin, send, log } = await openApp(null, { environment })
    const put = (provider: string) =>
      send('/v1/vaults/default/chains/x', { method: 'PUT', body: JSON.stringify(chain(provider)) })
    const answers = ['hidden-store', 'unused-store', 'missing-store'].map(async (id) => {
      const response = await put(id)
      const { requestId: _, instance: __, auditIndex: ___, ...problem } = JSON.parse(await response.text())
      return JSON.stringify([response.status, problem]).replaceAll(id, 'ID')
    })
    expect(new Set(await Promise.all(answers)).size).toBe(1)
    await admin.putChain('all', chain('team-store'))
    const paths = ['/v1/vaults/default/providers', '/v1/vaults/default/chains', '/readyz', '/healthz']
    const shown = await Promise.all(paths.map(async (path) => (await send(path)).text()))
    const entries = log().filter(({ operation }) => operation !== 'chain.put')
    expect(JSON.stringify([shown, entries])).not.toMatch(/hidden.store|unused.store/i)
    expect(shown[0]).toContain('team-store')
  })

  it('is shown to strangers by no page but the metrics that an operator asked for', async () => {
    const { send, answer } = await openApp(null, { environment })
    const ready = await answer(new Request('http://127.0.0.1/readyz'))
    expect(await ready.json()).toEqual({ status: 'up' })
    const metrics = await (await send('/metrics')).text()
    expect(metrics).toContain('postern_provider_state{provider="hidden-store",state="up"} 1')
  })

  it.each(['TEAM_STORE', 'Team-Store', '-team', 'a--b', 'x'.repeat(65), ''])(
    'has no id like %j in a chain',
    async (provider) => {
      const { send } = await openApp(null, { environment })
      const body = JSON.stringify(chain(provider))
      const response = await send('/v1/vaults/default/chains/x', { method: 'PUT', body })
      expect([response.status, ((await response.json()) as { field: string }).field]).toEqual([
        400,
        'members.0.provider',
      ])
    },
  )
})
