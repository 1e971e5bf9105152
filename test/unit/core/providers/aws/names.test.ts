/** Names at AWS Secrets Manager: those that end like an ARN reach the secret of exactly that name, and no other. */
import { describe, expect, it } from 'vitest'
import { AwsProvider } from '../../../../../core/providers/aws/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf } from '../../../../support/core.ts'
import { fakeSecretsManager } from '../../../../support/fakes/secrets_manager.ts'
import { NOW, SECRET, signal } from './answers_fixture.ts'

const KEY = 'k'.repeat(40)

function opened() {
  const server = fakeSecretsManager()
  const told: [string, object][] = []
  const credentials = { kind: 'static', accessKeyId: 'AKIAEXAMPLE', secretAccessKey: new Redacted(SECRET) } as const
  const provider = new AwsProvider(
    { region: 'eu-west-1', credentials },
    { fetch: server.fetch, now: () => NOW, report: (_, event, fields) => void told.push([event, fields]) },
  )
  const put = (name: string, more: object = {}) =>
    provider.put(name, new Redacted(bytesOf('new')), { signal: signal(), idempotencyKey: KEY, ...more })
  const calls = () =>
    server.asked.map(({ headers, body }) => {
      const { SecretId, Name } = body as { SecretId?: string; Name?: string }
      return `${headers.get('x-amz-target')!.replace('secretsmanager.', '')} ${SecretId ?? Name}`
    })
  return { server, provider, put, told, calls }
}

const NAMES = ['team-secret', 'api-tokens', 'app-config', 'my-github', 'x-stripe', 'db-passwd', 'release-2026q3']
const OTHERS = ['MyApp/Prod/DB_Password', 'a+b@c=d', '/lead', '-lead', 'trail-', 'a//b', 'rds!db-0a1b2c', 'xx-AbCdEf']

describe('names of AWS', () => {
  it.each([...NAMES, ...OTHERS])('read, write, list and delete %s', async (name) => {
    const { server, provider, put } = opened()
    server.set(name, 'old')
    const { value } = await provider.get(name, { signal: signal() })
    expect(Buffer.from(value.reveal()).toString()).toBe('old')
    await put(name)
    expect(server.value(name)).toBe('new')
    const [found] = await provider.getMany([name], { signal: signal() })
    expect(found).toMatchObject({ version: KEY })
    expect((await provider.list({ prefix: name, cursor: null, limit: 5, signal: signal() })).items).toHaveLength(1)
    expect((await provider.versions(name, { signal: signal() }))[0]?.version).toBe(KEY)
    await provider.remove(name, { signal: signal() })
    expect(server.secrets.get(name)!.deleted).toBe(true)
  })

  it.each(['team-secret', 'team-AbC123'])(
    'reach no other secret when the service takes %s for the end of an ARN',
    async (name) => {
      const { server, provider, put, told, calls } = opened()
      // The secret `team`, whose ARN happens to end so.
      server.set('team', 'of another')
      server.takes.set(name, 'team')
      for (const ask of [
        () => provider.get(name, { signal: signal() }),
        () => provider.versions(name, { signal: signal() }),
        () => provider.remove(name, { signal: signal() }),
        () => provider.rotate(name, { token: KEY, begin: true, signal: signal() }),
      ]) {
        expect(await kindOf(ask())).toBe('not_found')
      }
      expect(await kindOf(put(name, { expect: 'v'.repeat(36) }))).toBe('conflict')
      const [many] = await provider.getMany([name], { signal: signal() })
      expect(many).toMatchObject({ kind: 'not_found' })
      expect([server.value('team'), server.secrets.get('team')!.deleted]).toEqual(['of another', false])
      expect(told).toEqual([['provider_other_secret', { provider: 'aws', name, found: 'team' }]])
      // A new secret is made under exactly its name, and from then on reached by its own ARN.
      await put(name)
      expect([server.value(name), server.value('team')]).toEqual(['new', 'of another'])
      expect(calls().at(-1)).toBe(`CreateSecret ${name}`)
    },
  )

  it('are written by the full ARN of the described secret where they end like one', async () => {
    const { server, put, provider, calls } = opened()
    server.set('team-secret', 'old')
    await put('team-secret')
    const arn = server.arn('team-secret')
    expect(calls()).toEqual([
      'DescribeSecret team-secret',
      `GetSecretValue ${arn}`,
      `PutSecretValue ${arn}`,
      `UpdateSecretVersionStage ${arn}`,
    ])
    await provider.remove('team-secret', { signal: signal() })
    expect(calls().slice(-2)).toEqual(['DescribeSecret team-secret', `DeleteSecret ${arn}`])
  })

  it('are not filtered by a prefix that would negate the filter', async () => {
    const { server, provider } = opened()
    server.set('!a', 'x')
    server.set('b', 'x')
    const { items } = await provider.list({ prefix: '!', cursor: null, limit: 5, signal: signal() })
    expect(items.map(({ name }) => name)).toEqual(['!a'])
  })
})
