/**
 * Real servers on free loopback ports, one kind a runtime, each ended by its process id.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { mintToken } from '../../core/access/token.ts'
import { base64url, randomBytes } from '../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../core/crypto/keyring.ts'
import type { Redacted } from '../../core/redacted.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const START_TIMEOUT_MS = 60_000

export const RUNTIMES = ['bun', 'deno', 'node', 'workerd'] as const
export type Runtime = (typeof RUNTIMES)[number]

/** What outlives a server: its data, its root key, and the token that opens the vault. */
export interface Site {
  vault: string
  data: string
  rootKey: string
  token: Redacted<string>
  remove(): void
}

export interface Server {
  endpoint: string
  pid: number
  /** Everything that it printed so far, on both outputs. */
  output(): string
  /** Ends it as an operator would, and returns its exit code. */
  stop(): Promise<number | null>
  /** kill -9. */
  kill(): Promise<void>
}

/** Makes a place for a server's data, with a root key and a bootstrap token. */
export async function makeSite(vault = 'default'): Promise<Site> {
  const data = mkdtempSync(join(tmpdir(), 'postern-'))
  const rootKey = base64url(randomBytes(32))
  const keyring = await Keyring.open(parseRootKey(rootKey))
  const { text } = mintToken(vault, await keyring.macKey(vault, 'token'))
  return { vault, data, rootKey, token: text, remove: () => rmSync(data, { recursive: true, force: true }) }
}

/** Starts a server over a site and waits until it listens. */
export async function startServer(runtime: Runtime, site: Site, extra: Record<string, string> = {}): Promise<Server> {
  if (runtime === 'workerd') {
    const [command, ...args] = wranglerOf(site, { ...secretsOf(site), ...extra })
    return launch(command!, args, {})
  }
  const [command, ...args] = COMMANDS[runtime]
  return launch(command!, args, { ...settingsOf(site), ...extra })
}

/** What a process is told of its site. */
export function settingsOf(site: Site): Record<string, string> {
  // A folder that has no secrets.
  const local = { POSTERN_DATA: site.data, POSTERN_PORT: '0', POSTERN_SECRETS_DIR: import.meta.dirname }
  return { ...local, ...secretsOf(site) }
}

/** What every server is told of its site. */
export function secretsOf({ rootKey, token }: Site): Record<string, string> {
  return { POSTERN_ENVIRONMENT: 'test', POSTERN_ROOT_KEY: rootKey, POSTERN_BOOTSTRAP_TOKEN: token.reveal() }
}

/**
 * Starts a server and waits until it listens.
 *
 * @param endpointIn Where, as its output says it; `undefined` as long as it does not.
 */
export async function launch(
  command: string,
  args: string[],
  settings: Record<string, string>,
  endpointIn: (output: string) => string | undefined = announced,
): Promise<Server> {
  const child = spawn(command, args, {
    cwd: ROOT,
    // A group of its own: wrangler starts workerd, and both must end.
    detached: true,
    env: { ...cleanEnvironment(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  const endpoint = await listening(child, () => output, endpointIn)
  const exited = child.exitCode === null ? once(child, 'exit') : Promise.resolve([child.exitCode])
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, signal)
    return (await exited)[0] as number | null
  }
  return {
    endpoint,
    pid: child.pid!,
    output: () => output,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
  }
}

const COMMANDS = {
  bun: ['bun', 'worker/bun.ts'],
  node: ['node', 'worker/node.ts'],
  deno: ['deno', 'run', '--quiet', '--allow-net', '--allow-read', '--allow-write', '--allow-env', 'worker/deno.ts'],
}

function wranglerOf({ data }: Site, settings: Record<string, string>): string[] {
  const vars = Object.entries(settings).flatMap(([name, value]) => ['--var', `${name}:${value}`])
  return ['wrangler', 'dev', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0', '--persist-to', data, ...vars]
}

/** This process's environment without our own settings, and with the project's tools first. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('POSTERN_'))
  const path = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  return { ...Object.fromEntries(entries), PATH: path, WRANGLER_SEND_METRICS: 'false', CI: 'true' }
}

function announced(output: string): string | undefined {
  return /(?:listens on|Ready on) (https?:\/\/[0-9a-z.:[\]]+)/.exec(output)?.[1]
}

async function listening(
  child: ChildProcess,
  output: () => string,
  endpointIn: (output: string) => string | undefined,
): Promise<string> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline) {
    const endpoint = endpointIn(output())
    if (endpoint !== undefined) return endpoint
    if (child.exitCode !== null) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`Server did not start:\n${output()}`)
}
