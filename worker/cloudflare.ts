/**
 * Runs Postern on Cloudflare Workers. Settings are variables and secrets of the Worker.
 *
 * @module
 */
import type { Hono } from 'hono'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { parseSettings, type Settings } from '../core/settings/settings.ts'
import { createApp } from './app.ts'
import { compose, registryOf } from './compose.ts'
import { clientAddress } from './http/client_address.ts'
import { harden } from './http/harden.ts'
import { problem } from './http/problem.ts'
import type { Env } from './http/request_context.ts'
import { logLine } from './telemetry/log.ts'
import { durableHost, type VaultStub } from './vault_host/durable.ts'
import type { VaultObject } from './vault_object.ts'

export { VaultObject } from './vault_object.ts'

interface Bindings {
  VAULT: DurableObjectNamespace<VaultObject>
  /** The published documents; `undefined` when the Worker is deployed without them. */
  ASSETS?: Fetcher
  [setting: string]: unknown
}

// One app an isolate. A promise, so that concurrent requests build it once.
let built: Promise<Built> | undefined

interface Built {
  app: Hono<Env>
  settings: Settings
}

export default {
  async fetch(request, env, context): Promise<Response> {
    try {
      built ??= build(env)
      const { app, settings } = await built
      const address = clientAddress(null, request.headers, settings)
      const waitUntil = (work: Promise<unknown>) => context.waitUntil(work)
      return await app.fetch(request as unknown as Request, { address, waitUntil })
    } catch (error) {
      built = undefined
      if (error instanceof PosternError) logLine('error', 'settings_wrong', { message: error.message })
      return harden(problem(new PosternError('unavailable', 'Server is not configured'), crypto.randomUUID()))
    }
  },
} satisfies ExportedHandler<Bindings>

async function build(env: Bindings): Promise<Built> {
  const given = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  const settings = parseSettings({ environment: Object.fromEntries(given) }, { hasFiles: false })
  if (settings.rootKey === undefined)
    throw new PosternError('bad_request', 'POSTERN_ROOT_KEY: Must be set as a secret of the Worker')
  const host = durableHost((id) => env.VAULT.getByName(id) as unknown as VaultStub)
  const registry = registryOf({ settings }, null)
  const keyring = await Keyring.open(settings.rootKey, settings)
  const services = compose({ settings, keyring, registry }, host)
  return { app: createApp(services, { publicFile: (name) => publicFile(env, name) }), settings }
}

/** Reads an asset. Clients do not reach the assets directly, so that every answer has our headers. */
async function publicFile({ ASSETS }: Bindings, name: string): Promise<string | null> {
  const found = await ASSETS?.fetch(`https://assets.invalid/${name}`)
  return found?.ok ? found.text() : null
}
