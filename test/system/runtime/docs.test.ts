/** The contract and its page, as each runtime serves them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

const fileOf = (name: string) => readFileSync(join(import.meta.dirname, '../../../docs/reference/api', name), 'utf8')

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer(runtime, site)
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('serves the committed OpenAPI document without a token', async () => {
    const response = await fetch(`${server.endpoint}/openapi.json`)
    expect([response.status, response.headers.get('Content-Type')]).toEqual([200, 'application/json'])
    expect(await response.text()).toBe(fileOf('openapi.json'))
  })

  it('serves its page with a policy that allows one style sheet of its own and nothing else', async () => {
    const response = await fetch(`${server.endpoint}/docs`)
    const { headers } = response
    expect([response.status, headers.get('Content-Type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers.get('Content-Security-Policy')).toBe(
      "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    )
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
    const text = await response.text()
    expect(text).toBe(fileOf('index.html'))
    // What the policy would not run, and what would ask another host.
    expect(text).not.toMatch(/<script|\son[a-z]+=|\sstyle=|<style|src=|href="(?:https?:)?\/\//i)
    const style = await fetch(`${server.endpoint}/docs/style.css`)
    expect([style.status, style.headers.get('Content-Type')]).toEqual([200, 'text/css; charset=utf-8'])
    expect(style.headers.get('Content-Security-Policy')).not.toContain('style-src')
    expect(await style.text()).toBe(fileOf('style.css'))
  })

  it('serves nothing else of where the documents are', async () => {
    for (const path of ['/index.html', '/style.css', '/docs/', '/docs/index.html', '/docs/openapi.json']) {
      const response = await fetch(server.endpoint + path)
      expect([path, response.status]).toEqual([path, 404])
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    }
  })
})
