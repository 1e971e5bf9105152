import { describe, expect, it } from 'vitest'
import { parseWebhookSecret, signWebhook } from '../../../../core/http/webhook_signature.ts'
import { refusalFrom, shownBy } from '../../../support/core.ts'

// The example that the libraries of Standard Webhooks are tested with.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const MESSAGE = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1614265330, body: '{"test": 2432232314}' }

describe('a web hook', () => {
  it('is signed as Standard Webhooks specifies', async () => {
    expect(await signWebhook(parseWebhookSecret(SECRET), MESSAGE)).toEqual({
      'webhook-id': MESSAGE.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it.each([
    ['id', { id: 'other' }],
    ['time', { timestampSeconds: 1614265331 }],
    ['body', { body: '{"test": 2432232315}' }],
  ])('has a different signature for a different %s', async (_, change) => {
    const sign = async (message: typeof MESSAGE) =>
      (await signWebhook(parseWebhookSecret(SECRET), message))['webhook-signature']
    expect(await sign({ ...MESSAGE, ...change })).not.toBe(await sign(MESSAGE))
  })

  it.each([
    ['without its prefix', SECRET.slice(6)],
    ['in no base64', 'whsec_***'],
    ['too short', `whsec_${Buffer.alloc(23).toString('base64')}`],
    ['too long', `whsec_${Buffer.alloc(65).toString('base64')}`],
  ])('refuses a secret %s, and does not show it', (_, text) => {
    const error = refusalFrom(() => parseWebhookSecret(text))
    expect(error.code).toBe('bad_request')
    expect(shownBy(error)).not.toContain(text)
  })
})
