/** Postern keeps the HTTP contract of providers itself: one server can be the provider of another. */
import { afterAll } from 'vitest'
import { isName } from '../../../core/name_grammar.ts'
import { HttpProvider } from '../../../core/providers/http/provider.ts'
import { Redacted } from '../../../core/redacted.ts'
import { providerContract, type Store } from '../../suites/provider.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

let site: Site
let server: Server

afterAll(async () => {
  await server?.stop()
  site?.remove()
})

providerContract('Postern as a provider, on Bun', async (): Promise<Store> => {
  site = await makeSite()
  server = await startServer('bun', site)
  const secrets = `${server.endpoint}/v1/vaults/${site.vault}/secrets`
  const open = (token: string) => {
    const headers = { Authorization: new Redacted(`Bearer ${token}`) }
    const config = {
      url: `${secrets}/{name}`,
      headers,
      pointer: '/value',
      versionPointer: '/version',
      listUrl: secrets,
    }
    return new HttpProvider(config, { allowLoopback: true })
  }
  return {
    provider: open(site.token.reveal()),
    stranger: open(site.token.reveal().replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'))),
    ...{ naming: 'http', versioned: false, remembersWrites: true, bytes: true, empty: 'kept', maxBytes: 65_536 },
    ...{ deleted: 'not_found', tellsAbsentHistory: true },
    takes: isName,
  }
})
