/** The policy of a vault over HTTP, beside the floor of the server. */
import { describe, expect, it } from 'vitest'
import { openApp } from '../provider_access/provider_access_fixture.ts'

describe('a server with a floor for the complexity of values', () => {
  it('refuses weaker values in a vault without a policy, and shows the floor', async () => {
    const bench = await openApp(null, {
      environment: {
        POSTERN_SECURITY__SECRET_COMPLEXITY_MIN_LENGTH: '12',
        POSTERN_SECURITY__SECRET_COMPLEXITY_REQUIRE_DIGIT: 'True',
      },
    })
    const put = (value: string) =>
      bench.send('/v1/vaults/default/secrets/a', { method: 'PUT', body: JSON.stringify({ value }) })
    const refused = await put('eleven letters')
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ reason: 'weak', detail: 'Value must have a digit' })
    expect((await put('short 1')).status).toBe(400)
    expect((await put('twelve letters and 1 digit')).status).toBe(201)
    const policy = await (await bench.send('/v1/vaults/default/policy')).json()
    expect(policy).toMatchObject({
      secretComplexity: null,
      serverComplexity: { minLength: 12, requireDigit: true, requireUpper: false },
    })
  })

  it('shows none where the settings have none', async () => {
    const bench = await openApp(null)
    expect(await (await bench.send('/v1/vaults/default/policy')).json()).not.toHaveProperty('serverComplexity')
  })
})
