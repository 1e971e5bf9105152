/**
 * What Bun, Deno and Node share: files, SQLite, the console, and signals.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError, refusal } from '../../core/errors.ts'
import { isLoopback } from '../../core/loopback.ts'
import type { Settings } from '../../core/settings/settings.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { createApp } from '../app.ts'
import { compose, httpAnchors, upstreamsOf } from '../compose.ts'
import { clientAddress, isTrustedProxy } from '../http/client_address.ts'
import { harden } from '../http/harden.ts'
import { problem } from '../http/problem.ts'
import { logLine } from '../telemetry/log.ts'
import { gaugesOf } from '../telemetry/vault_metrics.ts'
import { localHost } from '../vault_host/local.ts'
import { folderAnchor } from './anchor_folder.ts'
import { offerTicket, withdrawTicket } from './bootstrap_ticket.ts'
import { checkRoots, type FormerRoot } from './check_root_keys.ts'
import { fileOfVault, messageOf, openStores, type Stores, VAULT_SUFFIX, vaultsIn } from './data_folder.ts'
import { closeDetours } from './detours.ts'
import { type FileRoots, fileRoots, hasRootFile } from './root_key_files.ts'
import { LOCAL_FILES } from './secrets_file.ts'
import { findRootKeyHint, readLocalSettings } from './settings.ts'
import { hasVaultList, VaultList } from './vault_list.ts'

/** The vault that a start offers a ticket for. */
export const DEFAULT_VAULT = 'default'
/** How long requests in flight may take to end once the process was asked to stop. */
const SHUTDOWN_MS = 10_000

/** A server's inside, ready for a runtime's socket. */
export interface Local {
  settings: Settings
  /** Certificate and key in PEM, when TLS is configured. */
  tls: { cert: string; key: string } | null
  /** Answers one request. `socket` is the address at the other end of the connection. */
  fetch(request: Request, socket: string | null): Promise<Response>
  /** Prints where the server listens and what an operator has to know. Once, when it does listen. */
  announce(port: number): void
  /** Ends the process in order at SIGINT or SIGTERM: `stop` waits for requests in flight. */
  stopOnSignal(stop: () => Promise<unknown>): void
}

/** Opens everything, or prints what is wrong and ends the process. */
export async function openLocal(runtime: string): Promise<Local> {
  outliveLog()
  try {
    return await open(runtime)
  } catch (error) {
    fail(error)
  }
}

/**
 * Keeps the process running when whatever reads its output has gone. Node would end at the next line, since an `error` event
 * without a listener is thrown.
 */
function outliveLog(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

/** Opens a runtime's socket, or ends the process when that is not possible, as with a port that is taken. */
export function listenOrFail<T>(listen: () => T): T {
  try {
    return listen()
  } catch (error) {
    fail(error)
  }
}

/** Settings that an error of the platform at the start is about, by its code. Deno gives names in place of codes. */
const SETTINGS_BY_CODE: Record<string, string> = {
  EADDRINUSE: 'POSTERN_PORT is taken by another process',
  AddrInUse: 'POSTERN_PORT is taken by another process',
  EACCES: 'POSTERN_DATA cannot be used by this user, or POSTERN_PORT is below 1024',
  EADDRNOTAVAIL: 'POSTERN_HOST is no address of this machine',
  AddrNotAvailable: 'POSTERN_HOST is no address of this machine',
  ENOTFOUND: 'POSTERN_HOST is no address of this machine',
  EEXIST: 'POSTERN_DATA must be a folder',
  ENOTDIR: 'POSTERN_DATA must be a folder',
  ENOENT: 'POSTERN_DATA cannot be made: a folder above it is missing',
  EROFS: 'POSTERN_DATA is on a file system that is read-only',
  ENOSPC: 'POSTERN_DATA is on a disk that is full',
}

/** Ends the process with one line. An error of the platform is told by its kind: it may quote a setting. */
export function fail(error: unknown): never {
  const kind = error instanceof Error ? ((error as { code?: string }).code ?? error.name) : 'unknown'
  const about = SETTINGS_BY_CODE[kind] === undefined ? '' : `. ${SETTINGS_BY_CODE[kind]}`
  process.stderr.write(`${error instanceof PosternError ? error.message : `Server cannot start: ${kind}${about}`}\n`)
  process.exit(1)
}

async function open(runtime: string): Promise<Local> {
  closeDetours()
  const settings = readLocalSettings()
  if (settings.clientAddress === 'cloudflare') {
    throw new PosternError('bad_request', 'POSTERN_CLIENT_ADDRESS: cloudflare is for Workers only')
  }
  const data = resolve(settings.data)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  // Before a root key is made: a start that fails over a setting leaves none behind.
  const [upstreams, anchors, tls] = [upstreamsOf(settings, LOCAL_FILES), anchorsOf(settings), readTls(settings)]
  checkBackupFolder(settings, data)
  const { keyring, origin } = await openKeyring(settings, data)
  const formerRoots = await checkRoots(data, keyring)
  const surroundings = { settings, keyring, upstreams, anchors }
  const stores = openStores(data, surroundings, await openVaultList(data, keyring))
  const offered = await offer(stores, keyring, data)
  // For their upkeep. Not waited for: an anchor that does not answer must not hold up the start.
  void stores.openAll()
  const gauges = gaugesOf(() => [...stores.opened()].map(({ vault }) => vault))
  const host = localHost(discreetly(stores), readiness(stores), gauges)
  const services = compose(surroundings, host)
  const processFacts = { residentBytes: () => process.memoryUsage().rss, startedAt: Date.now() }
  const app = createApp(services, { publicFile, processFacts })
  // Listening to more than this machine without TLS: only the proxies that end it may connect.
  const mustBeProxied = tls === null && !isLoopback(settings.host)
  return {
    settings,
    tls,
    fetch: async (request, socket) => {
      const { headers } = request
      if (mustBeProxied && !isTrustedProxy(socket, settings.trustedProxies)) {
        const error = new PosternError('denied', 'Connection must come through a proxy that ends TLS')
        return harden(problem(error, crypto.randomUUID()))
      }
      const origin = { socket, forwarded: headers.get('X-Forwarded-For'), cloudflare: null }
      const response = await app.fetch(request, { address: clientAddress(origin, settings) })
      await offered.settle(response)
      return response
    },
    announce(port) {
      const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
      const lines = [
        `Postern listens on ${tls ? 'https' : 'http'}://${host}:${port} (${runtime})`,
        `Data: ${data}`,
        `Root key: ${origin}`,
        ...formerRoots.map(formerLine),
        ...offered.lines,
      ]
      process.stdout.write(`${lines.join('\n')}\n`)
      logLine('info', 'started', { app: settings.appName, environment: settings.environment, runtime })
    },
    stopOnSignal(stop) {
      stopOnSignal(async () => {
        await stop()
        await services.tracer?.flush()
        stores.close()
      })
    },
  }
}

/** Opens the root keys that settings give, or that the data folder has. */
export async function openKeyring(settings: Settings, data: string): Promise<{ keyring: Keyring; origin: string }> {
  const { rootKey, origin, former } = rootsOf(settings, data)
  const formerRootKeys = [...former, ...settings.formerRootKeys]
  return { keyring: await Keyring.open(rootKey, { formerRootKeys, nextRootKey: settings.nextRootKey }), origin }
}

/** The root keys of this server: as they are set, or else those in the data folder. */
function rootsOf({ rootKey }: Settings, data: string): FileRoots {
  return rootKey === undefined
    ? fileRoots(data, findRootKeyHint)
    : { rootKey, origin: 'from POSTERN_ROOT_KEY', former: [] }
}

function formerLine({ id, needed, vaults }: FormerRoot): string {
  const about =
    needed === 0 ? 'no vault needs it any more: it can be taken away' : `needed by ${needed} of ${vaults} vaults`
  return `Former root key ${id}: ${about}`
}

/** The API's pages, from this source file and from the bundle in `dist/`. */
const API_PAGES = ['../../docs/reference/api', '../docs/reference/api'].map((path) => join(import.meta.dirname, path))

/** Reads a page of the API's documentation, or `null` where the server was installed without it. */
async function publicFile(name: string): Promise<string | null> {
  const path = API_PAGES.map((folder) => join(folder, name)).find(existsSync)
  return path === undefined ? null : readFileSync(path, 'utf8')
}

/** @throws {PosternError} `bad_request` when the folder has a root key that was made there, and neither a vault nor a list. */
async function openVaultList(data: string, keyring: Keyring): Promise<VaultList> {
  if (hasRootFile(data) && !hasVaultList(data) && vaultsIn(data).length === 0) {
    throw new PosternError(
      'bad_request',
      `${data} has a root key, and nothing that it sealed: ${DEFAULT_VAULT}${VAULT_SUFFIX} is missing. Restore a backup with npm run restore -- FILE. To begin anew with this key, run npm run forget -- ${DEFAULT_VAULT}`,
    )
  }
  return VaultList.open(data, keyring)
}

/** @throws {PosternError} `bad_request` when the folder is not there: its disk may not be mounted. */
export function anchorsOf(settings: Settings): Anchor[] {
  const { anchor } = settings.audit
  const inFolder = anchor !== undefined && !/^https?:/i.test(anchor)
  if (inFolder && !existsSync(anchor)) {
    throw new PosternError('bad_request', 'POSTERN_AUDIT__ANCHOR: Must be a folder that is there, or an https URL')
  }
  return inFolder ? [folderAnchor(anchor)] : httpAnchors(settings)
}

/** @throws {PosternError} `bad_request` when its disk may not be mounted, or is the data's own. */
function checkBackupFolder({ backup: { folder } }: Settings, data: string): void {
  if (folder === undefined || (existsSync(folder) && resolve(folder) !== data)) return
  throw new PosternError(
    'bad_request',
    'POSTERN_BACKUP__FOLDER: Must be a folder that is there, and not the data folder',
  )
}

/** What a start offers its operator. */
interface Offer {
  lines: string[]
  /** Takes it back once an answer shows that it may have been taken. */
  settle(response: Response): Promise<void>
}

/** Offers a ticket for the default vault, where that has no principal and no other vault is there. Nothing is made of it yet. */
async function offer(stores: Stores, keyring: Keyring, data: string): Promise<Offer> {
  const isTaken = async () => (await stores.open(DEFAULT_VAULT, false))?.vault.isEmpty() === false
  const isAsked = existsSync(fileOfVault(data, DEFAULT_VAULT)) || vaultsIn(data).length === 0
  // In any case: a default vault that is lost stops the start, however many others there are.
  const taken = await isTaken()
  if (!isAsked || taken) {
    withdrawTicket(data)
    return { lines: [], settle: async () => {} }
  }
  const place = { data, isTerminal: process.stdout.isTTY === true }
  let isOpen = true
  return {
    lines: await offerTicket(DEFAULT_VAULT, keyring, place, Date.now()),
    async settle({ status }) {
      if (!isOpen || status !== 201) return
      // The answer is not lost over this: the next start looks again.
      if (!(await isTaken().catch(() => false))) return
      isOpen = false
      withdrawTicket(data)
    },
  }
}

/** Asks the disk at most once a second, whoever asks for it. */
function readiness(stores: Stores): () => boolean {
  let checkedAt = Number.NEGATIVE_INFINITY
  let ready = false
  return () => {
    if (performance.now() - checkedAt > 1000) {
      ready = stores.ready()
      checkedAt = performance.now()
    }
    return ready
  }
}

/** Opens vaults for requests: what goes wrong is told to the operator, not to the client. */
function discreetly(stores: Stores): Stores['open'] {
  return async (id, create) => {
    try {
      return await stores.open(id, create)
    } catch (error) {
      logLine('error', 'vault_unavailable', { vault: id, message: messageOf(error) })
      throw refusal('storage', { retryAfterSeconds: 1 })
    }
  }
}

function readTls({ tls }: Settings): { cert: string; key: string } | null {
  if (tls.certFile === undefined || tls.keyFile === undefined) return null
  try {
    return { cert: readFileSync(tls.certFile, 'utf8'), key: readFileSync(tls.keyFile, 'utf8') }
  } catch {
    throw new PosternError(
      'bad_request',
      'POSTERN_TLS__CERT_FILE, POSTERN_TLS__KEY_FILE: Must be files that can be read',
    )
  }
}

function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false
  const onSignal = () => {
    if (stopping) return
    stopping = true
    // A request that never ends must not keep a process that was told to go.
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref()
    void stop().then(() => process.exit(0))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
