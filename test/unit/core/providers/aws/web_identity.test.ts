/**
 * Credentials of AWS that come from a web identity.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { AwsProvider } from '../../../../../core/providers/aws/provider.ts'
import type { FailureKind } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { failed, NOW, ok, read, SECRET } from './answers_fixture.ts'

describe('AssumeRoleWithWebIdentity', () => {
  const JWT = 'canary.of.a-web-identity-token'
  const element = (name: string, text: string) => `<${name}>${text}</${name}>`
  const granted = (more: Record<string, string> = {}) => {
    const fields = {
      AccessKeyId: 'ASIAEXAMPLE',
      SecretAccessKey: SECRET,
      SessionToken: 'session-token',
      Expiration: '2026-01-01T01:00:00Z',
      ...more,
    }
    return `<R><Credentials>${Object.entries(fields)
      .map(([name, text]) => element(name, text))
      .join('')}</Credentials></R>`
  }

  function keyless(xml: () => [status: number, body: string], sts = 'https://sts.eu-west-1.amazonaws.com') {
    const forms: URLSearchParams[] = []
    const state = {
      now: NOW,
      asked: [] as Headers[],
      reply: ok({ Name: 'prod/db', VersionId: 'v'.repeat(36), SecretString: 'value' }),
    }
    const fetch = async (request: Request) => {
      if (new URL(request.url).origin !== sts) {
        state.asked.push(request.headers)
        return new Response(JSON.stringify(state.reply.body), { status: state.reply.status })
      }
      forms.push(new URLSearchParams(await request.text()))
      const [status, body] = xml()
      return new Response(body, { status, headers: { date: new Date(state.now).toUTCString() } })
    }
    const token = async () => new Redacted(JWT)
    const role = {
      kind: 'web_identity',
      roleArn: 'arn:aws:iam::123456789012:role/a/b',
      sessionName: 'postern',
      token,
    } as const
    const credentials = { ...role, durationSeconds: 3600, policy: '{}' }
    const provider = new AwsProvider({ region: 'eu-west-1', credentials }, { fetch, now: () => state.now })
    return { state, forms, provider }
  }

  it('assumes a role with a token once for many reads, and again before the keys expire', async () => {
    const { state, forms, provider } = keyless(() => [200, granted()])
    await Promise.all([read(provider), read(provider), read(provider)])
    expect(Object.fromEntries(forms[0]!)).toEqual({
      ...{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: 'arn:aws:iam::123456789012:role/a/b' },
      ...{ RoleSessionName: 'postern', WebIdentityToken: JWT, DurationSeconds: '3600', Policy: '{}' },
    })
    expect(state.asked[0]?.get('x-amz-security-token')).toBe('session-token')
    expect(state.asked[0]?.get('authorization')).toContain(
      'content-type;host;x-amz-date;x-amz-security-token;x-amz-target',
    )
    expect(forms).toHaveLength(1)
    state.now += 2_900_000
    await read(provider)
    expect(forms).toHaveLength(2)
  })

  it('assumes the role again when the service no longer knows the keys', async () => {
    const { state, forms, provider } = keyless(() => [200, granted()])
    await read(provider)
    state.reply = failed('ExpiredTokenException')
    expect(await kindOf(read(provider))).toBe('credentials')
    expect([forms.length, state.asked.length]).toEqual([2, 3])
  })

  it.each<[string, number, FailureKind]>([
    ['ExpiredTokenException', 400, 'credentials'],
    ['InvalidIdentityToken', 400, 'credentials'],
    ['IDPRejectedClaim', 403, 'credentials'],
    ['AccessDenied', 403, 'credentials'],
    ['IDPCommunicationError', 400, 'unavailable'],
    ['RegionDisabledException', 403, 'invalid'],
    ['Throttling', 400, 'throttled'],
    ['ServiceUnavailable', 503, 'unavailable'],
  ])('maps %s to its failure', async (code, status, kind) => {
    const { provider } = keyless(() => [
      status,
      `<ErrorResponse><Error>${element('Code', code)}${element('Message', JWT)}</Error></ErrorResponse>`,
    ])
    expect(await kindOf(read(provider))).toBe(kind)
  })

  it.each([
    ['no XML', 'canary'],
    ['a field twice', granted() + element('SecretAccessKey', 'x')],
    ['an entity in a field', granted({ SecretAccessKey: 'a&amp;b' })],
    ['an element in a field', granted({ SessionToken: 'a<b>c</b>' })],
    ['a line end in a field', granted({ SessionToken: 'a\r\nb' })],
    ['no end', granted({ Expiration: 'soon' })],
    ['an end in the past', granted({ Expiration: '2025-12-31T23:59:59Z' })],
  ])('refuses an answer with %s', async (_, xml) => {
    const { state, provider } = keyless(() => [200, xml])
    expect(await kindOf(read(provider))).toBe('unavailable')
    expect(state.asked).toEqual([])
  })
})
