/** How requests count against rate limits. */
import { describe, expect, it } from 'vitest'
import { openApp } from '../../../worker/provider_access/provider_access_fixture.ts'

/** An app with twelve requests an hour for each principal, and the calls of a principal that has used none yet. */
async function open() {
  const bench = await openApp(null, { environment: { POSTERN_SECURITY__PRINCIPAL_RATE: '12/h' } })
  await bench.admin.putPrincipal('ann', { kind: 'service' })
  const actions = ['read', 'write', 'admin'] as const
  await bench.admin.putRule('ann', { effect: 'permit', principal: 'ann', actions: [...actions], resource: '**' })
  const { token } = await bench.admin.createToken({ principal: 'ann' })
  const headers = { Authorization: `Bearer ${token.reveal()}`, 'Content-Type': 'application/json' }
  const send = (path: string, method: string, body?: object) =>
    bench.send(`/v1/vaults/default/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  return { ...bench, send }
}

describe('the rate of a principal', () => {
  it.each([
    ['a write', 'secrets/a', 'PUT', { value: 'x' }],
    ['a hook', 'hooks/h', 'PUT', { url: 'https://hooks.example/a' }],
    ['a look at a tree head', 'audit/checkpoint', 'GET', undefined],
    ['a list', 'secrets', 'GET', undefined],
  ])('counts %s once', async (_, path, method, body) => {
    const { send } = await open()
    const statuses: number[] = []
    for (let i = 0; i < 13; i++) statuses.push((await send(path, method, body)).status)
    expect(statuses.slice(0, 12).every((status) => status < 300)).toBe(true)
    expect(statuses[12]).toBe(429)
  })

  it('counts a refused weak value once', async () => {
    const { send } = await open()
    const complexity = { secretComplexity: { minLength: 100 } }
    expect((await send('policy', 'PUT', complexity)).status).toBe(200)
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push((await send('secrets/a', 'PUT', { value: 'x' })).status)
    expect(statuses).toEqual([...Array(11).fill(400), 429])
  })

  it('says with each answer what is left', async () => {
    const { send } = await open()
    const left = async () => (await send('secrets/a', 'PUT', { value: 'x' })).headers.get('RateLimit')
    expect([await left(), await left()]).toEqual([expect.stringMatching(/r=11\b/), expect.stringMatching(/r=10\b/)])
  })

  it('counts each secret of a batch', async () => {
    const { send } = await open()
    const references = Array.from({ length: 5 }, (_, i) => `postern://default/a${i}`)
    for (let i = 0; i < 2; i++) expect((await send('hydrate', 'POST', { references })).status).toBe(200)
    const { items } = (await (await send('hydrate', 'POST', { references })).json()) as { items: { error: object }[] }
    expect(items.filter(({ error }) => Object(error).code === 'throttled')).toHaveLength(3)
  })
})
