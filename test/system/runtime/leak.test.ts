/** A value that goes in comes out in the answer to a permitted read, and nowhere else. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { canary, leaks } from '../../support/canary.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

describe.each(RUNTIMES)('on %s', (runtime) => {
  const secret = canary()
  const stray = canary()
  let site: Site
  let server: Server

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer(runtime, site, { POSTERN_DEBUG: 'true' })
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('finds the canary in a permitted read, so the searches below can detect a leak', async () => {
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    await client.put('prod/canary', new Redacted(secret), { idempotencyKey: 'once' })
    await client.put('prod/json', new Redacted(JSON.stringify({ password: secret })))
    await client.put('prod/bytes', new Redacted(new Uint8Array(Buffer.from(secret))))
    const { value } = await client.get('prod/canary')
    expect(leaks(JSON.stringify({ value: value.reveal() }), [secret])).not.toEqual([])
    await client.hydrate(['postern://default/prod/canary', 'postern://default/prod/json#/password'])
    await client.put('prod/canary', new Redacted('other'))
    await client.delete('prod/canary')
    await client.restore('prod/canary')
    await client.destroy('prod/canary', 'all')
  })

  it('rows 44, 57: puts it into no refusal, from any misplaced position', async () => {
    const token = site.token.reveal()
    const url = encodeURIComponent(stray)
    const header = stray.replace(/[^\x20-\x7e]/g, '')
    const json = { 'Content-Type': 'application/json' }
    const put = (body: string, headers: Record<string, string> = {}) =>
      ['PUT', 'secrets/stray', { ...json, ...headers }, body] as const
    const text = JSON.stringify(stray)
    const requests: (readonly [string, string, Record<string, string>, string?])[] = [
      put(stray),
      put(`{"value":${text}`),
      put(`{"value":${text},}`),
      put(`{"value":[${text}]}`),
      put(`{"value":"x",${text}:1}`),
      put(`{${text}:"x"}`),
      put(`{"value":${text},"value":${text}}`),
      put(`{"value":${text},"encoding":"base64"}`),
      put(`{"value":${text},"encoding":${text}}`),
      put(`{"value":"x","contentType":${text}}`),
      put(`{"value":"x","expiresAt":${text}}`),
      put(`{"value":"x","tags":${text}}`),
      put(`{"value":"x","tags":{${text}:{}}}`),
      put(`{"value":${text}}`, { 'If-Match': header }),
      put(`{"value":${text}}`, { 'If-None-Match': header }),
      put(`{"value":${text}}`, { 'Idempotency-Key': `${header} ${'x'.repeat(200)}` }),
      put(`{"value":${text}}`, { 'Content-Type': header }),
      put(JSON.stringify({ value: stray.repeat(2000) })),
      ['POST', 'hydrate', json, JSON.stringify({ references: [stray, `postern://default/${stray}`] })],
      ['POST', 'tokens', json, JSON.stringify({ principal: stray })],
      ['PUT', 'rules/r', json, JSON.stringify({ effect: stray, principal: stray, actions: [stray], resource: stray })],
      ['GET', `secrets/${url}`, {}],
      ['GET', `secrets?prefix=${url}`, {}],
      ['GET', `secrets?${url}=1`, {}],
      ['GET', `secrets/stray?version=${url}`, {}],
      ['GET', `audit/entries?from=${url}`, {}],
      ['GET', url, {}],
      ['POST', `destroy/stray`, json, stray],
      ['GET', 'secrets/stray', { Authorization: `Bearer ${header}` }],
      ['GET', 'secrets/stray', { Authorization: header }],
      ['DELETE', `tokens/${url}`, {}],
    ]
    for (const [method, path, headers, body] of requests) {
      const response = await fetch(`${server.endpoint}/v1/vaults/default/${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, ...headers },
        ...(body === undefined ? {} : { body }),
      })
      const answer = `${JSON.stringify([...response.headers])}${await response.text()}`
      // hydrate answers 200 with its references: those are the client's own words, told back to it.
      if (path === 'hydrate') continue
      expect([method, path, response.status >= 400]).toEqual([method, path, true])
      expect([method, path, body, leaks(answer, [stray, token])]).toEqual([method, path, body, []])
    }
  })

  it('row 44: puts neither value nor token into the output or a file', async () => {
    const exitCode = await server.stop()
    if (runtime !== 'workerd') expect(exitCode).toBe(0)
    // wrangler's own log of a developer's requests, with their paths, and the variables it was started with.
    const notOurs = /^.*(?:\[wrangler:info\] [A-Z]+ \/|POSTERN_[A-Z_]+).*$/gm
    const shown = runtime === 'workerd' ? server.output().replaceAll(notOurs, '') : server.output()
    const wanted = [secret, stray, site.token.reveal(), site.rootKey]
    expect(leaks(shown, wanted)).toEqual([])
    const files = readdirSync(site.data, { recursive: true, withFileTypes: true }).filter(
      // All but the local tools' own record of a developer's requests, with their URLs. Nothing like it is deployed.
      (file) => file.isFile() && !file.parentPath.includes('miniflare-wobs-trace-store'),
    )
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) {
      expect([file.name, leaks(readFileSync(join(file.parentPath, file.name)), wanted)]).toEqual([file.name, []])
    }
  })
})
