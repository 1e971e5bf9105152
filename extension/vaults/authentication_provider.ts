/**
 * Signs users in and out, and provides the accounts menu.
 *
 * @module
 */
import * as vscode from 'vscode'
import { isTicket, vaultOfTicket } from '../../core/authentication/ticket.ts'
import { vaultOfToken } from '../../core/authentication/token.ts'
import type { SignInResult, UserClient } from '../../core/client/user.ts'
import { PosternError } from '../../core/errors.ts'
import { VAULT } from '../../core/names.ts'
import { Redacted } from '../../core/redacted.ts'
import type { Platform } from '../platform/platform.ts'
import { addEndpoint, type Endpoint, endpoints, originOf } from '../settings.ts'
import { ExtensionError } from '../shared/errors.ts'
import { networkTo } from './network.ts'
import { makeStorableKey, type StoredSession } from './session_storage.ts'
import type { SignedInVault, Vaults } from './vaults.ts'

const SCHEME = 'postern'
const DEFAULT_SERVER = 'http://127.0.0.1:8787'

/**
 * The accounts of the accounts menu. Other extensions get the session's accessor as the access token, an id that is safe
 * to log. The token itself is not shared.
 */
export class Accounts implements vscode.AuthenticationProvider, vscode.Disposable {
  readonly #vaults: Vaults
  readonly #platform: Platform
  readonly #changed = new vscode.EventEmitter<vscode.AuthenticationProviderAuthenticationSessionsChangeEvent>()
  readonly #subscription: vscode.Disposable
  #shown: vscode.AuthenticationSession[] = []

  readonly onDidChangeSessions = this.#changed.event

  constructor(vaults: Vaults, platform: Platform) {
    this.#vaults = vaults
    this.#platform = platform
    this.#subscription = vscode.Disposable.from(
      this.#changed,
      vaults.onDidChange(() => void this.#announce()),
      vscode.authentication.registerAuthenticationProvider(SCHEME, 'Postern', this, { supportsMultipleAccounts: true }),
    )
  }

  /** Returns the session of each vault that the user is signed in to. */
  async getSessions(): Promise<vscode.AuthenticationSession[]> {
    return (await this.#vaults.all()).map(sessionOf)
  }

  /** Prompts for a server and a credential, and signs in. */
  async createSession(): Promise<vscode.AuthenticationSession> {
    const endpoint = await chooseEndpoint()
    const session = await this.#signIn(endpoint)
    await this.#vaults.add(session)
    const vault = (await this.#vaults.all()).find(({ session: { accessor } }) => accessor === session.accessor)
    if (vault === undefined) throw new ExtensionError('signed_out', session.vault)
    return sessionOf(vault)
  }

  /** Removes a session, and signs it out on the server. If the server does not answer, the session is still removed. */
  async removeSession(id: string): Promise<void> {
    const vault = (await this.#vaults.all()).find(({ session }) => session.accessor === id)
    if (vault === undefined) return
    await this.#vaults.remove(vault.session)
    await vault.client.signOut().catch(() => {})
  }

  /** Adds a second factor to a session. The server returns a new session, which replaces the old one. */
  async enterCode(vault: SignedInVault): Promise<void> {
    const factor = await askCode(vault.principal)
    const signedIn = await this.#vaults.call(vault, (client) => client.stepUp(factor)).catch(wrongCode)
    await this.#vaults.add({ ...vault.session, ...kept(signedIn) }, vault.session)
  }

  dispose(): void {
    this.#subscription.dispose()
  }

  async #signIn(endpoint: Endpoint): Promise<StoredSession> {
    const { origin } = endpoint
    const { t } = vscode.l10n
    const credential = await this.#askCredential(endpoint)
    const { key, jwk } = await makeStorableKey()
    const { signInUser } = await import('../../core/client/user.ts')
    const network = networkTo(origin, this.#platform)
    const about = {
      ...{ endpoint: origin, key, seal: true, fetch: network.fetch, vault: credential.vault },
      // Called before the session is created, so before the ticket is spent.
      onToken: (token: Redacted<string>) => handOver(token, credential.vault),
    }
    const title = t('Signing in to {0}', new URL(origin).host)
    let signedIn = await vscode.window
      .withProgress({ location: vscode.ProgressLocation.Notification, title }, () =>
        signInUser({ ...about, ...credential.given }),
      )
      .then(undefined, (error) => {
        throw refusedToken(network.refine(error))
      })
    // A second factor at sign-in gives access to the secrets whose rules require one.
    const { totp } = await signedIn.client.whoami()
    if (totp) signedIn = await this.#withCode(signedIn)
    return { origin, vault: credential.vault, ...kept(signedIn), key: jwk }
  }

  async #withCode(signedIn: SignInResult<UserClient>): Promise<SignInResult<UserClient>> {
    try {
      return await signedIn.client.stepUp(await askCode(signedIn.session.principal)).catch(wrongCode)
    } catch (error) {
      // The sign-in failed, so its session must not remain valid on the server.
      await signedIn.client.signOut().catch(() => {})
      throw error
    }
  }

  async #askCredential({ origin, alias }: Endpoint) {
    const { t } = vscode.l10n
    const assertion = await this.#platform.assertion()
    if (assertion !== null) {
      const methods = [
        {
          label: t('Identity of this environment'),
          detail: t('Use the identity token of this machine'),
          by: 'assertion',
        },
        { label: t('API token'), detail: t('Paste a token that starts with pst_, or a ticket (pso_)'), by: 'token' },
      ]
      const picked = await vscode.window.showQuickPick(methods, { title: t('How do you want to sign in?') })
      if (picked === undefined) throw new vscode.CancellationError()
      if (picked.by === 'assertion') {
        const vault = await askVault()
        return { vault, given: { token: null, assertion: assertion.reveal() } }
      }
    }
    const text = await vscode.window.showInputBox({
      title: t('Sign in to {0}', alias),
      prompt: t(
        'Paste an API token for {0}. Postern exchanges it for a session and does not store it',
        new URL(origin).host,
      ),
      placeHolder: 'pst_…',
      password: true,
      ignoreFocusOut: true,
      validateInput: (given) =>
        given === '' || vaultOf(given) !== null
          ? null
          : t('Not a Postern token. A token starts with pst_, the vault and 65 characters; a ticket starts with pso_'),
    })
    const vault = text === undefined ? null : vaultOf(text)
    if (text === undefined || vault === null) throw new vscode.CancellationError()
    return { vault, given: { token: new Redacted(text.trim()) } }
  }

  async #announce(): Promise<void> {
    const now = await this.getSessions()
    const added = now.filter(({ id }) => !this.#shown.some((one) => one.id === id))
    const removed = this.#shown.filter(({ id }) => !now.some((one) => one.id === id))
    this.#shown = now
    if (added.length + removed.length > 0) this.#changed.fire({ added, removed, changed: [] })
  }
}

/**
 * Prompts for a server, or for its address if none is configured.
 *
 * @throws {vscode.CancellationError} if the user cancels.
 */
export async function chooseEndpoint(): Promise<Endpoint> {
  const { t } = vscode.l10n
  const known = endpoints()
  if (known.length === 0) return askEndpoint()
  const items: (vscode.QuickPickItem & { endpoint?: Endpoint })[] = known.map((endpoint) => ({
    label: endpoint.alias,
    description: endpoint.origin,
    endpoint,
  }))
  items.push({ label: t('Another server…'), iconPath: new vscode.ThemeIcon('add') })
  const picked = await vscode.window.showQuickPick(items, { title: t('Which Postern server?') })
  if (picked === undefined) throw new vscode.CancellationError()
  return picked.endpoint ?? askEndpoint()
}

async function askEndpoint(): Promise<Endpoint> {
  const { t } = vscode.l10n
  const url = await vscode.window.showInputBox({
    title: t('Address of your Postern server'),
    prompt: t('The address is saved in your user settings, never in those of a folder'),
    value: DEFAULT_SERVER,
    ignoreFocusOut: true,
    validateInput: (given) =>
      originOf(given) === null
        ? t('The address must use https, or http to this machine: otherwise the token would be sent in plain text')
        : null,
  })
  const origin = url === undefined ? null : originOf(url)
  if (origin === null) throw new vscode.CancellationError()
  const alias = new URL(origin).host
  await addEndpoint(alias, origin)
  return { alias, origin }
}

async function askVault(): Promise<string> {
  const { t } = vscode.l10n
  const vault = await vscode.window.showInputBox({
    title: t('Name of the vault'),
    value: 'default',
    validateInput: (given) => (VAULT.test(given) ? null : t('Use 1 to 32 characters: a-z, 0-9 and "-"')),
  })
  if (vault === undefined) throw new vscode.CancellationError()
  return vault
}

async function askCode(principal: string): Promise<{ code: string } | { recoveryCode: string }> {
  const { t } = vscode.l10n
  const text = await vscode.window.showInputBox({
    title: t('Second factor of {0}', principal),
    prompt: t('The six digits of your authenticator app, or a recovery code'),
    password: true,
    ignoreFocusOut: true,
  })
  const given = text?.trim() ?? ''
  if (given === '') throw new vscode.CancellationError()
  return /^[0-9]{6}$/.test(given) ? { code: given } : { recoveryCode: given }
}

/** Replaces the error of a rejected sign-in. The server answers alike for a wrong, an expired and a revoked token. */
function refusedToken(error: unknown): unknown {
  if (!(error instanceof PosternError) || error.code !== 'unauthenticated') return error
  const { t } = vscode.l10n
  // The server adds a reason only for a ticket.
  const message =
    error.detail.reason === undefined
      ? t('the token is wrong, expired or revoked')
      : t('the ticket has expired, was already used, or does not fit the state of the vault')
  return new PosternError('bad_request', message)
}

function wrongCode(error: unknown): never {
  const isWrong = error instanceof PosternError && error.code === 'unauthenticated'
  throw isWrong
    ? new PosternError(
        'bad_request',
        vscode.l10n.t('the code is wrong or was already used, or you are temporarily locked out'),
      )
    : error
}

/** Returns the vault of an API token or of an operator's ticket, or `null` for any other text. */
function vaultOf(given: string): string | null {
  const text = given.trim()
  if (isTicket(text)) return vaultOfTicket(text)
  return text.startsWith('pst_') ? vaultOfToken(text) : null
}

/**
 * Hands over the administrator token that a ticket was exchanged for. The extension stores only the session, not the token.
 *
 * @throws {vscode.CancellationError} if the user does not copy the token. The ticket can then be exchanged again.
 */
async function handOver(token: Redacted<string>, vault: string): Promise<void> {
  const { t } = vscode.l10n
  const copy = t('Copy Token')
  const detail = t(
    'The token does not expire and is never shown again. Save it in a password manager: you sign in with it when this session ends. Clear the clipboard afterwards.',
  )
  const message = t('Your ticket was exchanged for an administrator token of the vault {0}', vault)
  const picked = await vscode.window.showInformationMessage(message, { modal: true, detail }, copy)
  if (picked !== copy) throw new vscode.CancellationError()
  await vscode.env.clipboard.writeText(token.reveal())
}

function kept({ session: { principal, accessor, expiresAt }, token }: SignInResult<UserClient>) {
  return { principal, accessor, expiresAt, token: token.reveal() }
}

function sessionOf({ session, id, origin, principal }: SignedInVault): vscode.AuthenticationSession {
  const label = vscode.l10n.t('{0} in {1} at {2}', principal, id, new URL(origin).host)
  return {
    id: session.accessor,
    accessToken: session.accessor,
    scopes: [],
    account: { id: `${origin}/${id}/${principal}`, label },
  }
}
