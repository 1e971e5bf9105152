/**
 * Reveals one value, in a box that closes itself or on the clipboard for a limited time.
 *
 * @module
 */
import * as vscode from 'vscode'
import { equal, randomBytes, utf8 } from '../../core/bytes.ts'
import { parseEnv } from '../../core/text/dotenv.ts'
import { findReferences } from '../../core/text/find_references.ts'
import { HYDRATED, type HydratedDocuments } from '../hydration/documents.ts'
import { clipboardSeconds, isPresenting, revealSeconds } from '../settings.ts'
import { command } from '../shared/command.ts'
import { ExtensionError } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from './lease.ts'

interface Services {
  log: OutputLog
  leases: Leases
}

/** The reference whose value is revealed, and its context. */
export interface RevealTarget {
  reference: string
  scope?: vscode.Uri
  environment?: string
}

/** Registers the commands that peek at a value, copy it, and clear the clipboard. */
export function registerReveal(services: Services, hydrations: HydratedDocuments): vscode.Disposable {
  const clipboard = new Clipboard()
  const on = (id: string, work: (target: RevealTarget) => Promise<void>) =>
    command(services.log, id, (given) => work(targetOf(given) ?? targetAtCursor(hydrations) ?? noTarget()))
  return vscode.Disposable.from(
    clipboard,
    on('postern.peek', (target) => peek(services, target)),
    on('postern.copy', (target) => copy(services, clipboard, target)),
    command(services.log, 'postern.clearClipboard', () => clipboard.clear()),
  )
}

/** Shows one value in a box that closes after some seconds, or when the box or the window loses focus. */
export async function peek(services: Services, target: RevealTarget): Promise<void> {
  const { t } = vscode.l10n
  const box = vscode.window.createQuickPick()
  const disposables: vscode.Disposable[] = [box]
  {
    using held = await services.leases.one(target.reference, { ...target, shown: true })
    const lines = held.value(target.reference).reveal().split('\n')
    box.items = lines.map((label) => ({ label, alwaysShow: true }))
  }
  box.title = nameOf(target.reference)
  box.placeholder = t('Closes after {0} seconds', revealSeconds())
  const hidden = new Promise<void>((resolve) => {
    const hide = () => {
      box.items = []
      box.hide()
      resolve()
    }
    const timer = setTimeout(hide, revealSeconds() * 1000)
    disposables.push(
      { dispose: () => clearTimeout(timer) },
      box.onDidHide(hide),
      box.onDidAccept(hide),
      vscode.window.onDidChangeWindowState(({ focused }) => focused || hide()),
    )
  })
  box.show()
  void hidden.then(() => vscode.Disposable.from(...disposables).dispose())
}

/** Copies one value to the clipboard for a limited time. */
async function copy(services: Services, clipboard: Clipboard, target: RevealTarget): Promise<void> {
  using held = await services.leases.one(target.reference, { ...target, shown: true })
  await clipboard.put(held.value(target.reference).reveal())
}

/** The value on the clipboard. It is cleared after a time, but only if the clipboard still contains it. */
class Clipboard implements vscode.Disposable {
  readonly #status = vscode.window.createStatusBarItem('postern.clipboard', vscode.StatusBarAlignment.Left, 1)
  #held: { digest: Uint8Array; salt: Uint8Array; until: number; timer: ReturnType<typeof setInterval> } | null = null

  constructor() {
    const { t } = vscode.l10n
    this.#status.name = t('Postern: copied value')
    this.#status.tooltip = t('A secret is on the clipboard. Click to clear it now')
    this.#status.command = 'postern.clearClipboard'
  }

  async put(value: string): Promise<void> {
    const salt = randomBytes(16)
    const digest = await digestOf(value, salt)
    await vscode.env.clipboard.writeText(value)
    // The timer of an earlier copy would clear this one too soon.
    if (this.#held) clearInterval(this.#held.timer)
    const until = Date.now() + clipboardSeconds() * 1000
    this.#held = { digest, salt, until, timer: setInterval(() => this.#tick(), 1000) }
    this.#tick()
    this.#status.show()
  }

  /** Clears the clipboard if it still contains the value. Text that was copied since then stays. */
  async clear(): Promise<void> {
    const held = this.#held
    if (held === null) return
    this.#held = null
    clearInterval(held.timer)
    this.#status.hide()
    try {
      const now = await vscode.env.clipboard.readText()
      if (equal(await digestOf(now, held.salt), held.digest)) await vscode.env.clipboard.writeText('')
    } catch {
      // A browser may refuse to read the clipboard while the window is not focused.
      const message = vscode.l10n.t(
        'Postern could not check whether the secret is still on the clipboard. Clear it yourself',
      )
      void vscode.window.showWarningMessage(`Postern: ${message}`)
    }
  }

  dispose(): void {
    void this.clear()
    this.#status.dispose()
  }

  #tick(): void {
    const left = Math.ceil(((this.#held?.until ?? 0) - Date.now()) / 1000)
    this.#status.text = `$(clippy) ${vscode.l10n.t('{0} s', Math.max(0, left))}`
    if (left <= 0) void this.clear()
  }
}

/** Finds the reference at the cursor, in a source document or in a hydrated one. */
function targetAtCursor(hydrations: HydratedDocuments): RevealTarget | null {
  const editor = vscode.window.activeTextEditor
  if (editor === undefined) return null
  const { document, selection } = editor
  if (document.uri.scheme === HYDRATED) {
    const hydration = hydrations.of(document.uri)
    const row = hydration?.rows.find(({ line }) => line === selection.active.line)
    if (!hydration || typeof row?.reference !== 'string') return null
    return { reference: row.reference, scope: hydration.source, environment: hydration.environment }
  }
  const at = document.offsetAt(selection.active)
  const text = document.getText()
  const found = findReferences(text).find(({ start, end }) => start <= at && at <= end)
  const line = document.lineAt(selection.active.line).range
  const [first, last] = [document.offsetAt(line.start), document.offsetAt(line.end)]
  const onLine = parseEnv(text).entries.find(({ start, valueEnd }) => start <= last && valueEnd >= first)?.value
  const reference = found?.text ?? (onLine?.startsWith('postern://') ? onLine : undefined)
  return reference === undefined ? null : { reference, scope: document.uri }
}

/** Parses the argument of a command. Strict, because any extension can call the command. */
function targetOf(given: unknown): RevealTarget | null {
  const { reference, scope, environment } = Object(given) as Record<string, unknown>
  if (typeof reference !== 'string' || !reference.startsWith('postern://')) return null
  return {
    reference,
    ...(typeof scope === 'string' && { scope: vscode.Uri.parse(scope) }),
    ...(scope instanceof vscode.Uri && { scope }),
    ...(typeof environment === 'string' && { environment }),
  }
}

function noTarget(): never {
  if (isPresenting()) throw new ExtensionError('presenting')
  const message = vscode.l10n.t('Place the cursor on a reference such as postern://vault/name')
  void vscode.window.showInformationMessage(`Postern: ${message}`)
  throw new vscode.CancellationError()
}

function nameOf(reference: string): string {
  return reference.replace(/^postern:\/\//, '')
}

async function digestOf(value: string, salt: Uint8Array): Promise<Uint8Array> {
  const salted = new Uint8Array([...salt, ...utf8(value)])
  return new Uint8Array(await crypto.subtle.digest('SHA-256', salted))
}
