/** Documents that other programs wrote, over the whole app: read, written back as they are, or refused before sending. */
import { describe, expect, it } from 'vitest'
import { AwsProvider } from '../../../../core/providers/aws/provider.ts'
import { HashicorpProvider } from '../../../../core/providers/hashicorp/provider.ts'
import { HttpProvider } from '../../../../core/providers/http/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { type Asked, fake, type Reply } from '../../../support/fakes/fake.ts'
import { fakeSecretsManager } from '../../../support/fakes/secrets_manager.ts'
import { fakeVault } from '../../../support/fakes/vault.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from './provider_access_fixture.ts'

const ADDRESS = 'https://vault.example:8200'
const TOKEN = { 'x-vault-token': 'root-test-token' }
const DOCUMENT = '{"user":"u","password":"p","id":1234567890123456789,"v":1.10}'
const CHANGED = DOCUMENT.replace('"p"', '"changed"')
const JSON_TYPE = 'application/json'

type Bench = Awaited<ReturnType<typeof opened>>

/** A KV mount of version 1, which keeps the bytes of a document, as the primary of `prod/**`, with a replica. */
async function opened(mount = 'kv1', chain: object = {}) {
  const server = fakeVault()
  const credentials = { kind: 'token', token: new Redacted('root-test-token') } as const
  const provider = new HashicorpProvider(
    { address: ADDRESS, mount, credentials },
    { fetch: server.fetch, now: () => server.now },
  )
  const replica = memoryProvider()
  const bench = await openApp({ hashicorp: { provider }, azure: replica })
  const members = [{ provider: 'hashicorp' as const }, { provider: 'azure' as const }]
  await bench.admin.putChain('prod', { resource: 'prod/**', members, ...chain })
  const url = `${ADDRESS}/v1/${mount === 'kv1' ? mount : 'secret/data'}/prod/db`
  const others = async (body: string) =>
    void (await server.fetch(new Request(url, { method: 'POST', headers: TOKEN, body })))
  const there = async () => (await server.fetch(new Request(url, { headers: TOKEN }))).text()
  const writes = () => server.asked.filter(({ method }) => method !== 'GET').length
  return { ...bench, server, replica, others, there, writes }
}

async function put({ send }: Pick<Bench, 'send'>, body: object, headers: Record<string, string> = {}) {
  const answer = await send('/v1/vaults/default/secrets/prod/db', {
    method: 'PUT',
    body: JSON.stringify(body),
    headers,
  })
  const { reason, detail } = (await answer.json()) as { reason?: string; detail?: string }
  return { status: answer.status, reason, detail }
}

describe('a document of another program', () => {
  it('row 66: is read byte for byte, and written back as its own fields', async () => {
    const bench = await opened()
    await bench.others(DOCUMENT)
    const read = await bench.admin.get('prod/db')
    expect([read.value.reveal(), read.contentType]).toEqual([DOCUMENT, JSON_TYPE])
    expect((await put(bench, { value: CHANGED, contentType: JSON_TYPE }, { 'If-Match': '"unversioned"' })).status).toBe(
      201,
    )
    expect(await bench.there()).toContain(`"data":${CHANGED}`)
    expect((await bench.admin.get('prod/db')).value.reveal()).toBe(CHANGED)
  })

  it('row 66: refuses text before sending; the refusal says what to do, and is recorded', async () => {
    for (const mount of ['kv1', 'secret']) {
      const bench = await opened(mount)
      await bench.others(mount === 'kv1' ? DOCUMENT : `{"data":${DOCUMENT}}`)
      const before = await bench.there()
      const [writes, value] = [bench.writes(), canary()]
      const refused = await put(bench, { value })
      expect([refused.status, refused.reason]).toEqual([409, 'foreign_shape'])
      expect(refused.detail).toContain('replace: "shape"')
      expect([await bench.there(), bench.writes()]).toEqual([before, writes])
      const entry = bench.log().at(-1)!
      expect(entry).toMatchObject({
        operation: 'secret.relayed',
        outcome: 'foreign_shape',
        facts: { failure: 'foreign_shape', sent: false },
      })
      expect(leaks(JSON.stringify([refused, bench.log()]), [value])).toEqual([])
      expect((await put(bench, { value, replace: 'shape' })).status).toBe(201)
      expect((await bench.admin.get('prod/db')).value.reveal()).toBe(value)
      const begun = bench.log().filter(({ operation }) => operation === 'secret.prepare')
      expect(begun.at(-1)!.facts).toMatchObject({ replace: 'shape' })
    }
  })

  it.each([
    ['a key twice', '{"user":"u","user":"v"}'],
    ['a key twice further down', '{"a":[{"b":1,"b":2}]}'],
    ['a lone surrogate', '{"user":"\\ud800"}'],
  ])('row 67: takes no document with %s, which its store would keep otherwise', async (_, value) => {
    const bench = await opened()
    await bench.others(DOCUMENT)
    const writes = bench.writes()
    expect(await put(bench, { value, contentType: JSON_TYPE })).toMatchObject({
      status: 400,
      reason: 'provider_invalid',
    })
    expect(bench.writes()).toBe(writes)
  })

  it.each([['{"value":"x"}', '{"value":"x","content_type":"text/plain"}', '{"value":"eA==","encoding":"base64"}']])(
    'row 66: takes no fields that would be read as one text',
    async (...values) => {
      const bench = await opened()
      await bench.others(DOCUMENT)
      const writes = bench.writes()
      for (const value of values) {
        expect((await put(bench, { value, contentType: JSON_TYPE })).reason).toBe('foreign_shape')
      }
      expect(bench.writes()).toBe(writes)
    },
  )

  it('row 66: stays one text without other fields if it was one', async () => {
    const bench = await opened()
    await bench.others('{"value":"theirs"}')
    expect((await put(bench, { value: 'ours' })).status).toBe(201)
    expect(await bench.there()).toContain('"data":{"value":"ours"}')
    expect((await put(bench, { value: DOCUMENT, contentType: JSON_TYPE })).reason).toBe('foreign_shape')
    await bench.others('{"value":"theirs","user":"u"}')
    expect((await put(bench, { value: 'ours' })).reason).toBe('foreign_shape')
  })

  it('row 66: is not replaced by a write that saw an earlier version', async () => {
    const { server, ...bench } = await opened('secret')
    await bench.others('{"data":{"value":"a text"}}')
    let raced = false
    // Another program writes right after the read.
    const url = `${ADDRESS}/v1/secret/data/prod/db`
    const provider = new HashicorpProvider(
      { address: ADDRESS, mount: 'secret', credentials: { kind: 'token', token: new Redacted('root-test-token') } },
      {
        now: () => server.now,
        fetch: async (request) => {
          const answer = await server.fetch(request)
          if (raced || request.method !== 'GET' || !request.url.startsWith(url)) return answer
          raced = true
          await bench.others(`{"data":${DOCUMENT}}`)
          return answer
        },
      },
    )
    const value = new Redacted(new TextEncoder().encode('ours') as Uint8Array<ArrayBuffer>)
    const options = { signal: AbortSignal.timeout(5000), idempotencyKey: 'k'.repeat(32) }
    await expect(provider.put('prod/db', value, options)).rejects.toMatchObject({ kind: 'conflict' })
    expect(await bench.there()).toContain('"user":"u"')
  })

  it('row 66: keeps its shape at a replica too, unless the copied write replaced it', async () => {
    const primary = memoryProvider()
    const server = fakeVault()
    const credentials = { kind: 'token', token: new Redacted('root-test-token') } as const
    const provider = new HashicorpProvider({ address: ADDRESS, mount: 'kv1', credentials }, { fetch: server.fetch })
    const bench = await openApp({ aws: primary, hashicorp: { provider } })
    const members = [{ provider: 'aws' as const }, { provider: 'hashicorp' as const }]
    await bench.admin.putChain('prod', { resource: 'prod/**', members, replicate: true })
    const url = `${ADDRESS}/v1/kv1/prod/db`
    await server.fetch(new Request(url, { method: 'POST', headers: TOKEN, body: DOCUMENT }))
    const there = async () => (await server.fetch(new Request(url, { headers: TOKEN }))).text()
    const keepUp = async () => {
      bench.sql.all('UPDATE replication SET due_at = 0')
      bench.opened.scheduler.notifyWrite(0)
      await bench.opened.scheduler.run(Date.now() + 3_600_000)
    }
    await bench.admin.put('prod/db', new Redacted('a text'))
    await keepUp()
    expect(await there()).toContain(DOCUMENT)
    expect(bench.sql.all('SELECT failure FROM replication')).toEqual([{ failure: 'foreign_shape' }])
    await bench.admin.put('prod/db', new Redacted(CHANGED), { contentType: JSON_TYPE })
    await keepUp()
    expect([bench.sql.all('SELECT * FROM replication'), (await there()).includes(`"data":${CHANGED}`)]).toEqual([
      [],
      true,
    ])
    await bench.admin.put('prod/db', new Redacted('a text'), { replace: 'shape' })
    // A write before the copy does not revert the replacement.
    await bench.admin.put('prod/db', new Redacted('another'))
    await keepUp()
    expect([bench.sql.all('SELECT * FROM replication'), await there()]).toEqual([
      [],
      expect.stringContaining('"value":"another"'),
    ])
  })

  it('row 66: is not replaced at a replica by a replacing write that was refused', async () => {
    const primary = memoryProvider()
    const aws = fakeSecretsManager()
    const credentials = {
      kind: 'static',
      accessKeyId: 'AKIAEXAMPLE',
      secretAccessKey: new Redacted('example'),
    } as const
    const provider = new AwsProvider({ region: 'eu-west-1', credentials }, { fetch: aws.fetch })
    const bench = await openApp({ hashicorp: primary, aws: { provider } })
    const members = [{ provider: 'hashicorp' as const }, { provider: 'aws' as const }]
    await bench.admin.putChain('prod', { resource: 'prod/**', members, replicate: true })
    primary.set('prod/db', 'a text')
    aws.set('prod/db', DOCUMENT)
    const keepUp = async () => {
      bench.sql.all('UPDATE replication SET due_at = 0')
      bench.opened.scheduler.notifyWrite(0)
      await bench.opened.scheduler.run(Date.now() + 3_600_000)
    }
    for (const failing of ['conflict', 'denied', 'invalid'] as const) {
      primary.failing = failing
      expect((await put(bench, { value: 'another', replace: 'shape' })).status).toBeGreaterThanOrEqual(400)
      primary.failing = null
      await keepUp()
      expect(bench.sql.all('SELECT failure, replaces FROM replication')).toEqual([
        { failure: 'foreign_shape', replaces: null },
      ])
    }
    expect((await put(bench, { value: 'another', replace: 'shape' })).status).toBe(201)
    await keepUp()
    expect(bench.sql.all('SELECT * FROM replication')).toEqual([])
  })

  it('row 66: is copied to a replica with all digits', async () => {
    const server = fakeVault()
    const credentials = { kind: 'token', token: new Redacted('root-test-token') } as const
    const provider = new HashicorpProvider({ address: ADDRESS, mount: 'kv1', credentials }, { fetch: server.fetch })
    const primary = memoryProvider()
    const bench = await openApp({ aws: primary, hashicorp: { provider } })
    const members = [{ provider: 'aws' as const }, { provider: 'hashicorp' as const }]
    await bench.admin.putChain('prod', { resource: 'prod/**', members, replicate: true })
    const url = `${ADDRESS}/v1/kv1/prod/db`
    await server.fetch(new Request(url, { method: 'POST', headers: TOKEN, body: '{"id":1234567890123456789}' }))
    for (const value of ['{"id":1234567890123456788}', '{"id":1e400}', '{"id":0.10000000000000000001}', '{"id":0.1}']) {
      await bench.admin.put('prod/db', new Redacted(value), { contentType: JSON_TYPE })
      bench.sql.all('UPDATE replication SET due_at = 0')
      bench.opened.scheduler.notifyWrite(0)
      await bench.opened.scheduler.run(Date.now() + 3_600_000)
      expect(await (await server.fetch(new Request(url, { headers: TOKEN }))).text()).toContain(`"data":${value}`)
    }
  })
})

describe('keys and values of AWS', () => {
  const keys = { kind: 'static', accessKeyId: 'AKIAEXAMPLE', secretAccessKey: new Redacted('example') } as const

  it('row 66: stay keys and values', async () => {
    const aws = fakeSecretsManager()
    const provider = new AwsProvider({ region: 'eu-west-1', credentials: keys }, { fetch: aws.fetch })
    const bench = await openApp({ aws: { provider } })
    await bench.admin.putChain('prod', { resource: 'prod/**', members: [{ provider: 'aws' }] })
    const first = aws.set('prod/db', DOCUMENT)
    const read = await bench.admin.get('prod/db')
    expect([read.value.reveal(), read.contentType]).toEqual([DOCUMENT, JSON_TYPE])
    for (const value of ['a text', '["u"]', '{"user":']) {
      expect(await put(bench, { value })).toMatchObject({ status: 409, reason: 'foreign_shape' })
    }
    expect([...aws.secrets.get('prod/db')!.versions.keys()]).toEqual([first])
    expect((await put(bench, { value: CHANGED, contentType: JSON_TYPE }, { 'If-Match': `"${first}"` })).status).toBe(
      201,
    )
    expect(aws.value('prod/db')).toBe(CHANGED)
    expect((await put(bench, { value: 'a text', replace: 'shape' })).status).toBe(201)
    expect(await put(bench, { value: CHANGED, contentType: JSON_TYPE })).toMatchObject({ reason: 'foreign_shape' })
    expect(aws.value('prod/db')).toBe('a text')
  })
})

describe('a store of the HTTP contract', () => {
  /** A store with one document and a fixed answer to writes. */
  async function store(
    text: string,
    { versionPointer, written = {} as Reply | object } = {} as { versionPointer?: string; written?: object },
  ) {
    const server = fake(
      ({ method }: Asked): Reply => (method === 'GET' ? { status: 200, text } : { status: 200, body: {}, ...written }),
    )
    const config = { url: 'https://store.example/{name}', headers: {}, pointer: '/value' }
    const provider = new HttpProvider({ ...config, ...(versionPointer && { versionPointer }) }, { fetch: server.fetch })
    const bench = await openApp({ http: { provider } })
    await bench.admin.putChain('prod', { resource: 'prod/**', members: [{ provider: 'http' }] })
    const puts = () => server.asked.filter(({ method }) => method === 'PUT')
    return { ...bench, puts }
  }
  const read = async ({ send, secret }: Pick<Bench, 'send' | 'secret'>) => {
    const answer = await send(secret('prod/db'))
    const { value, version, reason, contentType } = (await answer.json()) as Record<string, unknown>
    return answer.ok ? { value, version, contentType } : { status: answer.status, reason }
  }

  it.each([
    ['{"value":1234567890123456789}', '1234567890123456789', 'text/plain; charset=utf-8'],
    ['{"value":1.10}', '1.10', 'text/plain; charset=utf-8'],
    ['{"value":-0,"extra":1}', '-0', 'text/plain; charset=utf-8'],
    ['{"value":{ "b":1E2,"__proto__":null }}', '{ "b":1E2,"__proto__":null }', 'application/json'],
    ['{"value":"null"}', 'null', 'text/plain; charset=utf-8'],
  ])('row 67: passes %s on as it came', async (text, value, contentType) => {
    expect(await read(await store(text))).toMatchObject({ value, contentType })
  })

  it.each([
    '{"value":null}',
    '{"password":"p"}',
    '{"value":"\\ud800"}',
    '{"value":"x","value":"y"}',
    '{"value":5,"encoding":"base64"}',
  ])('row 67: refuses %s, which holds no value', async (text) => {
    expect(await read(await store(text))).toEqual({ status: 400, reason: 'provider_invalid' })
  })

  it.each(['1234567890123456789', '1.10', '"1e3"', '"a/b+c="', '12'])(
    'row 67: keeps the digits of the version %s, and a write can expect it',
    async (written) => {
      const version = written.replaceAll('"', '')
      const bench = await store(`{"value":"x","version":${written}}`, { versionPointer: '/version' })
      expect(String(((await read(bench)) as { version: unknown }).version)).toBe(version)
      const tag = (await bench.send(bench.secret('prod/db'))).headers.get('ETag')
      expect(tag).toBe(`"${version}"`)
      expect((await put(bench, { value: 'y' }, { 'If-Match': tag! })).status).toBe(201)
      expect(bench.puts().map(({ headers }) => headers.get('if-match'))).toEqual([`"${version}"`])
    },
  )

  it.each(['null', '{}', '[]', 'true', '""', '"\\ud800"'])('row 67: refuses the version %s', async (version) => {
    const bench = await store(`{"value":"x","version":${version}}`, { versionPointer: '/version' })
    expect(await read(bench)).toEqual({ status: 400, reason: 'provider_invalid' })
    // The write was made, and must not be reported as refused.
    const odd = await store('{}', { versionPointer: '/version', written: { text: `{"version":${version}}` } })
    expect(await put(odd, { value: 'x' })).toMatchObject({ status: 503, reason: 'write_unknown' })
  })

  it.each([
    ['fields beside the value', '{"value":"p","user":"u"}', 'text'],
    ['fields and no value', '{"password":"p"}', 'text'],
    ['an object', '{"value":{"user":"u"}}', 'text'],
    ['a number', '{"value":5432}', 'text'],
    ['a null', '{"value":null,"user":"u"}', 'text'],
    ['a text', '{"value":"p"}', '{"user":"u"}'],
  ])('row 66: is sent no write over %s', async (_, text, value) => {
    const bench = await store(text)
    const contentType = value === 'text' ? 'text/plain' : JSON_TYPE
    expect(await put(bench, { value, contentType })).toMatchObject({ status: 409, reason: 'foreign_shape' })
    expect(bench.puts()).toEqual([])
    expect((await put(bench, { value, contentType, replace: 'shape' })).status).toBe(201)
    expect(bench.puts().map(({ body }) => body)).toEqual([{ value, contentType }])
  })

  it.each([
    ['{"value":{"user":"u","n":1.10}}', '{"user":"v","n":1.20}', '{"value":{"user":"v","n":1.20}}'],
    ['{"value":1.10}', '1.20', '{"value":1.20}'],
    ['{"value":["a"]}', '[ "b" ]', '{"value":[ "b" ]}'],
    ['{"value":"p"}', 'q', '{"value":"q"}'],
    [
      '{"name":"a","version":3,"value":"p","contentType":"text/plain","tags":{},"createdAt":"x","provider":"sealed"}',
      'q',
      '{"value":"q","contentType":"text/plain; charset=utf-8"}',
    ],
  ])('row 66: is sent in place of %s what is of its kind', async (text, value, sent) => {
    const bench = await store(text)
    expect((await put(bench, { value })).status).toBe(201)
    expect(bench.puts().map((asked) => asked.text)).toEqual([sent])
  })
})
