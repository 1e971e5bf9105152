/**
 * An app over a vault in memory, with the providers of a test.
 *
 * @module
 */
import { mintToken } from '../../../../core/authentication/token.ts'
import { type Client, connect } from '../../../../core/client/client.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import type { ConfiguredProvider } from '../../../../core/provider_registry/from_settings.ts'
import { ProviderRegistry } from '../../../../core/provider_registry/registry.ts'
import type { Provider } from '../../../../core/providers/provider.ts'
import type { Naming } from '../../../../core/providers/store_names.ts'
import type { Redacted } from '../../../../core/redacted.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { createApp } from '../../../../worker/app.ts'
import { compose, registryOf } from '../../../../worker/compose.ts'
import { LOCAL_FILES } from '../../../../worker/local/secrets_file.ts'
import { openSqlite, type Sqlite } from '../../../../worker/local/sqlite.ts'
import { localHost } from '../../../../worker/vault_host/local.ts'
import { openVault } from '../../../../worker/vault_host/open_vault.ts'
import type { LogEntry } from '../../../support/core.ts'
import { bootstrapOf } from '../../../support/tickets.ts'

export const ROOT_KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'

export interface TestAppOptions {
  vault?: string
  environment?: Record<string, string>
  /** An existing store. */
  sql?: Sqlite
  /** Another root key than that of other tests, and its former root keys. */
  root?: { key: string; former: string[] }
}

/**
 * Opens an app with providers, and a client of its administrator.
 *
 * @param providers The providers; `null` to configure them by the environment.
 */
export async function openApp(
  providers: Readonly<Record<string, { provider: Provider }>> | null,
  { vault = 'default', environment = {}, sql = openSqlite(':memory:'), root }: TestAppOptions = {},
) {
  const settings = parseSettings({
    environment: {
      POSTERN_ENVIRONMENT: 'test',
      POSTERN_PROVIDERS__ATTEMPT_MS: '200',
      POSTERN_PROVIDERS__DEADLINE_MS: '1000',
      POSTERN_PROVIDERS__RECOVERY_MS: '50',
      POSTERN_SECURITY__PRINCIPAL_RATE: 'none',
      POSTERN_SECURITY__SOURCE_RATE: 'none',
      ...environment,
    },
  })
  const { key = ROOT_KEY, former = [] } = root ?? {}
  const formerRootKeys = former.map((one) => parseRootKey(one))
  const keyring = await Keyring.open(parseRootKey(key), { formerRootKeys })
  const configured = Object.entries(providers ?? {}).map(([id, { provider }]): [string, ConfiguredProvider] => [
    id,
    { provider, reach: settings.providers, naming: (provider.kind === 'file' ? 'json' : provider.kind) as Naming },
  ])
  const registry =
    providers === null
      ? registryOf({ settings }, LOCAL_FILES)
      : new ProviderRegistry(settings.providers, new Map(configured))
  const opened = await openVault(sql, vault, { settings, keyring, registry, anchors: [] }, () => {})
  const host = localHost(
    async () => opened,
    () => true,
  )
  const { text, hash } = mintToken(vault, await keyring.macKey(vault, 'token'))
  opened.vault.execute([bootstrapOf(hash, Date.now())], Date.now())
  const services = compose({ settings, keyring, registry }, host)
  const app = createApp(services)
  const answer = async (request: Request, isGone?: () => boolean) =>
    app.fetch(request, { address: '127.0.0.1', ...(isGone && { isGone }) })
  const open = (token: Redacted<string>, { timeoutMs = 10_000 } = {}) =>
    connect({ endpoint: 'http://127.0.0.1', vault, token, timeoutMs, fetch: (request) => answer(request) })
  return {
    ...{ sql, registry, opened, services, admin: open(text), open, keyring, settings, answer },
    token: text,
    /** Sends a request as the administrator. */
    send: (path: string, init: RequestInit = {}) => {
      const headers = { Authorization: `Bearer ${text.reveal()}`, 'Content-Type': 'application/json', ...init.headers }
      return answer(new Request(`http://127.0.0.1${path}`, { ...init, headers }))
    },
    secret: (name: string) => `/v1/vaults/${vault}/secrets/${name}`,
    log(): LogEntry[] {
      const rows = sql.all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
      return rows.map(({ body }) => JSON.parse(Buffer.from(body).toString()))
    },
    /** Makes a client that may read a pattern. */
    async reader(id: string, resource: string): Promise<Client> {
      const admin = open(text)
      await admin.putPrincipal(id, { kind: 'service' })
      await admin.putRule(id, { effect: 'permit', principal: id, actions: ['read'], resource })
      return open((await admin.createToken({ principal: id })).token)
    },
  }
}

export type TestApp = Awaited<ReturnType<typeof openApp>>
