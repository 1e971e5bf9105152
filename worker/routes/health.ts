import { Hono } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Env, Parts } from '../context.ts'

/** `/healthz` (the process runs) and `/readyz` (it can serve). */
export function healthRoutes({ host }: Parts): Hono<Env> {
  const routes = new Hono<Env>()

  routes.get('/healthz', (c) => c.json({ status: 'up' }))

  routes.get('/readyz', async (c) => {
    if (await host.ready()) return c.json({ status: 'up' })
    throw new PosternError('unavailable', 'Storage cannot be reached', { retryAfterSeconds: 1 })
  })

  return routes
}
