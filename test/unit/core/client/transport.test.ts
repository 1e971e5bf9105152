/** What the client makes of answers, also of those that a newer server gives. */
import { expect, it } from 'vitest'
import { connect } from '../../../../core/client/client.ts'
import { Redacted } from '../../../../core/redacted.ts'

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

it('ignores unknown members of an answer, at any depth', async () => {
  const passedOver = [{ provider: 'aws', why: 'down', since: NOW }]
  const newer = { ...SECRET, passedOver, cached: { ageSeconds: 1, region: 'eu' }, lease: { id: 1 } }
  const { value, ...rest } = await clientOf(newer).get('a')
  expect(value.reveal()).toBe('v')
  expect(JSON.stringify(rest)).not.toMatch(/since|region|lease/)
  expect(rest).toMatchObject({ passedOver: [{ provider: 'aws', why: 'down' }], cached: { ageSeconds: 1 } })
  const hydrated = { items: [{ reference: 'postern://default/a', secret: newer, took: 3 }], took: 4 }
  expect(await clientOf(hydrated).hydrate(['postern://default/a'])).toMatchObject([{ secret: { name: 'a' } }])
})

it('refuses an answer with a missing or wrongly typed member', async () => {
  const { version: _, ...without } = SECRET
  for (const wrong of [without, { ...without, more: 1 }, { ...SECRET, version: {}, more: 1 }, null, [], 'x']) {
    await expect(clientOf(wrong).get('a')).rejects.toMatchObject({ code: 'unavailable' })
  }
})

it('accepts the fitting one of several shapes, with additional members', async () => {
  const days = { days: [6], zone: 'UTC' }
  const hours = { days: [6], hours: { from: '01:00', to: '02:00' }, zone: 'UTC' }
  const { freeze } = await clientOf({ ...ROTATION, freeze: [days, hours] }).rotation('a')
  expect(freeze).toEqual([{ days: [6] }, { days: [6], hours: { from: '01:00', to: '02:00' } }])
  await expect(clientOf({ ...ROTATION, freeze: [{ zone: 'UTC' }] }).rotation('a')).rejects.toMatchObject({
    code: 'unavailable',
  })
})

const TICKET = `pso_default_${'A'.repeat(80)}`
const GIVEN = {
  ...{ accessor: 'x', principal: 'admin', label: '', createdAt: NOW, createdBy: 'admin' },
  token: 'pst_given',
}

/** A client with a ticket, of a server that notes who asks for what. */
function withTicket(exchange: () => Response, more: { onToken?: (token: Redacted<string>) => void } = {}) {
  const asked: string[] = []
  const client = connect({
    ...{ endpoint: 'https://postern.example', vault: 'default', token: new Redacted(TICKET), ...more },
    fetch: async ({ method, url, headers, body }) => {
      const path = url.slice('https://postern.example/v1/vaults/default/'.length)
      asked.push(`${method} ${path} ${headers.get('Authorization')}${body === null ? '' : ' with a body'}`)
      return path === 'tokens' ? exchange() : Response.json(SECRET)
    },
  })
  return { client, asked }
}

it('exchanges a ticket once, hands over the token before using it, and sends the ticket nowhere else', async () => {
  const kept: string[] = []
  const onToken = (token: Redacted<string>) => void kept.push(`${token.reveal()} after ${asked.length}`)
  const { client, asked } = withTicket(() => Response.json(GIVEN, { status: 201 }), { onToken })
  expect(asked).toEqual([])
  await Promise.all([client.get('a'), client.get('b')])
  await client.get('c')
  expect(asked).toEqual([
    `POST tokens Bearer ${TICKET}`,
    ...['a', 'b', 'c'].map((name) => `GET secrets/${name} Bearer pst_given`),
  ])
  expect(kept).toEqual(['pst_given after 1'])
})

it('presents a ticket again when its answer was lost, or its token could not be kept', async () => {
  const answers = [() => Promise.reject(new Error('lost')) as never, () => Response.json(GIVEN, { status: 201 })]
  let isFull = true
  const onToken = () => {
    if (isFull) throw new Error('full')
  }
  const { client, asked } = withTicket(() => (answers.length > 1 ? answers.shift()!() : answers[0]!()), { onToken })
  await expect(client.get('a')).rejects.toMatchObject({ code: 'unavailable' })
  await expect(client.get('a')).rejects.toThrow('full')
  isFull = false
  await client.get('a')
  expect(asked).toEqual([...Array(3).fill(`POST tokens Bearer ${TICKET}`), 'GET secrets/a Bearer pst_given'])
})

it('refuses an endpoint without TLS before it sends a ticket', () => {
  const about = { vault: 'default', token: new Redacted(TICKET) }
  expect(() => connect({ ...about, endpoint: 'http://postern.example' })).toThrow('The endpoint must be an https URL')
})
