/**
 * The server on Bun, Deno and Node, without its listener.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError, refusal } from '../../core/errors.ts'
import type { Fetch } from '../../core/http/send.ts'
import { isLoopback, urlHost } from '../../core/loopback.ts'
import type { ProviderRegistry } from '../../core/provider_registry/registry.ts'
import type { Settings } from '../../core/settings/settings.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { createApp } from '../app.ts'
import { compose, registryOf } from '../compose.ts'
import { clientAddress, isTrustedProxy } from '../http/client_address.ts'
import { harden } from '../http/harden.ts'
import { problem } from '../http/problem.ts'
import { logLine } from '../telemetry/log.ts'
import { countedStats } from '../telemetry/vault_metrics.ts'
import { localHost } from '../vault_host/local.ts'
import { DEFAULT_VAULT, offerBootstrap } from './bootstrap_ticket.ts'
import { reportBunEnvFiles } from './bun_env_files.ts'
import { type CertificatePair, followCertificate, readTls } from './certificate.ts'
import { checkRootKeys, type FormerRootKey } from './check_root_keys.ts'
import { DataFolder, VAULT_SUFFIX, vaultsIn } from './data_folder.ts'
import { closeDetours } from './detours.ts'
import { anchorsOf, checkBackupFolder } from './named_files.ts'
import { openKeyring } from './open_keyring.ts'
import { outboundOf } from './outbound.ts'
import { exitOnSignal, fail, ignoreOutputErrors, kindOf } from './process_exit.ts'
import { hasRootKeyFile } from './root_key_files.ts'
import { LOCAL_FILES } from './secrets_file.ts'
import { messageOf } from './served_vault.ts'
import { findCutValues, readLocalSettings } from './settings.ts'
import { reportUnknownClients } from './unknown_clients.ts'
import { hasVaultList, VaultList } from './vault_list.ts'

/** A server without its listener: what the runtimes share. */
export interface LocalServer {
  settings: Settings
  /** Certificate and key in PEM; `null` without TLS. */
  tls: CertificatePair | null
  /**
   * Has new connections served with the certificate in the files, as they change.
   *
   * @param use `null` on a runtime that needs a restart for that.
   */
  followTls(use: ((pair: CertificatePair) => void) | null): void
  /**
   * Answers one request.
   *
   * @param socket The address at the other end of the connection.
   * @param isGone Whether the client has closed the connection, where the runtime tells.
   */
  fetch(request: Request, socket: string | null, isGone?: () => boolean): Promise<Response>
  /** Prints where the server listens, and what an operator has to know. To be called once, when it listens. */
  announce(port: number): void
  /** Exits in order at SIGINT or SIGTERM. @param stop Ends the listener; it waits for requests in flight. */
  stopOnSignal(stop: () => Promise<unknown>): void
}

/**
 * Opens the server over the settings of this process, or prints what is wrong and exits.
 *
 * @param runtime Its name, for the operator.
 */
export async function openLocal(runtime: string): Promise<LocalServer> {
  ignoreOutputErrors()
  try {
    return await open(runtime)
  } catch (error) {
    fail(error)
  }
}

async function open(runtime: string): Promise<LocalServer> {
  closeDetours()
  const site = await openSite()
  const { settings, data, tls, keyring, registry, anchors, fetch } = site
  const surroundings = { settings, keyring, registry, anchors, fetch, readFile: LOCAL_FILES.read }
  const vaults = new DataFolder(data, surroundings, await openVaultList(data, keyring))
  const offer = await offerBootstrap(vaults, keyring, data)
  // For their jobs. Not waited for: an anchor that does not answer must not hold up the start.
  void vaults.openAll()
  const gauges = countedStats(() => [...vaults.opened()].map(({ vault }) => vault))
  const host = localHost(openForRequests(vaults), readiness(vaults), gauges)
  const services = compose(surroundings, host)
  const processFacts = { residentBytes: () => process.memoryUsage().rss, startedAt: Date.now() }
  const app = createApp(services, { publicFile, processFacts })
  const reportUnknown = reportUnknownClients(settings)
  return {
    settings,
    tls,
    followTls(use) {
      if (tls !== null) followCertificate(settings, tls, use)
    },
    async fetch(request, socket, isGone) {
      if (!mayConnect(site, socket)) {
        const error = new PosternError('denied', 'Connection must come through a proxy that ends TLS')
        return harden(problem(error, crypto.randomUUID()))
      }
      const address = clientAddress(socket, request.headers, settings)
      if (address === null) reportUnknown(socket, request.headers)
      const response = await app.fetch(request, { address, ...(isGone && { isGone }) })
      await offer.settle(response)
      return response
    },
    announce(port) {
      const lines = [listeningLine(site, port, runtime), ...siteLines(site), ...offer.lines]
      process.stdout.write(`${lines.join('\n')}\n`)
      logLine('info', 'started', { app: settings.appName, environment: settings.environment, runtime })
    },
    stopOnSignal(stop) {
      exitOnSignal(async () => {
        await stop()
        await services.tracer?.flush()
        vaults.close()
      })
    },
  }
}

/** The settings of a server, and what they name: all that a start checks before it opens a vault. */
interface Site {
  settings: Settings
  /** The data folder. */
  data: string
  tls: LocalServer['tls']
  registry: ProviderRegistry
  anchors: Anchor[]
  /** Replaces the fetch of the platform. */
  fetch: Fetch | undefined
  keyring: Keyring
  /** The source of the root key, in words for the operator. */
  origin: string
  formerRootKeys: FormerRootKey[]
}

/** @throws {PosternError} `bad_request` for a setting that is wrong, or a root key that is wrong for a vault. */
async function openSite(): Promise<Site> {
  const settings = readLocalSettings()
  reportBunEnvFiles()
  for (const cut of findCutValues()) logLine('warn', 'dotenv_value_cut', { ...cut })
  if (settings.clientAddress === 'cloudflare') {
    throw new PosternError('bad_request', 'POSTERN_CLIENT_ADDRESS: cloudflare is for Workers only')
  }
  const data = resolve(settings.data)
  makeDataFolder(data)
  // Before a root key is made: a start that fails over a setting leaves none behind.
  const outbound = outboundOf(settings)
  const sender = { settings, ...outbound }
  const [registry, anchors, tls] = [registryOf(sender, LOCAL_FILES), anchorsOf(sender), readTls(settings)]
  checkBackupFolder(settings, data)
  const { keyring, origin } = await openKeyring(settings, data)
  const formerRootKeys = await checkRootKeys(data, keyring)
  return { settings, data, tls, registry, anchors, fetch: outbound.fetch, keyring, origin, formerRootKeys }
}

/** @throws {PosternError} `bad_request` with the path, when it cannot be a folder of this user. */
function makeDataFolder(data: string): void {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 })
  } catch (error) {
    const advice =
      'Must be a folder that this user has or can make. Set POSTERN_DATA to another one, or change this one'
    throw new PosternError('bad_request', `POSTERN_DATA: ${data} (${kindOf(error)}): ${advice}`)
  }
}

/** Whether a connection is taken. Without TLS, on more than this machine, only the proxies that end TLS may connect. */
function mayConnect({ settings, tls }: Site, socket: string | null): boolean {
  return tls !== null || isLoopback(settings.host) || isTrustedProxy(socket, settings.trustedProxies)
}

function listeningLine({ settings, tls }: Site, port: number, runtime: string): string {
  return `Postern listens on ${tls ? 'https' : 'http'}://${urlHost(settings.host)}:${port} (${runtime})`
}

function siteLines({ data, origin, formerRootKeys }: Site): string[] {
  return [`Data: ${data}`, `Root key: ${origin}`, ...formerRootKeys.map(formerLine)]
}

function formerLine({ id, needed, vaults }: FormerRootKey): string {
  const about =
    needed === 0 ? 'no vault needs it any more, so it can be removed' : `needed by ${needed} of ${vaults} vaults`
  return `Former root key ${id}: ${about}`
}

/** The API's pages, from this source file and from the bundle in `dist/`. */
const API_PAGES = ['../../docs/reference/api', '../docs/reference/api'].map((path) => join(import.meta.dirname, path))

/** Reads a page of the API's documentation, or `null` where the server was installed without it. */
async function publicFile(name: string): Promise<string | null> {
  const path = API_PAGES.map((folder) => join(folder, name)).find(existsSync)
  return path === undefined ? null : readFileSync(path, 'utf8')
}

/**
 * Opens the list of vaults.
 *
 * @throws {PosternError} `bad_request` when the folder has a root key of its own, and neither a vault nor a list.
 */
async function openVaultList(data: string, keyring: Keyring): Promise<VaultList> {
  if (hasRootKeyFile(data) && !hasVaultList(data) && vaultsIn(data).length === 0) {
    throw new PosternError(
      'bad_request',
      `${data} has a root key and no vault: ${DEFAULT_VAULT}${VAULT_SUFFIX} is missing. Restore a backup with npm run restore -- FILE. To start over with this key, run npm run forget -- ${DEFAULT_VAULT}`,
    )
  }
  return VaultList.open(data, keyring)
}

/** Probes the disk at most once a second, however often it is called: the caller needs no token. */
function readiness(vaults: DataFolder): () => boolean {
  let checkedAt = Number.NEGATIVE_INFINITY
  let ready = false
  return () => {
    if (performance.now() - checkedAt > 1000) {
      ready = vaults.ready()
      checkedAt = performance.now()
    }
    return ready
  }
}

/** Opens vaults for requests. The reason of a failure goes to the operator's log, not to the client. */
function openForRequests(vaults: DataFolder): DataFolder['open'] {
  return async (id, create) => {
    try {
      return await vaults.open(id, create)
    } catch (error) {
      logLine('error', 'vault_unavailable', { vault: id, message: messageOf(error) })
      throw refusal('storage', { retryAfterSeconds: 1 })
    }
  }
}
