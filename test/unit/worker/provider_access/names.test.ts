/** The names that stores have: mapped, listed with what keeps them out, and passed over where a store cannot have one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PosternError } from '../../../../core/errors.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from './provider_access_fixture.ts'

const hidden = (text: string) => new Redacted(text)

async function refused(promise: Promise<unknown>): Promise<PosternError> {
  const error = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  return error as PosternError
}

const CLOUDS = { members: [{ provider: 'aws' as const }, { provider: 'azure' as const }] }

async function opened(environment: Record<string, string> = {}) {
  const aws = memoryProvider('aws')
  const azure = memoryProvider('azure')
  const hashicorp = memoryProvider('hashicorp')
  const bench = await openApp({ aws, azure, hashicorp }, { environment })
  const keepUp = async () => {
    bench.sql.all('UPDATE replication SET due_at = 0')
    bench.sql.all('UPDATE compared SET compared_at = 0')
    bench.opened.scheduler.notifyWrite(0)
    await bench.opened.scheduler.run(Date.now() + 3_600_000)
  }
  const events = (operation: string) => bench.log().filter((entry) => entry.operation === operation)
  return { ...bench, aws, azure, hashicorp, keepUp, events }
}

describe('a chain with a map', () => {
  it('reads, lists, writes, deletes and shows versions under the names of the store', async () => {
    const { admin, hashicorp, log } = await opened()
    hashicorp.set('MyApp/Prod/DB Password', 'first')
    const names = { 'prod/db': 'MyApp/Prod/DB Password' }
    const put = await admin.putChain('v', { resource: 'prod/**', members: [{ provider: 'hashicorp' }], names })
    expect(put.names).toEqual(names)
    expect(log().at(-1)).toMatchObject({ operation: 'chain.put', facts: { after: { names } } })
    expect((await admin.get('prod/db')).value.reveal()).toBe('first')
    await admin.put('prod/db', hidden('second'))
    expect(hashicorp.text('MyApp/Prod/DB Password')).toBe('second')
    expect((await admin.versions('prod/db')).items).toHaveLength(2)
    expect((await admin.chainNames('v')).items.map(({ name }) => name)).toEqual(['prod/db'])
    expect((await admin.chainNames('v', { prefix: 'prod/d' })).items.map(({ name }) => name)).toEqual(['prod/db'])
    await admin.delete('prod/db')
    expect([...hashicorp.secrets.keys()]).toEqual([])
  })

  it('drops its cached values when the map changes', async () => {
    const { admin, aws } = await opened()
    aws.set('Old/db', 'old')
    aws.set('New/db', 'new')
    const chain = { resource: 'prod/*', members: [{ provider: 'aws' as const }], cacheSeconds: 60 }
    await admin.putChain('a', { ...chain, template: 'Old/{rest}' })
    expect((await admin.get('prod/db')).value.reveal()).toBe('old')
    await admin.putChain('a', { ...chain, template: 'New/{rest}' })
    expect((await admin.get('prod/db')).value.reveal()).toBe('new')
  })

  it('copies between the names that the members have', async () => {
    const { admin, aws, azure, keepUp } = await opened()
    const members = [{ provider: 'aws' as const }, { provider: 'azure' as const, names: { 'prod/db': 'MyApp-DB' } }]
    const chain = { resource: 'prod/**', members, names: { 'prod/db': 'MyApp/Prod/DB_Password' }, replicate: true }
    await admin.putChain('c', chain)
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    expect([aws.text('MyApp/Prod/DB_Password'), azure.text('MyApp-DB')]).toEqual(['one', 'one'])
    aws.failing = 'unavailable'
    expect((await admin.get('prod/db')).provider).toBe('azure')
  })

  it.each<[object, string]>([
    [{ names: { 'dev/db': 'x' } }, 'names'],
    [{ names: { 'prod/../x': 'x' } }, 'names'],
    [{ names: { 'prod/a': 'x', 'prod/b': 'x' } }, 'names'],
    [{ names: { 'prod/a': 'DB Password' } }, 'names'],
    [{ names: { 'prod/a': '' } }, 'names'],
    [{ names: { 'prod/a': 'a\nb' } }, 'names'],
    [{ names: { 'prod/a': 7 } }, 'names'],
    [{ names: ['x'] }, 'names'],
    [{ template: 'MyApp' }, 'template'],
    [{ template: '{name}{rest}' }, 'template'],
    [{ template: 'My App/{name}' }, 'template'],
    [{ members: [{ provider: 'aws', template: '{name}?' }] }, 'members.0.template'],
    [{ members: [{ provider: 'aws', names: { 'prod/a': '#' } }] }, 'members.0.names'],
  ])('is refused when it could not work: %j', async (body, field) => {
    const { send } = await opened()
    const chain = { resource: 'prod/**', members: [{ provider: 'aws' }], ...body }
    const response = await send('/v1/vaults/default/chains/x', { method: 'PUT', body: JSON.stringify(chain) })
    const { detail, field: said } = await response.json()
    expect([response.status, said]).toEqual([400, field])
    expect(detail).not.toMatch(/^Invalid key/)
  })

  it('is refused when it does not fit into its log entry', async () => {
    const { send } = await opened()
    const names = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`prod/${i}`, `${'x'.repeat(60)}${i}`]))
    const chain = { resource: 'prod/**', members: [{ provider: 'aws' }], names }
    const response = await send('/v1/vaults/default/chains/x', { method: 'PUT', body: JSON.stringify(chain) })
    expect(response.status).toBe(400)
  })

  it('reaches nothing outside of the prefix that the operator gives the vault', async () => {
    const { admin, hashicorp, send } = await opened({ POSTERN_PROVIDERS__NAME_PREFIX: 'postern/{vault}' })
    hashicorp.set('postern/other/db', 'of another vault')
    hashicorp.set('postern/default/Team A/db', 'own')
    for (const target of [
      '../other/db',
      'x/../../other/db',
      '%2e%2e/other/db',
      '..%2fother/db',
      '/db',
      '..\\other\\db',
    ]) {
      for (const map of [{ names: { 'prod/db': target } }, { template: `${target}{name}` }]) {
        const chain = { resource: 'prod/**', members: [{ provider: 'hashicorp' }], ...map }
        const response = await send('/v1/vaults/default/chains/x', { method: 'PUT', body: JSON.stringify(chain) })
        expect([target, response.status]).toEqual([target, 400])
      }
    }
    const names = { 'prod/db': 'Team A/db', 'prod/x': 'postern/other/db' }
    await admin.putChain('x', { resource: 'prod/**', members: [{ provider: 'hashicorp' }], names })
    expect((await admin.get('prod/db')).value.reveal()).toBe('own')
    expect((await refused(admin.get('prod/x'))).code).toBe('not_found')
    expect(hashicorp.calls.at(-1)).toBe('get postern/default/postern/other/db')
    const { items, unnamed } = await admin.chainNames('x')
    expect([items.map(({ name }) => name), unnamed]).toEqual([['prod/db'], undefined])
  })
})

describe('names of a store that no secret can have', () => {
  it('are listed with what keeps them out, for a caller with admin on chains', async () => {
    const { admin, reader, aws, log } = await opened()
    for (const stored of ['MyApp/Prod', 'aws/my@key', 'rds!db-1234', '/lead', 'a//b', 'aws/team-secret'])
      aws.set(stored, 'x')
    await admin.putChain('aws', { resource: 'aws/**', members: [{ provider: 'aws' }] })
    const { items, unnamed } = await admin.chainNames('aws')
    expect(items.map(({ name }) => name)).toEqual(['aws/my@key', 'aws/team-secret'])
    expect(unnamed?.map(({ stored }) => stored)).toEqual(['/lead', 'MyApp/Prod', 'a//b', 'rds!db-1234'])
    expect(unnamed?.map(({ why }) => why).join('\n')).toMatch(
      /empty[\s\S]*Pattern aws\/\*\* does not cover MyApp\/Prod[\s\S]*empty[\s\S]*"!"/,
    )
    expect(log().at(-1)).toMatchObject({ operation: 'chain.names', facts: { count: 2, unnamed: 4 } })
    const ann = await reader('ann', '**')
    const seen = await ann.chainNames('aws')
    expect([seen.items.length, seen.unnamed]).toEqual([2, undefined])
    // What the list shows is what the table takes.
    const names = Object.fromEntries(unnamed!.map(({ stored }, i) => [`aws/mapped${i}`, stored]))
    await admin.putChain('aws', { resource: 'aws/**', members: [{ provider: 'aws' }], names })
    const after = await admin.chainNames('aws')
    expect([after.items.length, after.unnamed]).toEqual([6, undefined])
    for (const { name } of after.items) expect((await admin.get(name)).value.reveal()).toBe('x')
  })
})

describe('a member that cannot have a name', () => {
  it('does not decide for the others', async () => {
    const { admin, aws, azure, events } = await opened()
    await admin.putChain('c', { resource: 'prod/**', ...CLOUDS })
    aws.set('prod/db_password', 'one')
    expect((await admin.get('prod/db_password')).provider).toBe('aws')
    expect((await admin.versions('prod/db_password')).items).toHaveLength(1)
    aws.failing = 'unavailable'
    const { code, detail } = await refused(admin.get('prod/db_password'))
    expect([code, detail.reason]).toEqual(['unavailable', 'provider_unavailable'])
    expect(detail.passedOver).toContainEqual({ provider: 'azure', why: 'name' })
    expect(events('secret.provided').at(-1)!.facts).toMatchObject({ skipped: expect.arrayContaining(['azure:name']) })
    expect(azure.calls).toEqual([])
    aws.failing = 'not_found'
    expect((await refused(admin.get('prod/db_password'))).detail.reason).toBe('no_secret')
  })

  it('has no part in the search for a secret that all others lack', async () => {
    const { admin } = await opened()
    await admin.putChain('c', { resource: 'prod/**', ...CLOUDS, onNotFound: 'next' })
    expect((await refused(admin.get('prod/db_password'))).detail.reason).toBe('no_secret')
  })

  it('lags behind no write, and is shown once as drift', async () => {
    const { admin, aws, azure, keepUp, events } = await opened()
    await admin.putChain('c', { resource: 'prod/**', ...CLOUDS, replicate: true })
    await admin.put('prod/db_password', hidden('one'))
    const seen = async () => (await admin.providers()).items.find(({ id }) => id === 'azure')!
    expect((await seen()).lag).toBeUndefined()
    await admin.get('prod/db_password')
    for (let times = 0; times < 3; times++) await keepUp()
    expect([(await seen()).lag, (await seen()).drifted]).toEqual([undefined, 1])
    expect(events('replica.compared').map(({ facts }) => facts)).toEqual([
      { provider: 'azure', differs: true, missing: 'replica', why: 'name' },
    ])
    expect([azure.calls.filter((call) => call !== 'health '), events('replica.failed')]).toEqual([[], []])
    // Once it has a name there, it is copied and compared like any other.
    const members = [{ provider: 'aws' as const }, { provider: 'azure' as const, names: { 'prod/db_password': 'db' } }]
    await admin.putChain('c', { resource: 'prod/**', members, replicate: true })
    await admin.put('prod/db_password', hidden('two'))
    await keepUp()
    await keepUp()
    expect([azure.text('db'), (await seen()).drifted ?? 0]).toEqual(['two', 0])
    expect(aws.text('prod/db_password')).toBe('two')
  })

  it('is refused with the chain, the provider and the way out when it is the primary, and recorded', async () => {
    const { admin, azure, events, keepUp } = await opened()
    const members = [{ provider: 'azure' as const }, { provider: 'aws' as const }]
    await admin.putChain('kv', { resource: 'prod/**', members, replicate: true, cacheSeconds: 60 })
    const message =
      /Chain kv cannot have this name at azure\. Names there are .*\. Give it a name there in names of the chain/
    for (const ask of [
      () => admin.get('prod/db_password'),
      () => admin.put('prod/db_password', hidden('x')),
      () => admin.delete('prod/db_password'),
      () => admin.versions('prod/db_password'),
    ]) {
      const error = await refused(ask())
      expect([error.code, error.detail.reason]).toEqual(['bad_request', 'provider_name'])
      expect(error.message).toMatch(message)
    }
    expect(events('secret.provided').at(-1)).toMatchObject({
      outcome: 'provider_name',
      facts: { provider: 'azure', failure: 'name' },
    })
    expect(events('secret.relayed').map(({ outcome, facts }) => [outcome, facts.failure, facts.sent])).toEqual([
      ['provider_name', 'name', false],
      ['provider_name', 'name', false],
    ])
    expect((await admin.providers()).items.map(({ lag }) => lag)).toEqual([undefined, undefined, undefined])
    await keepUp()
    expect(azure.calls.filter((call) => !call.startsWith('health'))).toEqual([])
    const many = await admin.hydrate(['postern://default/prod/db_password', 'postern://default/prod/db'])
    expect(many.map((one) => ('error' in one ? one.error.detail.reason : null))).toEqual(['provider_name', 'no_secret'])
  })

  it('takes upper case in Azure only where the map says so', async () => {
    const { admin, azure } = await opened()
    await admin.putChain('kv', { resource: '**', members: [{ provider: 'azure' }], names: { 'Prod/db': 'Prod--DB' } })
    azure.set('Prod--DB', 'mapped')
    expect((await admin.get('Prod/db')).value.reveal()).toBe('mapped')
    for (const name of ['prod/DB', 'PROD/db', 'prod/db']) {
      expect((await refused(admin.get(name))).detail.reason).toBe('provider_name')
    }
  })
})

describe('the page on names of stores', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/how-to/store-names.md'), 'utf8')
  const chains = [...page.matchAll(/-X PUT \$VAULT\/chains\/(\w+) -d '([^']+)'/g)].map(
    ([, id, body]) => [id!, JSON.parse(body!)] as const,
  )

  it('has chains that work, and reach the places that it shows', async () => {
    const { admin, aws, hashicorp, azure } = await opened()
    expect(chains.map(([id]) => id)).toEqual(['aws', 'team', 'prod'])
    for (const [id, body] of chains) await admin.putChain(id, body)
    const rows = [...page.matchAll(/^\| `(aws\/[^`]+)` \| `([^`]+)` \|$/gm)]
    expect(rows).toHaveLength(2)
    for (const [, name, stored] of rows) {
      aws.set(stored!, name!)
      expect((await admin.get(name!)).value.reveal()).toBe(name)
    }
    aws.set('rds!db-0a1b2c', 'x')
    const { unnamed } = await admin.chainNames('aws')
    expect(unnamed).toEqual(JSON.parse(/```json\n(.*?)```/s.exec(page)![1]!).unnamed)
    hashicorp.set('Team A/DB Password', 'of the team')
    expect((await admin.get('team/db')).value.reveal()).toBe('of the team')
    azure.set('MyApp-DB-Password', 'in Azure')
    aws.failing = 'unavailable'
    expect((await admin.get('prod/db_password')).value.reveal()).toBe('in Azure')
  })
})
