/** What the client makes of answers, also of those that a newer server gives. */
import { expect, it } from 'vitest'
import { connect } from '../../core/client.ts'
import { Redacted } from '../../core/redacted.ts'

const NOW = '2026-01-02T03:04:05.678Z'
const SECRET = { name: 'a', version: 1, value: 'v', contentType: 'text/plain', tags: {}, provider: 'sealed' }
const ROTATION = {
  ...{ rotateEvery: 'P30D', jitterSeconds: 0, target: { kind: 'generate' }, generate: { kind: 'uuid' } },
  ...{ graceSeconds: 60, freeze: [], name: 'a', state: 'idle', version: 1, failures: 0 },
  ...{ updatedAt: NOW, updatedBy: 'admin', runs: [] },
}

/** A client of a server that answers everything so. */
const clientOf = (answer: unknown) =>
  connect({
    ...{ endpoint: 'https://postern.example', vault: 'default', token: new Redacted('pst_x') },
    fetch: async () => Response.json(answer),
  })

it('leaves aside what it does not know of an answer, at any depth', async () => {
  const passedOver = [{ provider: 'aws', why: 'down', since: NOW }]
  const newer = { ...SECRET, passedOver, cached: { ageSeconds: 1, region: 'eu' }, lease: { id: 1 } }
  const { value, ...rest } = await clientOf(newer).get('a')
  expect(value.reveal()).toBe('v')
  expect(JSON.stringify(rest)).not.toMatch(/since|region|lease/)
  expect(rest).toMatchObject({ passedOver: [{ provider: 'aws', why: 'down' }], cached: { ageSeconds: 1 } })
  const hydrated = { items: [{ reference: 'postern://default/a', secret: newer, took: 3 }], took: 4 }
  expect(await clientOf(hydrated).hydrate(['postern://default/a'])).toMatchObject([{ secret: { name: 'a' } }])
})

it('refuses an answer that lacks something or has something else in its place, whatever else it has', async () => {
  const { version: _, ...without } = SECRET
  for (const wrong of [without, { ...without, more: 1 }, { ...SECRET, version: {}, more: 1 }, null, [], 'x']) {
    await expect(clientOf(wrong).get('a')).rejects.toMatchObject({ code: 'unavailable' })
  }
})

it('takes the one of several shapes that fits, with more in it', async () => {
  const days = { days: [6], zone: 'UTC' }
  const hours = { days: [6], hours: { from: '01:00', to: '02:00' }, zone: 'UTC' }
  const { freeze } = await clientOf({ ...ROTATION, freeze: [days, hours] }).rotation('a')
  expect(freeze).toEqual([{ days: [6] }, { days: [6], hours: { from: '01:00', to: '02:00' } }])
  await expect(clientOf({ ...ROTATION, freeze: [{ zone: 'UTC' }] }).rotation('a')).rejects.toMatchObject({
    code: 'unavailable',
  })
})
