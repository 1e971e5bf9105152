/**
 * The vaults that the user is signed in to, each with its client.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { UserClient } from '../../core/client/user.ts'
import { PosternError } from '../../core/errors.ts'
import { Redacted } from '../../core/redacted.ts'
import type { Reference } from '../../core/reference.ts'
import type { Platform } from '../platform/platform.ts'
import { endpointFor, endpoints } from '../settings.ts'
import { ExtensionError } from '../shared/errors.ts'
import { type Network, networkTo } from './network.ts'
import { SecretList, type SecretMetadata } from './secret_list.ts'
import { concernsSessions, loadKey, readSessions, type StoredSession, writeSessions } from './session_storage.ts'

/** A vault that the user is signed in to as one principal. */
export interface SignedInVault {
  id: string
  origin: string
  principal: string
  session: StoredSession
  client: UserClient
  names: SecretList
  network: Network
}

/** The user's sessions, kept in sync with the other windows. */
export class Vaults implements vscode.Disposable {
  readonly #secrets: vscode.SecretStorage
  readonly #platform: Platform
  readonly #changed = new vscode.EventEmitter<void>()
  readonly #named = new vscode.EventEmitter<void>()
  readonly #subscription: vscode.Disposable
  #vaults: SignedInVault[] | null = null
  // The vaults before a reload. A vault whose session is unchanged is reused, with its client's nonce and its names.
  #before: readonly SignedInVault[] = []
  #loading: Promise<SignedInVault[]> | null = null
  // Writes are serialized, because two writes that read the same list would lose a session.
  #writes: Promise<void> = Promise.resolve()

  /** Fires when the user signs in or out, in this window or another. */
  readonly onDidChange = this.#changed.event
  /** Fires when a server has returned the names and versions of its secrets. Any of them may be new. */
  readonly onDidLoadNames = this.#named.event

  constructor(secrets: vscode.SecretStorage, platform: Platform) {
    this.#secrets = secrets
    this.#platform = platform
    this.#subscription = vscode.Disposable.from(
      this.#changed,
      this.#named,
      secrets.onDidChange(({ key }) => {
        if (concernsSessions(key)) this.reload()
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('postern.endpoints')) this.reload()
      }),
    )
  }

  /** Returns all vaults that the user is signed in to. The latest sign-in to each server comes first. */
  all(): Promise<SignedInVault[]> {
    if (this.#vaults) return Promise.resolve(this.#vaults)
    if (this.#loading === null) {
      const loading = this.#load().then((vaults) => {
        // A load that began before a change is outdated. Its callers get the vaults of the newer load.
        if (this.#loading !== loading) return this.all()
        this.#vaults = vaults
        this.#loading = null
        return vaults
      })
      this.#loading = loading
    }
    return this.#loading
  }

  /** The vaults that are already loaded. Sends no request. */
  get known(): readonly SignedInVault[] {
    return this.#vaults ?? this.#before
  }

  /** Returns the listed metadata of a secret, if the list of names is loaded. */
  listed({ vault: id, name }: Reference, scope?: vscode.Uri): SecretMetadata | undefined {
    const origin = endpointFor(scope)?.origin
    return this.known.find((vault) => vault.origin === origin && vault.id === id)?.names.known?.find(name)
  }

  /** Returns the vaults of the server that a resource uses. */
  async at(scope?: vscode.Uri): Promise<SignedInVault[]> {
    const origin = endpointFor(scope)?.origin
    return (await this.all()).filter((vault) => vault.origin === origin)
  }

  /**
   * Finds the vault of a reference in a resource.
   *
   * @param endpoint The server, if it was selected before. Defaults to that of the resource.
   * @throws {ExtensionError} `signed_out`, or `no_endpoint` if the resource selects a server that is not in the user's
   *   settings.
   */
  async find(id: string, scope?: vscode.Uri, endpoint = endpointFor(scope)): Promise<SignedInVault> {
    if (endpoint === null && endpoints().length > 0) {
      throw new ExtensionError(
        'no_endpoint',
        vscode.workspace.getConfiguration('postern', scope ?? null).get('endpoint', ''),
      )
    }
    const found = (await this.all()).find((vault) => vault.origin === endpoint?.origin && vault.id === id)
    if (found === undefined) throw new ExtensionError('signed_out', id)
    return found
  }

  /** Calls a vault. If the session has ended, it is removed and the call is not repeated. */
  async call<T>(vault: SignedInVault, work: (client: UserClient) => Promise<T>): Promise<T> {
    try {
      return await work(vault.client)
    } catch (error) {
      if (error instanceof PosternError && error.code === 'unauthenticated') await this.remove(vault.session)
      throw vault.network.refine(error)
    }
  }

  /** Stores a new session, and removes the session that it renews. */
  add(session: StoredSession, renews?: StoredSession): Promise<void> {
    return this.#change(session.origin, (sessions) => [
      session,
      ...sessions.filter(({ accessor }) => accessor !== renews?.accessor),
    ])
  }

  /** Removes a session from the storage. Sends no request to the server. */
  remove({ origin, accessor }: StoredSession): Promise<void> {
    return this.#change(origin, (sessions) => sessions.filter((one) => one.accessor !== accessor))
  }

  /** Makes the next call read the stored sessions again. */
  reload(): void {
    this.#before = this.#vaults ?? this.#before
    this.#vaults = null
    this.#loading = null
    this.#changed.fire()
  }

  dispose(): void {
    this.#subscription.dispose()
  }

  async #load(): Promise<SignedInVault[]> {
    const origins = [...new Set(endpoints().map(({ origin }) => origin))]
    const lists = await Promise.all(origins.map((origin) => readSessions(this.#secrets, origin)))
    const vaults = await Promise.all(
      lists.flat().map((one) => this.#before.find(({ session }) => session.token === one.token) ?? this.#open(one)),
    )
    return vaults
  }

  async #open(session: StoredSession): Promise<SignedInVault> {
    const { origin, vault, principal, token, key } = session
    const network = networkTo(origin, this.#platform)
    // Imported only when the user is signed in, because the schemas of all responses are most of the cost of a start.
    const { connectUser } = await import('../../core/client/user.ts')
    const client = connectUser({
      endpoint: origin,
      vault,
      token: new Redacted(token),
      key: await loadKey(key),
      seal: true,
      fetch: network.fetch,
    })
    const names = new SecretList(client.list, () => this.#named.fire())
    return { id: vault, origin, principal, session, client, names, network }
  }

  #change(origin: string, change: (sessions: StoredSession[]) => StoredSession[]): Promise<void> {
    const write = this.#writes.then(async () => {
      await writeSessions(this.#secrets, origin, change(await readSessions(this.#secrets, origin)))
      this.reload()
    })
    this.#writes = write.catch(() => {})
    return write
  }
}
