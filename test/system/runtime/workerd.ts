/**
 * The Worker as it would be deployed, in workerd alone: what Cloudflare runs Workers in. `wrangler dev` puts two proxies in
 * front of it, which cost many times as much and sometimes lose a request, so a measurement would measure the proxies.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildIn, startBuilt } from './built.ts'
import {
  admit,
  cleanEnvironment,
  launch,
  type Runtime,
  type Server,
  type Site,
  secretsOf,
  startServer,
} from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** Builds what a runtime needs to start, so that the build does not count as part of the start. */
export function buildAlone(runtime: Runtime, site: Site): void {
  if (runtime === 'bun') buildIn(site)
  if (runtime === 'workerd') bundleIn(site)
}

/** Starts a server over a site as it is deployed, and nothing in front of it. */
export function startAlone(runtime: Runtime, site: Site, extra: Record<string, string> = {}): Promise<Server> {
  if (runtime === 'workerd') return startWorkerd(site, extra)
  return runtime === 'bun' ? startBuilt(site, extra) : startServer(runtime, site, extra)
}

/** Starts the Worker over a site, without its assets, and with the store of its Durable Objects on the disk. */
export async function startWorkerd(site: Site, extra: Record<string, string> = {}): Promise<Server> {
  const objects = join(site.data, 'objects')
  mkdirSync(objects, { recursive: true })
  const settings = { ...secretsOf(site), ...extra }
  const config = join(bundleIn(site), 'config.capnp')
  writeFileSync(config, configOf(settings, objects), { mode: 0o600 })
  const server = await launch('workerd', ['serve', '--control-fd=1', config], {}, (output) => {
    const port = /"event":"listen","socket":"http","port":(\d+)/.exec(output)?.[1]
    return port === undefined ? undefined : `http://127.0.0.1:${port}`
  })
  await admit(site, server.endpoint)
  return server
}

/** Bundles the Worker as a deployment does, once a site. */
function bundleIn({ data }: Site): string {
  const bundle = join(data, 'bundle')
  if (existsSync(bundle)) return bundle
  const args = ['deploy', '--dry-run', '--outdir', bundle]
  const { status, stdout, stderr } = spawnSync('wrangler', args, {
    cwd: ROOT,
    env: cleanEnvironment(),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Worker cannot be bundled:\n${stdout}${stderr}`)
  return bundle
}

/** The configuration of `wrangler.toml`, except the assets: see workerd.capnp. */
function configOf(settings: Record<string, string>, objects: string): string {
  const wrangler = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8')
  const [date, flags] = ['date', 'flags'].map(
    (name) => RegExp(`^compatibility_${name} = (.*)$`, 'm').exec(wrangler)?.[1],
  )
  const texts = Object.entries(settings).map(([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)})`)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "objects", disk = (path = ${quoted(objects)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "cloudflare.js")],
  compatibilityDate = ${date},
  compatibilityFlags = ${flags},
  bindings = [(name = "VAULT", durableObjectNamespace = "VaultObject"), ${texts.join(', ')}],
  durableObjectNamespaces = [(className = "VaultObject", uniqueKey = "VaultObject", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
);
`
}

/** Text as Cap'n Proto writes it: what we put there is plain. */
function quoted(text: string): string {
  return JSON.stringify(text)
}
