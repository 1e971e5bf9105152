/** Chains, the separation of vaults at providers, and the health of providers. */
import { describe, expect, it } from 'vitest'
import { PosternError } from '../../../../core/errors.ts'
import { bySpecificity } from '../../../../core/patterns.ts'
import type { Provider } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { expectExposition } from '../../../support/exposition.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const hidden = (text: string) => new Redacted(text)

async function refusal(promise: Promise<unknown>) {
  const error = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  const { code, detail } = error as PosternError
  return [code, detail.reason ?? detail.field]
}

const one = (provider: 'aws' | 'azure', more: object = {}) => ({ members: [{ provider, ...more }] })

describe('chains', () => {
  it('are put, listed and deleted by an administrator, and recorded with the state before and after', async () => {
    const { admin, reader, log } = await openApp({ aws: memoryProvider() })
    const first = await admin.putChain('prod', { resource: 'prod/**', ...one('aws') })
    expect(first).toMatchObject({
      ...{ id: 'prod', version: 1, updatedBy: 'admin', onNotFound: 'stop', onDenied: 'stop' },
      ...{ cacheSeconds: 0, maxStaleSeconds: 0, replicate: false },
    })
    await admin.putChain('prod', { resource: 'prod/**', ...one('aws'), cacheSeconds: 30 })
    expect(log().at(-1)).toMatchObject({
      ...{ operation: 'chain.put', action: 'admin', resource: 'chains' },
      facts: { chain: 'prod', before: { version: 1, cacheSeconds: 0 }, after: { version: 2, cacheSeconds: 30 } },
    })
    expect((await admin.chains()).items.map(({ id, version }) => [id, version])).toEqual([['prod', 2]])
    const ann = await reader('ann', '**')
    expect(await refusal(ann.chains())).toEqual(['denied', undefined])
    expect(await refusal(ann.putChain('x', { resource: 'x/*', ...one('aws') }))).toEqual(['denied', undefined])
    expect(await refusal(ann.providers())).toEqual(['denied', undefined])
    await admin.deleteChain('prod')
    expect(log().at(-1)).toMatchObject({ operation: 'chain.delete', facts: { after: null, before: { version: 2 } } })
    expect(await refusal(admin.deleteChain('prod'))).toEqual(['not_found', 'no_chain'])
  })

  it('are refused when they could not work', async () => {
    const { admin, send } = await openApp({ aws: memoryProvider('aws') })
    const cases: [object, string][] = [
      [{ ...one('azure'), resource: 'a/**' }, 'members.0.provider'],
      [{ members: [], resource: 'a/**' }, 'members'],
      [{ members: [{ provider: 'aws' }, { provider: 'aws' }], resource: 'a/**' }, 'members'],
      [{ members: [{ provider: 'gcp' }], resource: 'a/**' }, 'members.0.provider'],
      [{ ...one('aws', { prefix: 'a b' }), resource: 'a/**' }, 'members.0.prefix'],
      [{ ...one('aws', { prefix: '../' }), resource: 'a/**', extra: 1 }, 'body'],
      [{ ...one('aws'), resource: 'a/**/b' }, 'resource'],
      [{ ...one('aws'), resource: 'a/**', onDenied: 'next' }, 'onDenied'],
      [{ ...one('aws'), resource: 'a/**', maxStaleSeconds: 86_401 }, 'maxStaleSeconds'],
      [{ ...one('aws'), resource: 'a/**', cacheSeconds: 3601 }, 'cacheSeconds'],
    ]
    for (const [body, field] of cases) {
      const response = await send('/v1/vaults/default/chains/x', { method: 'PUT', body: JSON.stringify(body) })
      expect([response.status, (await response.json()).field]).toEqual([400, field])
    }
    // Row 12.
    for (const body of [`{"a":"${'x'.repeat(130 * 1024)}"}`, '['.repeat(10_000), '{"resource":"a","resource":"b"}']) {
      const response = await send('/v1/vaults/default/chains/x', { method: 'PUT', body })
      expect([400, 413]).toContain(response.status)
    }
    await admin.putChain('a', { resource: 'a/**', ...one('aws') })
    expect(await refusal(admin.putChain('b', { resource: 'a/**', ...one('aws') }))).toEqual([
      'conflict',
      'pattern_taken',
    ])
  })

  it('overlap by the most specific pattern, independent of ids and order', async () => {
    const patterns = ['**', '*', 'a/**', '*/b', 'a/*', 'a/b', 'a/b/**', 'a/*/c', '*/b/c', 'a/b/c']
    expect(patterns.toSorted(bySpecificity)).toEqual(
      ['a/b/c', 'a/b', 'a/b/**', 'a/*/c', 'a/*', 'a/**', '*/b/c', '*/b', '*', '**'].toSorted(bySpecificity),
    )
    const primary = memoryProvider()
    const other = memoryProvider()
    const { admin } = await openApp({ aws: primary, azure: other })
    for (const name of ['prod/db', 'prod/x/db']) {
      primary.set(name, 'aws')
      other.set(name, 'azure')
    }
    await admin.putChain('z', { resource: '**', ...one('aws') })
    await admin.putChain('a', { resource: 'prod/*', ...one('azure') })
    expect((await admin.get('prod/db')).provider).toBe('azure')
    expect((await admin.get('prod/x/db')).provider).toBe('aws')
    await admin.putChain('m', { resource: 'prod/db', ...one('aws') })
    expect((await admin.get('prod/db')).provider).toBe('aws')
  })

  it('name secrets by a prefix, and refuse names that a provider cannot have', async () => {
    const aws = memoryProvider('aws')
    const azure = memoryProvider('azure')
    const { admin } = await openApp({ aws, azure })
    await admin.putChain('a', { resource: 'a/**', ...one('aws', { prefix: 'Team/' }) })
    await admin.putChain('b', { resource: 'b/**', ...one('azure', { prefix: 'team-' }) })
    aws.set('Team/a/db', 'x')
    await admin.get('a/db')
    azure.set('team-b--db', 'y')
    await admin.get('b/db')
    expect([aws.calls, azure.calls]).toEqual([['get Team/a/db'], ['get team-b--db']])
    // It ends like an ARN.
    aws.set('Team/a/db-abcdef', 'z')
    expect((await admin.get('a/db-abcdef')).value.reveal()).toBe('z')
    // It holds the store's escape for a slash.
    expect(await refusal(admin.put('b/d--b', hidden('x')))).toEqual(['bad_request', 'provider_name'])
    expect(azure.count('put')).toBe(0)
  })

  it('list the names of their primary that the caller may read, a page at a time', async () => {
    const aws = memoryProvider('aws')
    const { admin, reader, log } = await openApp({ aws })
    for (const name of ['in/a', 'in/b', 'in/c', 'in/x/y', 'Strange', 'out/a']) aws.set(`p/${name}`, name)
    aws.set('other/in/a', 'x')
    await admin.putChain('c', { resource: 'in/*', ...one('aws', { prefix: 'p/' }) })
    const ann = await reader('ann', 'in/b')
    const names = async (client: typeof admin, prefix = '') => {
      const found: string[] = []
      for (let cursor: string | undefined; ; ) {
        const page = await client.chainNames('c', { prefix, limit: 2, ...(cursor && { cursor }) })
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
        if (cursor === undefined) return found
      }
    }
    expect(await names(admin)).toEqual(['in/a', 'in/b', 'in/c'])
    expect(await names(ann)).toEqual(['in/b'])
    expect(await names(admin, 'in/c')).toEqual(['in/c'])
    expect(log().at(-1)).toMatchObject({ operation: 'chain.names', facts: { chain: 'c', count: 1 } })
    const stranger = await reader('eve', 'elsewhere/**')
    aws.calls.length = 0
    expect(await refusal(stranger.chainNames('c'))).toEqual(await refusal(stranger.chainNames('none')))
    expect(aws.calls).toEqual([])
    const foreign = await admin.chainNames('c', { limit: 1 })
    expect(await refusal(admin.chainNames('c', { prefix: 'in', cursor: foreign.cursor! }))).toEqual([
      'bad_request',
      'cursor',
    ])
  })
})

describe('vaults at the providers', () => {
  const shared = { POSTERN_PROVIDERS__VAULTS: 'acme,other', POSTERN_PROVIDERS__NAME_PREFIX: 'postern/{vault}' }

  it('use them only if the operator allows it', async () => {
    const aws = memoryProvider('aws')
    const { admin } = await openApp({ aws }, { vault: 'acme' })
    expect(await refusal(admin.putChain('c', { resource: '**', ...one('aws') }))).toEqual([
      'bad_request',
      'members.0.provider',
    ])
    expect((await admin.providers()).items).toEqual([])
  })

  it('cannot use them after the operator withdraws them, with any chain', async () => {
    const aws = memoryProvider('aws')
    aws.set('postern/acme/db', 'x')
    const first = await openApp({ aws }, { vault: 'acme', environment: shared })
    await first.admin.putChain('c', { resource: '**', ...one('aws') })
    expect((await first.admin.get('db')).provider).toBe('aws')
    const { token } = await first.admin.createToken({ principal: 'admin' })
    const again = await openApp({ aws }, { vault: 'acme', sql: first.sql })
    expect(await refusal(again.open(token).get('db'))).toEqual(['unavailable', 'provider_missing'])
    expect(await refusal(again.open(token).put('db', hidden('y')))).toEqual(['unavailable', 'provider_missing'])
    expect(aws.calls).toEqual(['get postern/acme/db'])
  })

  it.each([
    ['aws', 'postern/acme/'],
    ['azure', 'postern--acme--'],
    ['hashicorp', 'postern/acme/'],
  ] as const)('reach nothing at %s but what is below their own prefix', async (kind: Provider['kind'], prefix) => {
    const provider = memoryProvider(kind)
    const { admin } = await openApp({ aws: provider }, { vault: 'acme', environment: shared })
    const tries = [
      '',
      'x',
      '/',
      '//',
      '../other/',
      '..',
      './',
      '/other/',
      '--other--',
      'other/',
      '-',
      '--',
      '.',
      '%2e%2e/',
    ]
    for (const [i, text] of tries.entries()) {
      const member = text === '' ? {} : { prefix: text }
      const put = admin.putChain(`c${i}`, { resource: `c${i}/**`, ...one('aws', member) })
      if ((await put.catch(() => null)) === null) continue
      await admin.put(`c${i}/db`, hidden('x')).catch(() => {})
      await admin.get(`c${i}/db`).catch(() => {})
    }
    expect(provider.calls.length).toBeGreaterThan(2)
    const reached = provider.calls.map((call) => call.slice(call.indexOf(' ') + 1))
    for (const name of reached) {
      expect(name.startsWith(prefix)).toBe(true)
      // At AWS a name is not a path.
      if (kind !== 'aws') expect(`/${name}/`).not.toMatch(/\/\.{1,2}\/|\/\//)
    }
  })

  it('use no provider if their id would run into its prefix', async () => {
    const azure = memoryProvider('azure')
    const environment = { POSTERN_PROVIDERS__VAULTS: 'a,a-', POSTERN_PROVIDERS__NAME_PREFIX: 'postern/{vault}' }
    const { admin } = await openApp({ azure }, { vault: 'a-', environment })
    expect(await refusal(admin.putChain('c', { resource: '**', ...one('azure') }))).toEqual([
      'bad_request',
      'members.0.provider',
    ])
  })

  it('have the default chain of the operator after all of their own', async () => {
    const aws = memoryProvider()
    const azure = memoryProvider()
    azure.set('anything', 'x')
    aws.failing = 'unavailable'
    const environment = {
      POSTERN_PROVIDERS__PRIMARY_PROVIDER: 'aws_secrets_manager',
      POSTERN_PROVIDERS__SECONDARY_PROVIDER: 'azure',
      POSTERN_PROVIDERS__AWS_REGION: 'eu-west-1',
      POSTERN_PROVIDERS__AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      POSTERN_PROVIDERS__AWS_SECRET_ACCESS_KEY: 'example',
      POSTERN_PROVIDERS__AZURE_VAULT_URL: 'https://one.vault.azure.net',
      POSTERN_PROVIDERS__AZURE_TENANT_ID: 'example.com',
      POSTERN_PROVIDERS__AZURE_CLIENT_ID: 'client',
      POSTERN_PROVIDERS__AZURE_CLIENT_SECRET: 'example',
    }
    const { admin } = await openApp({ aws, azure }, { environment })
    expect((await admin.get('anything')).provider).toBe('azure')
    expect((await admin.chains()).items).toMatchObject([{ id: 'default', resource: '**', updatedBy: 'settings' }])
    expect(await refusal(admin.deleteChain('default'))).toEqual(['not_found', 'no_chain'])
    const none = await openApp({ aws, azure }, { environment, vault: 'acme' })
    await none.admin.put('anything', hidden('sealed'))
    expect((await none.admin.get('anything')).provider).toBe('sealed')
  })
})

describe('providers', () => {
  async function opened() {
    const aws = memoryProvider()
    const azure = memoryProvider()
    for (const provider of [aws, azure]) provider.set('db', 'x')
    const bench = await openApp({ aws, azure }, { environment: { POSTERN_METRICS: 'true' } })
    await bench.admin.putChain('c', { resource: '**', members: [{ provider: 'aws' }, { provider: 'azure' }] })
    const look = async () => {
      bench.opened.scheduler.notifyWrite(0)
      await bench.opened.scheduler.run(Date.now() + 3_600_000)
    }
    const events = () => bench.log().filter(({ operation }) => operation === 'provider.seen')
    return { ...bench, aws, azure, look, events }
  }

  it('are shown with state, breaker, latency and failures', async () => {
    const { admin, aws } = await opened()
    await admin.get('db')
    aws.failing = 'timeout'
    for (let i = 0; i < 5; i++) await admin.get('db')
    const [first, second] = (await admin.providers()).items
    expect(first).toMatchObject({ id: 'aws', state: 'down', breaker: 'open', lastFailure: { kind: 'timeout' } })
    expect(second).toMatchObject({ id: 'azure', state: 'up', breaker: 'closed' })
    expect(second!.latencyMs.p50).toBeGreaterThanOrEqual(0)
    expect(second!.latencyMs.p95).toBeGreaterThanOrEqual(second!.latencyMs.p50!)
    expect(second).not.toHaveProperty('lastFailure')
  })

  it('are checked in the background, and only changes are recorded', async () => {
    const { aws, look, events, admin } = await opened()
    await look()
    expect(events()).toEqual([])
    aws.failing = 'unavailable'
    await look()
    await look()
    expect(events().map(({ facts }) => facts)).toEqual([
      { provider: 'aws', state: 'degraded', before: 'up', failure: 'unavailable' },
    ])
    for (let i = 0; i < 5; i++) await admin.get('db')
    await look()
    expect(events().at(-1)!.facts).toMatchObject({ state: 'down', before: 'degraded' })
    expect(events().at(-1)).toMatchObject({ principal: null, resource: 'providers' })
  })

  it('recover by checks, without a request', async () => {
    const { aws, look, admin, registry } = await opened()
    aws.failing = 'unavailable'
    for (let i = 0; i < 5; i++) await admin.get('db')
    expect(registry.list()[0]!.health(Date.now()).breaker).toBe('open')
    aws.failing = null
    await new Promise((resolve) => setTimeout(resolve, 60))
    await look()
    expect(registry.list()[0]!.health(Date.now()).breaker).toBe('closed')
    expect((await admin.get('db')).provider).toBe('aws')
  })

  it('do not make the server unready when they are down', async () => {
    const { aws, admin, send } = await opened()
    aws.failing = 'unavailable'
    for (let i = 0; i < 5; i++) await admin.get('db')
    const response = await send('/readyz')
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'up', providers: { aws: 'down', azure: 'up' } },
    ])
  })

  it('have metrics without names of secrets or vaults, if settings ask for them', async () => {
    const { aws, admin, send } = await opened()
    await admin.get('db')
    aws.failing = 'throttled'
    await admin.get('db')
    const response = await send('/metrics')
    expect(response.headers.get('Content-Type')).toContain('text/plain')
    const text = await response.text()
    expect(text).toContain('postern_provider_state{provider="aws",state="degraded"} 1')
    expect(text).toContain('postern_provider_failures_total{provider="aws",kind="throttled"} 1')
    expect(text).toContain('postern_provider_request_seconds_count{provider="azure"} 1')
    expect(text).toContain('postern_cache_reads_total{use="bypass"} 2')
    expect(text).not.toMatch(/\bdb\b|default/)
    expectExposition(text)
    const quiet = await openApp({ aws })
    expect((await quiet.send('/metrics')).status).toBe(404)
    expect(await (await quiet.send('/readyz')).json()).toEqual({ status: 'up', providers: { aws: 'up' } })
  })
})
