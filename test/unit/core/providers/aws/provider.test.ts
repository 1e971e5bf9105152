/**
 * AWS Secrets Manager: requests, answers, errors, and a clock that is wrong.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { type AwsConfig, AwsProvider } from '../../../../../core/providers/aws/provider.ts'
import { type FailureKind, type Provider, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { leaks } from '../../../../support/canary.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf, refusalFrom, shownBy } from '../../../../support/core.ts'
import { type Asked, fake, type Reply } from '../../../../support/fakes/fake.ts'
import { failed, NOW, ok, read, SECRET, signal } from './answers_fixture.ts'

const STATIC = { kind: 'static', accessKeyId: 'AKIAEXAMPLE', secretAccessKey: new Redacted(SECRET) } as const

const CONFIG: AwsConfig = { region: 'eu-west-1', credentials: STATIC }

const KEY = 'k'.repeat(40)

const operationOf = ({ headers }: Asked) => headers.get('x-amz-target')?.replace('secretsmanager.', '')

/** A provider in front of a server that answers by operation, each with its replies in turn, the last one for good. */
function open(replies: Record<string, Reply[]>, config = CONFIG, now = () => NOW) {
  const server = fake((asked) => {
    const queue = replies[operationOf(asked) ?? ''] ?? []
    return (queue.length > 1 ? queue.shift() : queue[0]) ?? null
  })
  return { server, provider: new AwsProvider(config, { fetch: server.fetch, now }) }
}

function put(provider: Provider, value: string | Uint8Array<ArrayBuffer>, expected?: string) {
  const bytes = typeof value === 'string' ? bytesOf(value) : value
  return provider.put('prod/db', new Redacted(bytes), {
    signal: signal(),
    idempotencyKey: KEY,
    ...(expected ? { expect: expected } : {}),
  })
}

describe('AwsProvider', () => {
  it('sends a signed request that the service reads', async () => {
    const secret = { Name: 'prod/db', VersionId: 'v'.repeat(36), SecretString: 'value', CreatedDate: 1700000000.123 }
    const { server, provider } = open({ GetSecretValue: [ok(secret)] })
    const found = await read(provider)
    expect([found.version, found.createdAt, found.expiresAt, found.contentType]).toEqual([
      'v'.repeat(36),
      1700000000123,
      null,
      null,
    ])
    const { method, url, headers, body } = server.asked[0]!
    expect([method, url.href, body]).toEqual([
      'POST',
      'https://secretsmanager.eu-west-1.amazonaws.com/',
      { SecretId: 'prod/db', VersionStage: 'AWSCURRENT' },
    ])
    expect(headers.get('content-type')).toBe('application/x-amz-json-1.1')
    expect(headers.get('authorization')).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/20260101\/eu-west-1\/secretsmanager\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=[0-9a-f]{64}$/,
    )
    expect(leaks(JSON.stringify([...headers]), [SECRET])).toEqual([])
  })

  it.each<[string, Partial<AwsConfig>, string]>([
    ['a region in China', { region: 'cn-north-1' }, 'https://secretsmanager.cn-north-1.amazonaws.com.cn'],
    ['a region for governments', { region: 'us-gov-west-1' }, 'https://secretsmanager.us-gov-west-1.amazonaws.com'],
    ['the sovereign cloud', { region: 'eusc-de-east-1' }, 'https://secretsmanager.eusc-de-east-1.amazonaws.eu'],
    ['an isolated region', { region: 'us-iso-east-1' }, 'https://secretsmanager.us-iso-east-1.c2s.ic.gov'],
    [
      'a second isolated partition',
      { region: 'us-isob-east-1' },
      'https://secretsmanager.us-isob-east-1.sc2s.sgov.gov',
    ],
    ['a third', { region: 'eu-isoe-west-1' }, 'https://secretsmanager.eu-isoe-west-1.cloud.adc-e.uk'],
    ['a fourth', { region: 'us-isof-south-1' }, 'https://secretsmanager.us-isof-south-1.csp.hci.ic.gov'],
    ['a region with a new name', { region: 'mx-central-1' }, 'https://secretsmanager.mx-central-1.amazonaws.com'],
    [
      'a region of an unknown partition, by its endpoint',
      { region: 'xx-new-part-east-1', endpoint: 'https://secretsmanager.example' },
      'https://secretsmanager.example',
    ],
    ['an endpoint of its own', { endpoint: 'https://vpce-1.example/' }, 'https://vpce-1.example'],
  ])('sends requests to %s', async (_, more, origin) => {
    const { server, provider } = open({ GetSecretValue: [failed('ResourceNotFoundException')] }, { ...CONFIG, ...more })
    expect(await kindOf(read(provider))).toBe('not_found')
    expect(server.asked[0]?.url.origin).toBe(origin)
  })

  it.each<[string, Partial<AwsConfig>]>([
    ['region', { region: 'evil.example/' }],
    ['region', { region: 'us-east-1.evil.example' }],
    ['region', { region: '' }],
    ['region', { region: 'xx-new-part-east-1' }],
    ['region', { region: 'us-east-1/x', endpoint: 'https://example.com' }],
    ['region', { region: 'US-EAST-1' }],
    ['endpoint', { endpoint: 'https://example.com/path' }],
    ['endpoint', { endpoint: 'http://example.com' }],
    ['endpoint', { endpoint: 'https://169.254.169.254' }],
    ['endpoint', { endpoint: 'https://user:canary@example.com' }],
    ['accessKeyId', { credentials: { ...STATIC, accessKeyId: 'AKIA\r\nX-Injected: canary' } }],
    ['sessionToken', { credentials: { ...STATIC, sessionToken: new Redacted('canary\r\nX-Injected: 1') } }],
    ['sessionToken', { credentials: { ...STATIC, sessionToken: new Redacted('canary\0') } }],
    [
      'roleArn',
      {
        credentials: {
          kind: 'web_identity',
          roleArn: 'canary',
          sessionName: 'ok',
          token: async () => new Redacted('t'),
        },
      },
    ],
  ])('rows 11, 13: refuses a configuration with a wrong %s', (field, more) => {
    const error = refusalFrom(() => new AwsProvider({ ...CONFIG, ...more }))
    expect([error.code, error.detail.field]).toEqual(['bad_request', field])
    expect(shownBy(error)).not.toContain('canary')
  })

  it.each<[string, string, FailureKind]>([
    ['ResourceNotFoundException', '', 'not_found'],
    ['com.amazonaws.secretsmanager#ResourceNotFoundException', '', 'not_found'],
    ['ResourceNotFoundException:http://internal.amazon.com/', '', 'not_found'],
    [
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was marked for deletion.",
      'deleted',
    ],
    [
      'InvalidRequestException',
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
      'deleted',
    ],
    [
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
      'invalid',
    ],
    [
      'AccessDeniedException',
      'not authorized to perform: secretsmanager:GetSecretValue on resource: deleted',
      'denied',
    ],
    ['DecryptionFailure', '', 'denied'],
    ['UnrecognizedClientException', '', 'credentials'],
    ['ExpiredTokenException', '', 'credentials'],
    ['IncompleteSignatureException', '', 'credentials'],
    ['ThrottlingException', '', 'throttled'],
    ['TooManyRequestsException', '', 'throttled'],
    // A quota is full: trying again, here or elsewhere, fills it further.
    ['LimitExceededException', '', 'invalid'],
    ['InternalServiceError', '', 'unavailable'],
    ['ServiceUnavailableException', '', 'unavailable'],
    ['RequestTimeoutException', '', 'timeout'],
    ['ResourceExistsException', '', 'conflict'],
    ['ValidationException', '', 'invalid'],
    ['SomethingNewException', '', 'invalid'],
  ])('row 18: reads %s (%s) as %s for any status', async (type, message, kind) => {
    for (const status of [400, 403, 404]) {
      expect([status, await kindOf(read(open({ GetSecretValue: [failed(type, message, status)] }).provider))]).toEqual([
        status,
        kind,
      ])
    }
  })

  it('row 18: reads the error type from the header as well', async () => {
    const headers = { 'x-amzn-errortype': 'AccessDeniedException:http://internal.amazon.com/' }
    expect(await kindOf(read(open({ GetSecretValue: [{ status: 400, headers }] }).provider))).toBe('denied')
  })

  it('row 18: does not treat a status without an error type as an answer of AWS', async () => {
    for (const status of [400, 403, 404, 500]) {
      expect(await kindOf(read(open({ GetSecretValue: [{ status, body: { message: 'x' } }] }).provider))).toBe(
        'unavailable',
      )
    }
  })

  it('row 19: stages a version, and moves AWSCURRENT from the expected one', async () => {
    const [old, other] = ['o'.repeat(36), 'p'.repeat(36)]
    const described = ok({ VersionIdsToStages: { [old]: ['AWSCURRENT'], [other]: ['AWSPREVIOUS'] } })
    const replies = {
      DescribeSecret: [described],
      GetSecretValue: [ok({ Name: 'prod/db', VersionId: old, SecretString: 'former' })],
      PutSecretValue: [ok({ VersionId: KEY })],
      UpdateSecretVersionStage: [ok({})],
    }
    const { server, provider } = open(replies)
    expect(await put(provider, 'value', old)).toEqual({ version: KEY })
    expect(server.asked.map((asked) => [operationOf(asked), asked.body]).slice(1)).toEqual([
      ['GetSecretValue', { SecretId: 'prod/db', VersionId: old }],
      [
        'PutSecretValue',
        { SecretId: 'prod/db', ClientRequestToken: KEY, SecretString: 'value', VersionStages: ['POSTERN'] },
      ],
      [
        'UpdateSecretVersionStage',
        { SecretId: 'prod/db', VersionStage: 'AWSCURRENT', MoveToVersionId: KEY, RemoveFromVersionId: old },
      ],
    ])
    expect(await kindOf(put(open(replies).provider, 'value', other))).toBe('conflict')
  })

  it('row 19: reports a concurrent write, and does not retry', async () => {
    const old = 'o'.repeat(36)
    const described = [
      ok({ VersionIdsToStages: { [old]: ['AWSCURRENT'] } }),
      ok({ VersionIdsToStages: { another: ['AWSCURRENT'] } }),
    ]
    const moved = failed('InvalidParameterException', 'Staging label AWSCURRENT is attached to another version')
    const { server, provider } = open({
      DescribeSecret: described,
      GetSecretValue: [ok({ Name: 'prod/db', VersionId: old, SecretString: 'former' })],
      PutSecretValue: [ok({ VersionId: KEY })],
      UpdateSecretVersionStage: [moved],
    })
    expect(await kindOf(put(provider, 'value', old))).toBe('conflict')
    expect(server.asked.filter((asked) => operationOf(asked) === 'UpdateSecretVersionStage')).toHaveLength(1)
  })

  it('row 19: refuses an idempotency key that was used for another value', async () => {
    const old = 'o'.repeat(36)
    const described = ok({ VersionIdsToStages: { [old]: ['AWSCURRENT'] } })
    const { server, provider } = open({
      DescribeSecret: [described],
      GetSecretValue: [ok({ Name: 'prod/db', VersionId: old, SecretString: 'former' })],
      PutSecretValue: [failed('ResourceExistsException')],
    })
    expect(await kindOf(put(provider, 'value', old))).toBe('conflict')
    expect(server.asked.map(operationOf)).toEqual(['DescribeSecret', 'GetSecretValue', 'PutSecretValue'])
    const made = { Name: 'prod/db', VersionId: KEY, SecretString: 'another' }
    const repeated = {
      DescribeSecret: [ok({ VersionIdsToStages: { [KEY]: ['AWSCURRENT'] } })],
      GetSecretValue: [ok(made)],
    }
    expect(await kindOf(put(open(repeated).provider, 'value', old))).toBe('conflict')
    expect(await put(open(repeated).provider, 'another', old)).toEqual({ version: KEY })
  })

  it('row 19: recognises a new secret as its own on a retry', async () => {
    const made = { Name: 'prod/db', VersionId: KEY, SecretString: 'value' }
    const replies = {
      CreateSecret: [failed('ResourceExistsException')],
      DescribeSecret: [ok({ VersionIdsToStages: { [KEY]: ['AWSCURRENT'] } })],
      GetSecretValue: [ok(made)],
    }
    expect(await put(open(replies).provider, 'value', 'absent')).toEqual({ version: KEY })
    expect(await kindOf(put(open(replies).provider, 'another', 'absent'))).toBe('conflict')
  })

  it.each<[string, string | Uint8Array<ArrayBuffer>, 'sent' | 'refused']>([
    ['an empty secret', '', 'refused'],
    ['65,536 bytes', 'x'.repeat(65_536), 'sent'],
    ['65,537 bytes', 'x'.repeat(65_537), 'refused'],
    ['65,536 bytes of two-byte characters', 'é'.repeat(32_768), 'sent'],
    ['one byte more of them', `${'é'.repeat(32_768)}x`, 'refused'],
    ['bytes that are not text', Uint8Array.of(255, 0, 254), 'sent'],
  ])('row 20: %s: %s is %s', async (_, value, outcome) => {
    const { server, provider } = open({ CreateSecret: [ok({ VersionId: KEY })] })
    expect(await kindOf(put(provider, value, 'absent'))).toBe(outcome === 'sent' ? 'ok' : 'invalid')
    expect(server.asked).toHaveLength(outcome === 'sent' ? 1 : 0)
    const body = server.asked[0]?.body as Record<string, string> | undefined
    if (typeof value !== 'string') expect([body?.SecretBinary, body?.SecretString]).toEqual(['/wD+', undefined])
  })

  it('reads bytes, and refuses a value that is neither bytes nor text', async () => {
    const secret = { Name: 'prod/db', VersionId: 'v'.repeat(36) }
    const found = await read(open({ GetSecretValue: [ok({ ...secret, SecretBinary: '/wD+' })] }).provider)
    expect([found.encoding, [...found.value.reveal()]]).toEqual(['base64', [255, 0, 254]])
    for (const wrong of [
      {},
      { SecretString: null },
      { SecretString: '\ud800' },
      { SecretBinary: '*' },
      { SecretString: 1 },
    ]) {
      expect(await kindOf(read(open({ GetSecretValue: [ok({ ...secret, ...wrong })] }).provider))).toBe('invalid')
    }
  })

  it('row 67: refuses the one value of a batch that is not Unicode text', async () => {
    const of = (Name: string, SecretString: string) => ({ Name, VersionId: 'v'.repeat(36), SecretString })
    const batch = ok({ SecretValues: [of('a', '\udc00'), of('b', '{"n":1.10}')] })
    const { provider } = open({ BatchGetSecretValue: [batch] })
    const [a, b] = await provider.getMany!(['a', 'b'], { signal: AbortSignal.timeout(5000) })
    expect([a, b]).toMatchObject([{ kind: 'invalid', code: 'LoneSurrogate' }, { contentType: 'application/json' }])
  })

  it('reads many secrets in batches of twenty, each with its own outcome', async () => {
    const names = Array.from({ length: 25 }, (_, at) => `s/${at}`)
    const server = fake(({ body }) => {
      const asked = (body as { SecretIdList: string[] }).SecretIdList
      const values = asked.filter((name) => name !== 's/1' && name !== 's/22')
      const SecretValues = values
        .map((Name) => ({ Name, VersionId: 'v'.repeat(32), SecretString: `of ${Name}` }))
        .reverse()
      const Errors = asked.includes('s/1')
        ? [{ SecretId: 's/1', ErrorCode: 'InvalidRequestException', Message: 'marked for deletion' }]
        : []
      const Denied = asked.includes('s/22')
        ? [{ SecretId: 's/22', ErrorCode: 'AccessDeniedException', Message: '' }]
        : []
      return ok({ SecretValues, Errors: [...Errors, ...Denied] })
    })
    const outcomes = await new AwsProvider(CONFIG, { fetch: server.fetch, now: () => NOW }).getMany!(names, {
      signal: signal(),
    })
    const shown = outcomes.map((one) =>
      one instanceof ProviderFailure ? one.kind : Buffer.from(one.value.reveal()).toString(),
    )
    expect(shown).toEqual(names.map((name) => ({ 's/1': 'deleted', 's/22': 'denied' })[name] ?? `of ${name}`))
    expect(server.asked.map(({ body }) => (body as { SecretIdList: string[] }).SecretIdList.length)).toEqual([20, 5])
  })

  it('continues after an empty page, and stops at a repeated page', async () => {
    const pages = [
      ok({ SecretList: [], NextToken: 'a' }),
      ok({ SecretList: [{ Name: 'x/1' }, { Name: 'y/1' }], NextToken: 'a' }),
    ]
    const { provider } = open({ ListSecrets: pages })
    const list = (cursor: string | null) => provider.list({ prefix: 'x/', cursor, limit: 500, signal: signal() })
    expect(await list(null)).toEqual({ items: [], cursor: 'a' })
    expect(await kindOf(list('a'))).toBe('unavailable')
    expect((await list('b')).items).toEqual([{ name: 'x/1', updatedAt: null }])
  })
})

describe('the clock', () => {
  const date = (ms: number) => ({ date: new Date(ms).toUTCString() })
  const secret = ok({ Name: 'prod/db', VersionId: 'v'.repeat(36), SecretString: 'value' })
  const signedAt = ({ headers }: Asked) => headers.get('x-amz-date')

  it.each([600_000, -600_000])('row 52: is corrected once by the server when it is off by %i ms', async (off) => {
    const { server, provider } = open({
      GetSecretValue: [{ ...failed('InvalidSignatureException'), headers: date(NOW + off) }, secret],
    })
    expect((await read(provider)).version).toBe('v'.repeat(36))
    await read(provider)
    const right = `${new Date(NOW + off).toISOString().replace(/[:-]|\.\d{3}/g, '')}`
    expect(server.asked.map(signedAt)).toEqual(['20260101T000000Z', right, right])
  })

  it('row 52: is not adjusted for a wrong secret, or twice in one request', async () => {
    const wrong = { ...failed('SignatureDoesNotMatch'), headers: date(NOW) }
    const one = open({ GetSecretValue: [wrong] })
    expect([await kindOf(read(one.provider)), one.server.asked.length]).toEqual(['credentials', 1])
    const jumping = [1, 2, 3, 4].map((n) => ({ ...failed('RequestTimeTooSkewed'), headers: date(NOW + n * 600_000) }))
    const two = open({ GetSecretValue: jumping })
    expect([await kindOf(read(two.provider)), two.server.asked.length]).toEqual(['credentials', 2])
    const undated = open({ GetSecretValue: [failed('RequestTimeTooSkewed')] })
    expect([await kindOf(read(undated.provider)), undated.server.asked.length]).toEqual(['credentials', 1])
  })
})
