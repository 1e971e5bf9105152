import { Hono } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Env } from '../http/request_context.ts'
import { type RouteId, serve } from '../http/route_table.ts'

/** The text of a file of `docs/reference/api`; `null` when the files are not with this server. */
export type PublicFiles = (name: string) => Promise<string | null>

/** As for every answer, but for the one style sheet of ours: no script, no frame, no form, no other host. */
const PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/** `/openapi.json` and `/docs`: the contract, as it was generated from the shapes of the wire. */
export function docsRoutes(read: PublicFiles): Hono<Env> {
  const routes = new Hono<Env>()
  const known = new Map<string, string>()

  function publish(id: RouteId, file: string, headers: Record<string, string>): void {
    serve(routes, id, async (c) => {
      const text = known.get(file) ?? (await read(file))
      if (text === null) throw new PosternError('not_found', 'Documents are not with this server')
      known.set(file, text)
      return c.body(text, 200, headers)
    })
  }

  publish('showContract', 'openapi.json', { 'Content-Type': 'application/json' })
  publish('showDocs', 'index.html', {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': PAGE_POLICY,
  })
  publish('showDocsStyle', 'style.css', { 'Content-Type': 'text/css; charset=utf-8' })
  return routes
}
