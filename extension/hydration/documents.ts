/**
 * Hydrated `.env` files, which are read-only documents with masked text.
 *
 * @module
 */
import * as vscode from 'vscode'
import { isEnvFileName, parseEnv } from '../../core/text/dotenv.ts'
import { shown } from '../../core/text/fingerprint.ts'
import { type MaskedRow, type MaskNote, mask } from '../../core/text/mask.ts'
import { environmentFor, environments } from '../settings.ts'
import { command } from '../shared/command.ts'
import { ENV_FILES } from '../shared/env_files.ts'
import { explain } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { LeaseOutcome, Leases } from '../values/lease.ts'

interface Services {
  log: OutputLog
  leases: Leases
}

/** The URI scheme of hydrated documents. */
export const HYDRATED = 'postern-env'

/** The file and the environment of a hydrated document. */
export interface HydrationSource {
  source: vscode.Uri
  environment: string
  /** Whether each mask shows a fingerprint, so that the user can see which values of two documents are equal. */
  compares: boolean
}

/** The state of an open hydrated document. It holds no value. */
export interface HydratedDocument extends HydrationSource {
  rows: MaskedRow[]
  outcomes: ReadonlyMap<string, LeaseOutcome>
}

/** The hydrated documents that are open. */
export class HydratedDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #services: Services
  readonly #changed = new vscode.EventEmitter<vscode.Uri>()
  readonly #open = new Map<string, HydratedDocument>()
  readonly #subscription: vscode.Disposable

  readonly onDidChange = this.#changed.event

  constructor(services: Services) {
    this.#services = services
    const { registerTextDocumentContentProvider, onDidCloseTextDocument } = vscode.workspace
    this.#subscription = vscode.Disposable.from(
      this.#changed,
      registerTextDocumentContentProvider(HYDRATED, this),
      onDidCloseTextDocument(({ uri }) => void this.#open.delete(uri.toString())),
    )
  }

  /** Returns the state of a document; `undefined` until the user opens it in this window. */
  of(uri: vscode.Uri): HydratedDocument | undefined {
    return this.#open.get(uri.toString())
  }

  /** All open hydrated documents. */
  get all(): Iterable<HydratedDocument> {
    return this.#open.values()
  }

  /** Finds the outcome of a reference in a file, from its open hydrated documents for the current environment. */
  outcomeOf(source: vscode.Uri, reference: string): LeaseOutcome | undefined {
    const environment = environmentFor(source)
    for (const hydration of this.#open.values()) {
      if (hydration.source.toString() === source.toString() && hydration.environment === environment) {
        const outcome = hydration.outcomes.get(reference)
        if (outcome) return outcome
      }
    }
    return undefined
  }

  /**
   * Fetches the values of all references in a file, in one request, and updates its masked document. Keeps no value.
   *
   * @returns The URI of the masked document, for the caller to show.
   * @throws {ExtensionError} before the document changes.
   */
  async open(from: HydrationSource): Promise<vscode.Uri> {
    const document = await vscode.workspace.openTextDocument(from.source)
    const references = referencesIn(document)
    const { source, environment } = from
    let outcomes: ReadonlyMap<string, LeaseOutcome> = new Map()
    if (references.length > 0) {
      const start = performance.now()
      using held = await this.#services.leases.of(references, { scope: source, environment })
      outcomes = new Map(held.outcomes)
      this.#services.log.info('hydrated', { references: references.length, ms: Math.round(performance.now() - start) })
    }
    const uri = uriOf(from)
    this.#open.set(uri.toString(), { ...from, rows: mask(document.getText()).rows, outcomes })
    this.#changed.fire(uri)
    return uri
  }

  /** Returns the masked text. A document that the editor restores with the window shows masks, and fetches nothing. */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const { source, compares } = this.of(uri) ?? fromUri(uri)
    const document = await vscode.workspace.openTextDocument(source)
    const outcomes = this.of(uri)?.outcomes
    return mask(document.getText(), (reference) => noteOf(outcomes?.get(reference), compares)).text
  }

  dispose(): void {
    this.#subscription.dispose()
  }
}

/** Lists the references among the values of a `.env`. */
export function referencesIn(document: vscode.TextDocument): string[] {
  return parseEnv(document.getText()).entries.flatMap(({ value }) => (value.startsWith('postern://') ? [value] : []))
}

/** Whether a document is a `.env` that can be hydrated, and not a hydrated document itself. */
export function isEnvDocument(document: vscode.TextDocument): boolean {
  const { scheme, path } = document.uri
  if (scheme === HYDRATED) return false
  return document.languageId === 'dotenv' || isEnvFileName(path.slice(path.lastIndexOf('/') + 1))
}

/** Registers the commands that open and compare hydrated documents. */
export function registerHydration(services: Pick<Services, 'log'>, hydrations: HydratedDocuments): vscode.Disposable {
  const { log } = services
  return vscode.Disposable.from(
    hydrations,
    command(log, 'postern.openHydratedEnv', (uri) => openHydrated(hydrations, uri as vscode.Uri | undefined)),
    command(log, 'postern.compareEnvironments', (uri) => compare(hydrations, uri as vscode.Uri | undefined)),
  )
}

async function openHydrated(hydrations: HydratedDocuments, given?: vscode.Uri): Promise<void> {
  const active = given ?? vscode.window.activeTextEditor?.document.uri
  // In a hydrated document, the same button fetches the values again.
  const again = active && hydrations.of(active)
  const source = again?.source ?? (await envDocument(active)).uri
  const environment = again?.environment ?? environmentFor(source)
  const uri = await hydrations.open({ source, environment, compares: again?.compares ?? false })
  await vscode.window.showTextDocument(uri, { preview: false })
}

async function compare(hydrations: HydratedDocuments, given?: vscode.Uri): Promise<void> {
  const { t } = vscode.l10n
  const source = (await envDocument(given ?? vscode.window.activeTextEditor?.document.uri)).uri
  // Preselects the current environment and one other, the likely choice.
  const current = environmentFor(source)
  const names = environments(source).sort((a, b) => Number(b === current) - Number(a === current))
  const items = names.map((label, place) => ({ label, picked: place < 2 }))
  const title = t('Which two environments do you want to compare?')
  const picked = await vscode.window.showQuickPick(items, { title, canPickMany: true })
  const [left, right] = (picked ?? []).map(({ label }) => label)
  if (left === undefined || right === undefined) throw new vscode.CancellationError()
  const uris = [
    await hydrations.open({ source, environment: left, compares: true }),
    await hydrations.open({ source, environment: right, compares: true }),
  ]
  await vscode.commands.executeCommand(
    'vscode.diff',
    ...uris,
    t('{0} and {1}: equal fingerprints mean equal values', left, right),
  )
}

/**
 * Returns the `.env` for a command. If the given document is not a `.env`, it is the only one of the workspace, or the one that
 * the user chooses.
 *
 * @throws {vscode.CancellationError} when the workspace has no `.env`, or the user chooses none.
 */
export async function envDocument(uri?: vscode.Uri): Promise<vscode.TextDocument> {
  const { t } = vscode.l10n
  if (uri) {
    const document = await vscode.workspace.openTextDocument(uri)
    if (isEnvDocument(document)) return document
  }
  const found = await vscode.workspace.findFiles(ENV_FILES, '**/node_modules/**', 50)
  if (found.length === 0) {
    throw await noEnvFile(t('No .env file in this workspace. To create one, insert a secret as a reference'))
  }
  const items = found.map((one) => ({ label: vscode.workspace.asRelativePath(one), uri: one }))
  const only = items.length === 1 ? items[0] : undefined
  const picked = only ?? (await vscode.window.showQuickPick(items, { title: t('Which .env file?') }))
  if (picked === undefined) throw new vscode.CancellationError()
  return vscode.workspace.openTextDocument(picked.uri)
}

async function noEnvFile(message: string): Promise<vscode.CancellationError> {
  const { t } = vscode.l10n
  const insert = t('Insert Secret')
  void vscode.window.showInformationMessage(`Postern: ${message}`, insert).then((chosen) => {
    if (chosen === insert) void vscode.commands.executeCommand('postern.insertSecret')
  })
  return new vscode.CancellationError()
}

function noteOf(outcome: LeaseOutcome | undefined, compares: boolean): MaskNote {
  if (outcome === undefined) return {}
  if ('error' in outcome) return { failed: explain(outcome.error).message }
  return compares ? { behind: shown(outcome.fingerprint) } : {}
}

/**
 * Makes the URI. The end of its path is the title of the tab, such as `.env (dev, hydrated)`. The manifest assigns the language
 * `dotenv` to such names.
 */
function uriOf({ source, environment, compares }: HydrationSource): vscode.Uri {
  const about = [environment, compares ? '' : vscode.l10n.t('hydrated')].filter(Boolean).join(', ')
  return vscode.Uri.from({
    scheme: HYDRATED,
    path: `${source.path} (${about})`,
    query: JSON.stringify({ source: source.toString(), environment, compares }),
  })
}

function fromUri(uri: vscode.Uri): HydrationSource {
  const { source, environment, compares } = Object(JSON.parse(uri.query)) as Record<string, unknown>
  return {
    source: vscode.Uri.parse(String(source), true),
    environment: String(environment),
    compares: compares === true,
  }
}
