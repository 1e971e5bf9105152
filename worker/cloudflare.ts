/** Postern on Cloudflare Workers: settings are variables and secrets of the Worker. */
import type { Hono } from 'hono'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { parseSettings } from '../core/settings.ts'
import { createApp } from './app.ts'
import { assemble } from './config.ts'
import type { Env } from './context.ts'
import { durableHost, type VaultStub } from './host.ts'
import { logLine } from './oplog.ts'
import { problem } from './problem.ts'
import type { VaultObject } from './vault_object.ts'

export { VaultObject } from './vault_object.ts'

interface Bindings {
  VAULT: DurableObjectNamespace<VaultObject>
  [setting: string]: unknown
}

// One app an isolate. Kept as a promise, so that requests that come together build it once.
let app: Promise<Hono<Env>> | undefined

export default {
  async fetch(request, env): Promise<Response> {
    try {
      app ??= build(env)
      return await (await app).fetch(request as unknown as Request, {
        address: request.headers.get('CF-Connecting-IP'),
      })
    } catch (error) {
      app = undefined
      if (error instanceof PosternError) logLine('error', 'settings_wrong', { message: error.message })
      return problem(new PosternError('unavailable', 'Server is not configured'), crypto.randomUUID())
    }
  },
} satisfies ExportedHandler<Bindings>

async function build(env: Bindings): Promise<Hono<Env>> {
  const given = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  const settings = parseSettings({ environment: Object.fromEntries(given) })
  if (settings.rootKey === undefined)
    throw new PosternError('bad_request', 'POSTERN_ROOT_KEY: Must be set as a secret of the Worker')
  const host = durableHost((id) => env.VAULT.getByName(id) as unknown as VaultStub)
  return createApp(await assemble(settings, await Keyring.open(settings.rootKey), host, settings.bootstrapToken))
}
