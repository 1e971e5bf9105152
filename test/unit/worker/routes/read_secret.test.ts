/** `GET secrets/{name}` with `version` and `field`, over the whole app. */
import { describe, expect, it } from 'vitest'
import { makeSealKey, openSealed } from '../../../../core/crypto/seal_key.ts'
import type { PosternError } from '../../../../core/errors.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const hidden = (text: string) => new Redacted(text)
const JSON_TYPE = { contentType: 'application/json' }
const PASSWORD = canary()
const DOCUMENT = `{"password":${JSON.stringify(PASSWORD)},"id":1234567890123456789,"v":1.10,"db":{"a/b":[true]},"n":null,"":"empty key"}`

/** An app whose `prod/**` is at two providers; the primary has three versions of `prod/db`. */
async function opened(chain: object = {}) {
  const [primary, replica] = [memoryProvider(), memoryProvider()]
  for (const text of ['one', 'two', DOCUMENT]) primary.set('prod/db', text)
  for (const text of ['one', DOCUMENT]) replica.set('prod/db', text)
  const app = await openApp({ aws: primary, azure: replica })
  const members = [{ provider: 'aws' as const }, { provider: 'azure' as const }]
  await app.admin.putChain('prod', { resource: 'prod/**', members, ...chain })
  await app.admin.put('dev/db', hidden('one'))
  await app.admin.put('dev/db', hidden('two'))
  await app.admin.put('dev/db', hidden(DOCUMENT), JSON_TYPE)
  return { ...app, primary, replica }
}

const refused = async (promise: Promise<unknown>): Promise<PosternError> =>
  promise.then(
    () => expect.unreachable(),
    (error) => error,
  )

describe.each(['dev/db', 'prod/db'])('a field of %s', (name) => {
  it.each([
    ['/password', PASSWORD, 'text/plain; charset=utf-8'],
    ['/id', '1234567890123456789', 'text/plain; charset=utf-8'],
    ['/v', '1.10', 'text/plain; charset=utf-8'],
    ['/db', '{"a/b":[true]}', 'application/json'],
    ['/db/a~1b/0', 'true', 'text/plain; charset=utf-8'],
    ['/', 'empty key', 'text/plain; charset=utf-8'],
    ['', DOCUMENT, 'application/json'],
  ])('is what %j finds, with every digit', async (field, text, contentType) => {
    const { admin, send, secret, log } = await opened()
    const whole = await admin.get(name)
    const { value, ...rest } = await admin.get(name, { field })
    expect([value.reveal(), rest.contentType, rest.encoding]).toEqual([text, contentType, undefined])
    expect([rest.name, rest.version, rest.provider]).toEqual([name, whole.version, whole.provider])
    // The tag of the version, so that a write can follow a read of one field.
    const response = await send(`${secret(name)}?${new URLSearchParams({ field })}`)
    expect(response.headers.get('ETag')).toBe(`"${whole.version}"`)
    const read = log().findLast(({ operation }) => operation === 'secret.read')!
    expect(read).toMatchObject({ outcome: 'ok', facts: { field } })
    expect(leaks(JSON.stringify(log()), [PASSWORD])).toEqual([])
  })

  it('is refused with the entry of the read where the document has nothing there', async () => {
    const { admin, log } = await opened()
    for (const field of ['/passwort', '/n', '/db/a~1b/1', '/password/0']) {
      const { code, detail } = await refused(admin.get(name, { field }))
      expect([code, detail.reason]).toEqual(['not_found', 'no_pointer'])
      expect(log()[detail.auditIndex!]).toMatchObject({ principal: 'admin', resource: name })
    }
  })

  it.each(['password', 'a/b', '/~', '/~2', '#/password'])(
    'is refused for %j, which is not a JSON pointer',
    async (field) => {
      const { send, secret, primary } = await opened()
      const response = await send(`${secret(name)}?field=${encodeURIComponent(field)}`)
      const { field: wrong, detail } = (await response.json()) as { field?: string; detail: string }
      expect([response.status, wrong, primary.calls]).toEqual([400, 'field', []])
      expect(detail).toContain('such as /password')
    },
  )

  it('has none in a text, or in bytes that happen to be JSON', async () => {
    const { admin } = await opened()
    await admin.put(name, hidden('"text'), { contentType: 'text/plain', replace: 'shape' }).catch(() => {})
    await admin.put('dev/bytes', new Redacted(new TextEncoder().encode('{"a":"b"}')))
    expect((await refused(admin.get('dev/bytes', { field: '/a' }))).detail.reason).toBe('no_pointer')
    expect((await refused(admin.get(name, { version: name === 'dev/db' ? 1 : 'v1', field: '/a' }))).detail.reason).toBe(
      'no_pointer',
    )
  })

  it('is sealed to the key of its reader', async () => {
    const { send, secret } = await opened()
    const key = await makeSealKey()
    const response = await send(`${secret(name)}?field=/password`, { headers: { 'Postern-Seal-To': key.header } })
    expect(response.headers.get('Content-Type')).toBe('application/jose')
    const sealed = await response.text()
    expect(leaks(sealed, [PASSWORD])).toEqual([])
    const clear = new TextDecoder().decode(await openSealed(sealed, key, response.headers.get('Request-Id')!))
    expect(JSON.parse(clear)).toMatchObject({ name, value: PASSWORD })
  })

  it('says nothing to a caller without read', async () => {
    const { reader, primary } = await opened()
    const ann = await reader('ann', 'open/**')
    const answers = [
      await refused(ann.get(name, { field: '/password' })),
      await refused(ann.get(name, { field: '/passwort' })),
      await refused(ann.get('dev/none', { field: '/password' })),
      await refused(ann.get(name, { version: 'previous' })),
    ]
    expect(new Set(answers.map(({ code, message }) => `${code} ${message}`)).size).toBe(1)
    expect(primary.calls).toEqual([])
  })
})

describe('a field from the cache', () => {
  it('is picked from the whole value that was kept', async () => {
    const { admin, primary } = await opened({ cacheSeconds: 60 })
    expect((await admin.get('prod/db', { field: '/v' })).value.reveal()).toBe('1.10')
    const { value, cached } = await admin.get('prod/db', { field: '/password' })
    expect([value.reveal(), cached?.ageSeconds, primary.count('get')]).toEqual([PASSWORD, 0, 1])
    expect((await admin.get('prod/db')).value.reveal()).toBe(DOCUMENT)
  })
})

describe('a version by its stage', () => {
  it.each(['dev/db', 'prod/db'])('is read of %s, and the log has the stage and the version', async (name) => {
    const { admin, log } = await opened()
    const all = name === 'dev/db' ? [1, 2, 3] : ['v1', 'v2', 'v3']
    for (const [stage, version, text] of [
      ['current', all[2], DOCUMENT],
      ['previous', all[1], 'two'],
    ] as const) {
      const read = await admin.get(name, { version: stage })
      expect([read.version, read.value.reveal()]).toEqual([version, text])
      const entries = log().filter(({ operation, facts }) => operation.startsWith('secret.') && facts.asked === stage)
      expect(entries.length).toBeGreaterThan(0)
      expect(log().at(-1)!.facts.version).toBe(version)
    }
  })

  it('is the sealed version that was pending, while there is one', async () => {
    const { admin } = await opened()
    expect((await refused(admin.get('dev/db', { version: 'pending' }))).detail.reason).toBe('no_version')
    await admin.put('dev/one', hidden('only'))
    expect((await refused(admin.get('dev/one', { version: 'previous' }))).detail.reason).toBe('no_version')
  })

  it.each([
    ['dev/db', 'AWSPREVIOUS', 'no_stage'],
    ['dev/db', 'AWSCURRENT', 'no_stage'],
    ['dev/db', 'BLUE', 'no_version'],
    ['prod/db', 'pending', 'no_stage'],
    ['prod/db', 'AWSPREVIOUS', 'no_stage'],
    ['prod/db', 'BLUE', 'no_version'],
    ['prod/db', '7', 'no_version'],
  ])('refuses %s by %s with %s', async (name, version, reason) => {
    const { send, secret, admin } = await opened()
    const response = await send(`${secret(name)}?version=${version}`)
    expect([response.status, ((await response.json()) as { reason: string }).reason]).toEqual([
      reason === 'no_stage' ? 400 : 404,
      reason,
    ])
    expect((await admin.get(name)).value.reveal()).toBe(DOCUMENT)
  })

  it('is the current one where the version is empty, as templates of clients send it', async () => {
    const { send, secret } = await opened()
    for (const name of ['dev/db', 'prod/db']) {
      const response = await send(`${secret(name)}?version=`)
      expect([response.status, ((await response.json()) as { value: string }).value]).toEqual([200, DOCUMENT])
    }
  })

  it('comes from the primary alone, since a replica has versions of its own', async () => {
    const { admin, primary, replica } = await opened()
    primary.failing = 'unavailable'
    expect((await admin.get('prod/db')).provider).toBe('azure')
    replica.calls.length = 0
    for (const version of ['previous', 'AWSPREVIOUS', 'v1', 7]) {
      expect((await refused(admin.get('prod/db', { version }))).detail.reason).toBe('provider_unavailable')
    }
    expect(replica.calls).toEqual([])
    expect((await admin.get('prod/db', { version: 'current' })).provider).toBe('azure')
    // An id that no two stores share means the same everywhere.
    const id = 'a'.repeat(32)
    replica.secrets.get('prod/db')![0]!.version = id
    expect((await admin.get('prod/db', { version: id })).value.reveal()).toBe('one')
  })

  it('is cached by the stage that was asked for, and purged with the name', async () => {
    const { admin, primary } = await opened({ cacheSeconds: 60 })
    for (let i = 0; i < 2; i++) {
      expect((await admin.get('prod/db', { version: 'previous' })).value.reveal()).toBe('two')
      expect((await admin.get('prod/db', { version: 'current' })).value.reveal()).toBe(DOCUMENT)
      expect((await admin.get('prod/db')).value.reveal()).toBe(DOCUMENT)
    }
    expect(primary.count('get')).toBe(2)
    // A stage that the store has not takes nothing from the cache.
    await refused(admin.get('prod/db', { version: 'pending' }))
    expect((await admin.get('prod/db')).cached).toBeDefined()
    await admin.put('prod/db', hidden('{"next":1}'), JSON_TYPE)
    expect((await admin.get('prod/db', { version: 'previous' })).value.reveal()).toBe(DOCUMENT)
  })
})
