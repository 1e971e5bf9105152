import { describe, expect, it } from 'vitest'
import { queryOf, ROUTES } from '../../../../worker/http/route_table.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

/** A request to a route, with its path filled in and a body of its media type. */
function requestTo(method: string, path: string, query: string): [string, RequestInit] {
  const filled = path.replace('{vault}', 'default').replace('{tile}', '0/000.p/1').replace('{index}', '0')
  const url = filled.replace('{accessor}', crypto.randomUUID()).replaceAll(/\{[a-z]+\}/g, 'x') + query
  return [url, { method, ...(method === 'PUT' || method === 'POST' ? { body: '{}' } : {}) }]
}

describe('a query', () => {
  it.each(ROUTES)(
    'refuses an unknown parameter of $id by its name, and names the known ones',
    async ({ id, method, path }) => {
      const { send, log } = await openApp(null, { environment: { POSTERN_METRICS: 'true' } })
      const before = log().length
      const known = Object.keys(queryOf(id)?.shape ?? {})
      for (const query of ['?foo=1', '?foo', ...known.map((name) => `?${name.toUpperCase()}=1`)]) {
        const response = await send(...requestTo(method, path, query))
        const problem = (await response.json()) as Record<string, unknown>
        expect(problem).toMatchObject({ status: 400, code: 'bad_request', field: 'query' })
        const name = query.slice(1).split('=')[0]
        const rest = known.length === 0 ? 'This route has no parameters' : `Known parameters: ${known.join(', ')}`
        expect(problem.detail).toBe(`Unknown parameter: ${name}. ${rest}`)
      }
      expect(log().length).toBe(before)
    },
  )

  it.each(ROUTES.filter(({ id }) => queryOf(id) !== null))(
    'refuses a parameter of $id that is given twice',
    async ({ id, method, path }) => {
      const { send } = await openApp(null)
      for (const name of Object.keys(queryOf(id)!.shape)) {
        const response = await send(...requestTo(method, path, `?${name}=1&${name}=1`))
        const detail = `Parameter ${name} must be given once`
        expect(await response.json()).toMatchObject({ status: 400, field: 'query', detail })
      }
    },
  )

  it('does not answer a list with more than its caller asked for', async () => {
    const { admin, send } = await openApp(null)
    await admin.putPrincipal('ann', { kind: 'user' })
    await admin.createToken({ principal: 'ann' })
    for (const list of ['tokens', 'rules', 'issuers', 'principals', 'chains', 'hooks', 'locks', 'approvals', 'keys']) {
      expect((await send(`/v1/vaults/default/${list}?principal=ann`)).status).toBe(400)
      expect((await send(`/v1/vaults/default/${list}`)).status).toBe(200)
      expect((await send(`/v1/vaults/default/${list}?`)).status).toBe(200)
    }
  })

  it('shows no parameter that could be a token', async () => {
    const { send, token } = await openApp(null)
    const response = await send(`/v1/vaults/default/secrets?${token.reveal()}=1`)
    const text = await response.text()
    expect(text).toContain('Unknown parameter. Known parameters: prefix, cursor, limit, deleted')
    expect(text).not.toContain(token.reveal().slice(12))
  })
})
