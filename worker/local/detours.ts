/**
 * Keeps the requests of this process off proxies, and certificates checked, even if the environment asks otherwise.
 *
 * Bun and Deno obey the variables of proxies, and `proxy: ''` on a request does not stop them: the credentials of a store
 * would go to the host in `HTTP_PROXY`. So these variables are removed before the first request. Those that a runtime reads
 * before our code runs cannot be removed, and are refused.
 *
 * @module
 */
import process from 'node:process'
import { PosternError } from '../../core/errors.ts'
import { logLine } from '../telemetry/log.ts'

const PROXY = /^(?:https?|all|no|ftp|socks5?|wss?)_proxy$/i
/** `0` accepts any certificate; any other value, and its absence, checks them. */
const UNVERIFIED = 'NODE_TLS_REJECT_UNAUTHORIZED'

/** The environment and the command line of a process. */
export interface ProcessSurroundings {
  env: Record<string, string | undefined>
  /** The runtime of this process. */
  runtime: 'bun' | 'deno' | 'node'
  /** Flags of the runtime itself. */
  flags: readonly string[]
}

/**
 * Removes the variables that send requests through a proxy or accept any certificate, and logs one line with their names.
 *
 * @throws {PosternError} `bad_request` for variables that the runtime obeys before our code runs: see {@link refuseFixed}.
 */
export function closeDetours(surroundings: ProcessSurroundings = ofProcess()): void {
  refuseFixed(surroundings)
  const { env } = surroundings
  const removed = Object.keys(env).filter((name) => isDetour(name, env[name]))
  for (const name of removed) delete env[name]
  if (removed.length > 0) logLine('warn', 'environment_ignored', { variables: removed.sort(), ...adviceFor(removed) })
}

/** The settings in place of the variables. */
function adviceFor(removed: readonly string[]): { message: string } {
  const proxy = removed.some((name) => PROXY.test(name)) ? ['POSTERN_PROXY and POSTERN_NO_PROXY for a proxy'] : []
  const authority = removed.includes(UNVERIFIED) ? ['POSTERN_CA_FILE for a private authority'] : []
  return { message: `Set ${[...proxy, ...authority].join(', and ')}` }
}

function isDetour(name: string, value: string | undefined): boolean {
  return PROXY.test(name) || (name === UNVERIFIED && value === '0')
}

/**
 * Refuses variables that take effect before this code runs: those of Node's own proxy agent, and the one that makes Bun
 * print each request with its credentials.
 *
 * @throws {PosternError} `bad_request`
 */
function refuseFixed({ env, runtime, flags }: ProcessSurroundings): void {
  const options = [...flags, ...(env.NODE_OPTIONS ?? '').split(/\s+/)]
  const proxied = env.NODE_USE_ENV_PROXY === '1' || options.includes('--use-env-proxy')
  const hasProxy = Object.keys(env).some((name) => PROXY.test(name) && !/^no_/i.test(name) && env[name] !== '')
  if (runtime === 'node' && proxied && hasProxy) {
    throw refused('NODE_USE_ENV_PROXY', 'Node would send requests, and their credentials, through a proxy')
  }
  if (runtime === 'bun' && !['', '0', 'false', undefined].includes(env.BUN_CONFIG_VERBOSE_FETCH?.toLowerCase())) {
    throw refused('BUN_CONFIG_VERBOSE_FETCH', 'Bun would print each request that it sends, with its credentials')
  }
}

function refused(field: string, why: string): PosternError {
  return new PosternError('bad_request', `${field}: ${why}. Unset it, and start again`, { field })
}

function ofProcess(): ProcessSurroundings {
  const runtime = 'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node'
  return { env: process.env, runtime, flags: process.execArgv }
}
