/**
 * The start page, `/`, and the published documents: `/openapi.json` and `/docs`.
 *
 * @module
 */
import { Hono } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Env } from '../http/request_context.ts'
import { type RouteId, serve } from '../http/route_table.ts'

/** Reads a file of `docs/reference/api`; `null` when the files are not deployed with the server. */
export type PublicFiles = (name: string) => Promise<string | null>

const HTML = 'text/html; charset=utf-8'
/** The policy of every answer, and our own style sheet: no script, no frame, no form, no other host. */
const PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/** For a person who opens the server's address: what it is, and where to go. */
const START = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Postern</title>
<h1>Postern</h1>
<p>This server is a secrets gateway. It has no pages to sign in to.</p>
<ul>
<li>To use secrets in an editor, install the Postern extension for VS Code and give it this address.</li>
<li>To call the API, read <a href="/docs">its documentation</a> or <a href="/openapi.json">its OpenAPI document</a>.</li>
<li>To see whether the server is ready, ask <a href="/readyz">/readyz</a>.</li>
</ul>
</html>
`

/** Makes the routes of the start page, of the OpenAPI document, and of its page. */
export function docsRoutes(read: PublicFiles): Hono<Env> {
  const routes = new Hono<Env>()
  const known = new Map<string, string>()

  function publish(id: RouteId, file: string, headers: Record<string, string>): void {
    serve(routes, id, async (c) => {
      const text = known.get(file) ?? (await read(file))
      if (text === null) throw new PosternError('not_found', 'Documents are not deployed with this server')
      known.set(file, text)
      return c.body(text, 200, headers)
    })
  }

  serve(routes, 'showStart', (c) =>
    c.body(START, 200, { 'Content-Type': HTML, 'Content-Security-Policy': PAGE_POLICY }),
  )
  publish('showContract', 'openapi.json', { 'Content-Type': 'application/json' })
  publish('showDocs', 'index.html', {
    'Content-Type': HTML,
    'Content-Security-Policy': PAGE_POLICY,
  })
  publish('showDocsStyle', 'style.css', { 'Content-Type': 'text/css; charset=utf-8' })
  return routes
}
