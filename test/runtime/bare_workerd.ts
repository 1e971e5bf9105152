/**
 * workerd by itself: what Cloudflare runs Workers in, without the development server that stands before it elsewhere in these tests.
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cleanEnvironment, type Server, type Site } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** Bundles the Worker as a deployment does, and serves it on a free port. */
export async function startBareWorkerd(site: Site, extra: Record<string, string> = {}): Promise<Server> {
  const [bundle, objects] = [join(site.data, 'bundle'), join(site.data, 'objects')]
  mkdirSync(objects)
  const env = cleanEnvironment()
  const args = ['deploy', '--dry-run', '--outdir', bundle]
  const { status, stdout, stderr } = spawnSync('wrangler', args, { cwd: ROOT, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Worker cannot be bundled:\n${stdout}${stderr}`)
  const settings = {
    POSTERN_ENVIRONMENT: 'test',
    POSTERN_ROOT_KEY: site.rootKey,
    POSTERN_BOOTSTRAP_TOKEN: site.token.reveal(),
    ...extra,
  }
  const config = join(bundle, 'config.capnp')
  writeFileSync(config, configOf(settings, objects))
  // The program itself: the script of the package would be ended, and its child not.
  const program = join(ROOT, 'node_modules/.bin/workerd')
  const child = spawn(program, ['serve', '--control-fd=3', config], {
    cwd: bundle,
    detached: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  let [output, control] = ['', '']
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  child.stdio[3]?.on('data', (chunk) => (control += chunk))
  const exited = once(child, 'exit')
  const port = async () => /"event":"listen","socket":"http","port":(\d+)/.exec(control)?.[1]
  for (let i = 0; i < 1000 && (await port()) === undefined && child.exitCode === null; i++)
    await new Promise((next) => setTimeout(next, 20))
  if ((await port()) === undefined) throw new Error(`workerd did not start:\n${output}`)
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, signal)
    return (await exited)[0] as number | null
  }
  return {
    endpoint: `http://127.0.0.1:${await port()}`,
    pid: child.pid!,
    output: () => output,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
  }
}

/** As `wrangler.toml` has it, but for the assets. */
function configOf(settings: Record<string, string>, objects: string): string {
  const vars = Object.entries(settings).map(([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)})`)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "objects", disk = (path = ${quoted(objects)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "cloudflare.js", esModule = embed "cloudflare.js")],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["no_nodejs_compat", "global_fetch_strictly_public"],
  bindings = [(name = "VAULT", durableObjectNamespace = "VaultObject"), ${vars.join(', ')}],
  durableObjectNamespaces = [(className = "VaultObject", uniqueKey = "VaultObject", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
);
`
}

/** Text as Cap'n Proto writes it: what we put there is plain. */
function quoted(text: string): string {
  return JSON.stringify(text)
}
