/** Pages in a browser: those that are allowed may ask, the others cannot read an answer. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const PAGE = 'https://code.example.com'
let site: Site
let server: Server

beforeAll(async () => {
  site = await makeSite()
  server = await startServer('bun', site, { POSTERN_SECURITY__ALLOWED_ORIGINS: PAGE })
})

afterAll(async () => {
  await server?.stop()
  site?.remove()
})

const ask = (origin: string, method: string, headers: Record<string, string> = {}) =>
  fetch(`${server.endpoint}/v1/vaults/default/secrets`, { method, headers: { Origin: origin, ...headers } })

it('row 47: answers the preflight of an allowed page with what a client sends and reads', async () => {
  const response = await ask(PAGE, 'OPTIONS', {
    'Access-Control-Request-Method': 'GET',
    'Access-Control-Request-Headers': 'authorization,dpop,postern-seal-to',
  })
  expect(response.status).toBe(204)
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
  expect(response.headers.get('Access-Control-Allow-Headers')).toContain('DPoP')
  expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
})

it('lets an allowed page read answers, refusals and the nonce too', async () => {
  const response = await ask(PAGE, 'GET')
  expect(response.status).toBe(401)
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
  expect(response.headers.get('Access-Control-Expose-Headers')).toContain('DPoP-Nonce')
})

it.each([
  ...[
    'https://evil.example',
    'null',
    `${PAGE}.evil.example`,
    'http://code.example.com',
    'https://evil-code.example.com',
  ],
  ...['https://x.code.example.com', 'https://example.com', `${PAGE}:8443`, `${PAGE}/`, `${PAGE} https://evil.example`],
])('row 47: lets %s read nothing', async (origin) => {
  for (const method of ['OPTIONS', 'GET']) {
    const response = await ask(origin, method)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull()
    expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
  }
})
