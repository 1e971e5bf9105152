import { Hono } from 'hono'
import type * as z from 'zod'
import { base64, parseUtf8 } from '../../core/bytes.ts'
import * as wire from '../../core/wire.ts'
import { answer, type Env, query } from '../context.ts'

/** `…/audit`: the log, for those who may administer it. */
export function auditRoutes(): Hono<Env> {
  const routes = new Hono<Env>()

  routes.get('/audit/entries', async (c) => {
    const input = query(c, wire.EntriesQuery)
    const granted = await c.var.handle.call('audit.entries', c.var.caller, input)
    const { head } = granted.value
    const entries = granted.value.entries.map(({ index, body }) => ({ index, body: parseUtf8(body)! }))
    return answer(c, granted, { size: head.size, root: base64(head.root), entries } satisfies z.input<
      typeof wire.AuditEntries
    >)
  })

  return routes
}
