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
import { mintTicket, type TicketPurpose } from '../../../core/authentication/ticket.ts'
import { base64url, randomBytes } from '../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const START_TIMEOUT_MS = 60_000

export const RUNTIMES = ['bun', 'deno', 'node', 'workerd'] as const
export type Runtime = (typeof RUNTIMES)[number]

/** What outlives a server: its data, its root key, and the token of the vault's first administrator. */
export interface Site {
  vault: string
  data: string
  /** Empty where the server has to find or make one in the data folder. */
  rootKey: string
  /** Set by the first start of a server over the site: see {@link admit}. */
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

const NOBODY = new Redacted('')

/** Makes a place for a server's data, with a root key. */
export async function makeSite(vault = 'default'): Promise<Site> {
  const data = mkdtempSync(join(tmpdir(), 'postern-'))
  const rootKey = base64url(randomBytes(32))
  return { vault, data, rootKey, token: NOBODY, remove: () => rmSync(data, { recursive: true, force: true }) }
}

/** Makes the first administrator of a site's vault, as an operator does, unless there is one; the site has its token then. */
export async function admit(site: Site, endpoint: string): Promise<void> {
  if (site.token === NOBODY) site.token = await bootstrap(endpoint, site)
}

/** Makes the first administrator of a vault, and returns its token. */
export async function bootstrap(
  endpoint: string,
  { vault, rootKey }: Pick<Site, 'vault' | 'rootKey'>,
): Promise<Redacted<string>> {
  const response = await exchange(endpoint, vault, await ticketFor({ vault, rootKey }))
  if (response.status !== 201)
    throw new Error(`Vault has no administrator: ${response.status} ${await response.text()}`)
  const { token } = (await response.json()) as { token: string }
  return new Redacted(token)
}

/** Makes an operator's ticket. */
export async function ticketFor(
  { vault, rootKey }: Pick<Site, 'vault' | 'rootKey'>,
  asked: TicketPurpose = { purpose: 'bootstrap' },
  now = Date.now(),
): Promise<Redacted<string>> {
  const keyring = await Keyring.open(parseRootKey(rootKey))
  return mintTicket(vault, await keyring.macKey(vault, 'ticket'), asked, now)
}

/** Sends a ticket where it is taken. */
export function exchange(endpoint: string, vault: string, ticket: Redacted<string>): Promise<Response> {
  const headers = { Authorization: `Bearer ${ticket.reveal()}` }
  return fetch(`${endpoint}/v1/vaults/${vault}/tokens`, { method: 'POST', headers })
}

/** Starts a server over a site and waits until it listens. */
export async function startServer(runtime: Runtime, site: Site, extra: Record<string, string> = {}): Promise<Server> {
  const server = await startEmpty(runtime, site, extra)
  await admit(site, server.endpoint)
  return server
}

/** Starts a server over a site, and makes no administrator. */
export function startEmpty(runtime: Runtime, site: Site, extra: Record<string, string> = {}): Promise<Server> {
  if (runtime === 'workerd') {
    const [command, ...args] = wranglerOf(site, { ...secretsOf(site), ...extra })
    return launch(command!, args, {})
  }
  const [command, ...args] = COMMANDS[runtime]
  // Once a day Deno asks for a newer version when it runs, which a test of a proxy would see.
  const quiet = runtime === 'deno' ? { DENO_NO_UPDATE_CHECK: '1' } : {}
  return launch(command!, args, { ...settingsOf(site), ...quiet, ...extra })
}

/** The environment of a process for its site. */
export function settingsOf(site: Site): Record<string, string> {
  // A folder that has no secrets.
  const local = { POSTERN_DATA: site.data, POSTERN_PORT: '0', POSTERN_SECRETS_DIR: import.meta.dirname }
  return { ...local, ...secretsOf(site) }
}

/** The settings of every server for its site. */
export function secretsOf({ rootKey }: Site): Record<string, string> {
  return { POSTERN_ENVIRONMENT: 'test', ...(rootKey !== '' && { POSTERN_ROOT_KEY: rootKey }) }
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
  bun: ['bun', '--no-env-file', '--config=worker/bunfig.toml', 'worker/bun.ts'],
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
  return {
    ...Object.fromEntries(entries),
    PATH: path,
    WRANGLER_SEND_METRICS: 'false',
    CI: 'true',
    CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
  }
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
    await sleep(20)
  }
  throw new Error(`Server did not start:\n${output()}`)
}
