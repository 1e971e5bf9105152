/**
 * The webhook provider of External Secrets, as it sends its requests: a Go template with `url.QueryEscape` of each part of
 * the reference, over the store of our page.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openApp } from '../provider_access/provider_access_fixture.ts'

interface RemoteRef {
  key: string
  version?: string
  property?: string
}

const PAGE = readFileSync(join(import.meta.dirname, '../../../../docs/how-to/external-secrets.md'), 'utf8')
const URL_TEMPLATE = /^ +url: "https:\/\/secrets\.example\.com(\/.*)"$/m.exec(PAGE)![1]!

/** `url.QueryEscape` of Go: all but letters, digits and `-_.~`, and a space as a plus. */
function queryEscape(text: string): string {
  const strict = encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return strict.replaceAll('%20', '+')
}

/** The target of a request for a reference. */
function targetOf({ key, version = '', property = '' }: RemoteRef): string {
  const parts: Record<string, string> = { key, version, property }
  const chosen = URL_TEMPLATE.replaceAll(/\{\{ if \.remoteRef\.(\w+) \}\}(.*?)\{\{ end \}\}/g, (_, part, then) =>
    parts[part] ? then : '',
  )
  return chosen.replaceAll(/\{\{ \.remoteRef\.(\w+) \}\}/g, (_, part) => queryEscape(parts[part]!))
}

async function open() {
  const bench = await openApp(null)
  const put = (name: string, value: string) =>
    bench.send(bench.secret(name), { method: 'PUT', body: JSON.stringify({ value }) })
  for (const value of ['one', 'two']) await put('prod/db', value)
  await put('MyApp/Prod/Config', '{"user":"app","password":"p:q"}')
  await put('a+b=c@d', 'plus')
  /** The headers of Go's client, and those of the page. */
  const headers = { 'User-Agent': 'Go-http-client/1.1', 'Accept-Encoding': 'gzip' }
  return { ...bench, ask: (ref: RemoteRef) => bench.send(targetOf(ref), { headers }) }
}

describe('External Secrets', () => {
  it('sends the slashes of a name escaped, and an empty version', () => {
    expect(targetOf({ key: 'prod/db' })).toBe('/v1/vaults/default/secrets/prod%2Fdb?version=')
    expect(targetOf({ key: 'a', property: '/b' })).toBe('/v1/vaults/default/secrets/a?version=&field=%2Fb')
  })

  it.each<[RemoteRef, string]>([
    [{ key: 'prod/db' }, 'two'],
    [{ key: 'prod/db', version: '1' }, 'one'],
    [{ key: 'prod/db', version: 'previous' }, 'one'],
    [{ key: 'MyApp/Prod/Config', property: '/password' }, 'p:q'],
    [{ key: 'MyApp/Prod/Config' }, '{"user":"app","password":"p:q"}'],
    [{ key: 'a+b=c@d' }, 'plus'],
  ])('reads %j', async (ref, value) => {
    const { ask, log } = await open()
    const response = await ask(ref)
    expect([response.status, (await response.json()).value]).toEqual([200, value])
    expect(log().at(-1)).toMatchObject({ operation: 'secret.read', resource: ref.key, outcome: 'ok' })
  })

  it('learns that a secret is missing by 404, on which its deletion policy acts', async () => {
    const { ask } = await open()
    expect((await ask({ key: 'prod/none' })).status).toBe(404)
    expect((await ask({ key: 'Prod/db' })).status).toBe(404)
    expect((await ask({ key: 'MyApp/Prod/Config', property: '/none' })).status).toBe(404)
  })
})
