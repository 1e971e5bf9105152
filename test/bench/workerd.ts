/**
 * The Worker as it would be deployed, in workerd alone. `wrangler dev` puts two proxies in front of it, which cost many
 * times what it does: whoever measures that measures them.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { launch, type Server, type Site } from '../runtime/servers.ts'

/** Starts it over a site, with the store of its Durable Objects on the disk. */
export async function startWorkerd(site: Site, settings: Record<string, string>): Promise<Server> {
  const bundle = join(site.data, 'bundle')
  execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', bundle], {
    stdio: 'ignore',
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false' },
  })
  const objects = join(site.data, 'objects')
  mkdirSync(objects)
  const bindings = {
    POSTERN_ENVIRONMENT: 'test',
    POSTERN_ROOT_KEY: site.rootKey,
    POSTERN_BOOTSTRAP_TOKEN: site.token.reveal(),
    ...settings,
  }
  const config = join(bundle, 'config.capnp')
  writeFileSync(config, configOf(bindings, objects), { mode: 0o600 })
  return launch('workerd', ['serve', '--control-fd=1', config], {}, (output) => {
    const port = /"event":"listen","socket":"http","port":(\d+)/.exec(output)?.[1]
    return port === undefined ? undefined : `http://127.0.0.1:${port}`
  })
}

/** See workerd.capnp. */
function configOf(bindings: Record<string, string>, objects: string): string {
  const wrangler = readFileSync(join(import.meta.dirname, '../../wrangler.toml'), 'utf8')
  const date = /^compatibility_date = (".*")$/m.exec(wrangler)?.[1]
  const flags = /^compatibility_flags = (\[.*\])$/m.exec(wrangler)?.[1]
  const texts = Object.entries(bindings).map(([name, text]) => `(name = "${name}", text = ${JSON.stringify(text)})`)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "objects", disk = (path = ${JSON.stringify(objects)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "cloudflare.js")],
  compatibilityDate = ${date},
  compatibilityFlags = ${flags},
  bindings = [(name = "VAULT", durableObjectNamespace = "VaultObject"), ${texts.join(', ')}],
  durableObjectNamespaces = [(className = "VaultObject", uniqueKey = "postern", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
);
`
}
