/**
 * A real Postern for the editor's tests, with secrets in it.
 *
 * @module
 */
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { makeSite, type Runtime, type Server, type Site, startServer } from '../runtime/servers.ts'

export interface Postern {
  endpoint: string
  admin: Client
  /** The token of an administrator. */
  token: string
  server: Server
  close(): Promise<void>
}

/** Starts a server and stores secrets, by name. */
export async function startPostern(
  secrets: Record<string, string>,
  settings: Record<string, string> = {},
  runtime: Runtime = 'bun',
): Promise<Postern> {
  const site = await makeSite()
  const server = await startServer(runtime, site, settings)
  const admin = await fill(server.endpoint, site, secrets)
  return {
    endpoint: server.endpoint,
    admin,
    token: site.token.reveal(),
    server,
    async close() {
      await server.stop()
      site.remove()
    },
  }
}

/** Stores secrets, by name, and gives the client that did. */
export async function fill(endpoint: string, site: Site, secrets: Record<string, string>): Promise<Client> {
  const admin = connect({ endpoint, vault: site.vault, token: site.token })
  for (const [name, value] of Object.entries(secrets)) await admin.put(name, new Redacted(value))
  return admin
}
