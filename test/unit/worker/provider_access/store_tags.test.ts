/** Tags and descriptions of a store, on reads and on the list of versions. */
import { describe, expect, it } from 'vitest'
import { AwsProvider } from '../../../../core/providers/aws/provider.ts'
import { HashicorpProvider } from '../../../../core/providers/hashicorp/provider.ts'
import { HttpProvider } from '../../../../core/providers/http/provider.ts'
import type { Provider } from '../../../../core/providers/provider.ts'
import { shownTags, storeTags } from '../../../../core/providers/store_tags.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { Secret } from '../../../../core/wire/index.ts'
import { openApp } from './provider_access_fixture.ts'

const many = Object.fromEntries(
  Array.from({ length: 50 }, (_, i) => [`tag-${String(i).padStart(2, '0')}`, `value ${i}`]),
)
const token = new Redacted('root-test-token')

/** An app whose `prod/**` is at one provider, with a cache. */
async function opened(id: 'aws' | 'hashicorp' | 'http', provider: Provider) {
  const app = await openApp({ [id]: { provider } })
  await app.admin.putChain('prod', { resource: 'prod/**', members: [{ provider: id }], cacheSeconds: 60 })
  return app
}

const vault = (custom_metadata: unknown) => {
  const times = { created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false, version: 3 }
  const fetch = async () => Response.json({ data: { data: { value: 'one' }, metadata: { ...times, custom_metadata } } })
  const config = { address: 'https://vault.example:8200', mount: 'secret', kvVersion: 2 as const }
  return new HashicorpProvider({ ...config, credentials: { kind: 'token', token } }, { fetch })
}

/** An AWS region that answers each operation. */
function aws(described: (() => Response) | null) {
  const asked: string[] = []
  const fetch = async (request: Request) => {
    const operation = request.headers.get('x-amz-target')!.replace('secretsmanager.', '')
    asked.push(operation)
    if (operation === 'GetSecretValue')
      return Response.json({ Name: 'prod/db', VersionId: 'v'.repeat(32), SecretString: 's' })
    if (operation === 'ListSecretVersionIds') return Response.json({ Versions: [{ VersionId: 'v'.repeat(32) }] })
    return described?.() ?? Response.json({ __type: 'AccessDeniedException' }, { status: 400 })
  }
  const keys = { kind: 'static', accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: token } as const
  return { asked, provider: new AwsProvider({ region: 'eu-west-1', credentials: keys }, { fetch }) }
}

describe('tags of a store', () => {
  it('come with a read of KV 2, from the cache too, and in a hydration', async () => {
    const { admin } = await opened('hashicorp', vault({ owner: 'team-a', 'x\u202ey': 'a\nb' }))
    const shown = { owner: 'team-a', 'x\ufffdy': 'a\ufffdb' }
    const [first, second] = [await admin.get('prod/db'), await admin.get('prod/db')]
    expect([first.cached, first.tags, second.cached?.ageSeconds, second.tags]).toEqual([undefined, shown, 0, shown])
    const [hydrated] = await admin.hydrate(['postern://default/prod/db'])
    expect(hydrated).toMatchObject({ secret: { tags: shown } })
  })

  it.each([null, undefined, [], 'text', { nested: {} }])('are empty where the metadata is %j', async (metadata) => {
    const { admin } = await opened('hashicorp', vault(metadata))
    const { value, tags } = await admin.get('prod/db')
    expect([value.reveal(), tags]).toEqual(['one', {}])
  })

  it('come from an HTTP store, whose value does not depend on them', async () => {
    const store = (tags: unknown) => {
      const fetch = async () => Response.json({ value: 'one', tags })
      return new HttpProvider({ url: 'https://store.example/{name}', headers: {}, pointer: '/value' }, { fetch })
    }
    expect((await (await opened('http', store({ a: 'b' }))).admin.get('prod/db')).tags).toEqual({ a: 'b' })
    const odd = await (await opened('http', store({ a: 1 }))).admin.get('prod/db')
    expect([odd.value.reveal(), odd.tags]).toEqual(['one', {}])
  })

  it('fit into answers that clients of every version take; the others are beside them', async () => {
    const { send, secret, admin } = await opened('hashicorp', vault({ ...many, long: 'l'.repeat(512) }))
    const body = (await (await send(secret('prod/db'))).json()) as { tags: object; moreTags: object }
    expect([Object.keys(body.tags).length, Object.keys(body.moreTags).length]).toEqual([20, 31])
    expect({ ...body.tags, ...body.moreTags }).toEqual({ ...many, long: 'l'.repeat(512) })
    expect(Secret.safeParse(body).success).toBe(true)
    expect(Object.keys((await admin.get('prod/db')).moreTags!)).toContain('long')
  })

  it.each(['NULL', `'{"owner":"eve"}'`])('are bound to the cached value: a row with %s is not served', async (tags) => {
    const { admin, sql, log } = await opened('hashicorp', vault({ owner: 'team-a' }))
    await admin.get('prod/db')
    sql.all(`UPDATE cached SET tags = ${tags}`)
    const read = await admin.get('prod/db')
    expect([read.cached, read.tags]).toEqual([undefined, { owner: 'team-a' }])
    expect(log().at(-1)!.facts.cache).toBe('tampered')
  })

  it('are bounded', () => {
    const huge = Array.from({ length: 500 }, (_, i): [string, string] => [`t${i}`, i % 2 ? 'x' : 'y'.repeat(5000)])
    const { tags, moreTags } = shownTags(storeTags(huge))
    expect([Object.keys(tags).length, Object.keys(moreTags!).length]).toEqual([20, 44])
    expect([storeTags([]), shownTags(null)]).toEqual([null, { tags: {} }])
  })
})

describe('tags and description at AWS', () => {
  it('are with the list of versions, and cost a read no request', async () => {
    const Tags = Object.entries(many).map(([Key, Value]) => ({ Key, Value }))
    const { provider, asked } = aws(() => Response.json({ Name: 'prod/db', Description: 'The \u202e database', Tags }))
    const { admin } = await opened('aws', provider)
    expect((await admin.get('prod/db')).tags).toEqual({})
    expect(asked).toEqual(['GetSecretValue'])
    const { tags, moreTags, description } = await admin.versions('prod/db')
    expect([{ ...tags, ...moreTags }, description]).toEqual([many, 'The \ufffd database'])
    expect(Object.keys(tags!)).toHaveLength(20)
  })

  it('are left out where the policy denies them', async () => {
    const { admin } = await opened('aws', aws(null).provider)
    const list = await admin.versions('prod/db')
    expect([list.items.length, list.tags, list.description]).toEqual([1, undefined, undefined])
  })
})
