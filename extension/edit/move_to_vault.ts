/**
 * Moves a secret from a document into the vault, and offers the code actions for secrets in plain text.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { parseName } from '../../core/names.ts'
import { Redacted } from '../../core/redacted.ts'
import { formatReference } from '../../core/reference.ts'
import { accessorOf, keyOf } from '../../core/text/accessors.ts'
import { detect } from '../../core/text/detect.ts'
import { parseEnv } from '../../core/text/dotenv.ts'
import type { NameIndex } from '../../core/text/names.ts'
import { isEnvDocument } from '../hydration/documents.ts'
import { IN_THE_CLEAR } from '../language/diagnostics.ts'
import type { IgnoredFindings } from '../language/ignored_findings.ts'
import { environmentFor } from '../settings.ts'
import { command } from '../shared/command.ts'
import { ExtensionError } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { KnownValues } from '../values/known_values.ts'
import type { SecretMetadata } from '../vaults/secret_list.ts'
import type { Vaults } from '../vaults/vaults.ts'
import { appendEntry, envFileFor } from './env_edit.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
  known: KnownValues
}

/** The place of a secret. */
interface TextRange {
  document: vscode.TextDocument
  range: vscode.Range
}

/** Registers the commands and the code actions that move a secret into the vault. */
export function registerMoveToVault(services: Services, ignored: IgnoredFindings): vscode.Disposable {
  return vscode.Disposable.from(
    command(services.log, 'postern.storeSelection', async (uri, range) => store(services, await placeOf(uri, range))),
    command(services.log, 'postern.moveAllInFile', () => moveAll(services, ignored)),
    command(services.log, 'postern.replaceByReference', async (uri, range, reference) => {
      const place = await placeOf(uri, range)
      if (typeof reference === 'string') await replace(place, reference, textAt(place))
    }),
    vscode.languages.registerCodeActionsProvider(
      { pattern: '**' },
      { provideCodeActions: (document, _, context) => actionsOf(services, document, context) },
      { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix, vscode.CodeActionKind.Source] },
    ),
  )
}

async function actionsOf(
  services: Services,
  document: vscode.TextDocument,
  { diagnostics, only }: vscode.CodeActionContext,
): Promise<vscode.CodeAction[]> {
  const { t } = vscode.l10n
  const mine = diagnostics.filter(({ source, code }) => source === 'postern' && code === IN_THE_CLEAR)
  const actions: vscode.CodeAction[] = []
  for (const found of mine) {
    const { range } = found
    const offer = (title: string, command: string, args: unknown[], isPreferred = false) => {
      const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix)
      action.command = { title, command, arguments: args }
      action.diagnostics = [found]
      action.isPreferred = isPreferred
      actions.push(action)
    }
    const text = document.getText(range)
    const known = await services.known.referenceOf(text)
    if (known)
      offer(
        t('Replace with {0}, which has the same value', known),
        'postern.replaceByReference',
        [document.uri, range, known],
        true,
      )
    offer(
      t('Store in the vault and insert a reference here'),
      'postern.storeSelection',
      [document.uri, range],
      known === null,
    )
    // Other extensions can read the arguments of an action, so they hold the place of the secret and not its text.
    offer(t('Ignore: not a secret'), 'postern.ignoreAt', [document.uri, range])
  }
  if (only?.contains(vscode.CodeActionKind.Source)) {
    const all = new vscode.CodeAction(
      t('Move all secrets of this file into the vault'),
      vscode.CodeActionKind.Source.append('postern'),
    )
    all.command = { title: all.title, command: 'postern.moveAllInFile' }
    actions.push(all)
  }
  return actions
}

/** Stores a text under a name that the user enters, and replaces it with a reference or an accessor. */
async function store(services: Services, place: TextRange, suggested = nameFor(place)): Promise<void> {
  const { t } = vscode.l10n
  // Before the first await, since the document may change during each.
  const text = textAt(place)
  const [vault] = await services.vaults.at(place.document.uri)
  if (vault === undefined) throw new ExtensionError('signed_out')
  if (text === '') throw new PosternError('bad_request', t('select the secret first'))
  // Only to point out a name that differs in case alone, so the prompt does not wait for the list.
  void vault.names.namesQuietly()
  const name = await vscode.window.showInputBox({
    title: t('Store as Secret'),
    prompt: t('Name in the vault {0}. A reference replaces the text', vault.id),
    value: suggested,
    ignoreFocusOut: true,
    validateInput: (text) => nameProblem(text) ?? caseNotice(vault.names.known, text),
  })
  if (name === undefined) throw new vscode.CancellationError()
  // A retry with the same idempotency key stores nothing twice. A put fails if the name is taken.
  const options = { expect: 'absent', idempotencyKey: crypto.randomUUID() } as const
  await services.vaults.call(vault, (client) => client.put(name, new Redacted(text), options))
  vault.names.forget()
  const reference = formatReference({ vault: vault.id, name })
  await services.known.note(reference, text)
  await replace(place, reference, text)
  const message = t(
    'Stored as {0}. The value has been on disk, in the undo history and perhaps in git, so rotate it soon',
    name,
  )
  void vscode.window.showInformationMessage(`Postern: ${message}`)
}

/** Replaces a text with a reference or, in code, with an accessor whose reference is added to the `.env`. */
async function replace({ document, range }: TextRange, reference: string, expected: string): Promise<void> {
  const { t } = vscode.l10n
  const edit = new vscode.WorkspaceEdit()
  const key = keyOf(reference.replace(/^postern:\/\/[^/]+\//, ''))
  const accessor = isEnvDocument(document) ? null : accessorOf(document.languageId, key)
  // The secret is already stored. Without a `.env`, the reference itself replaces the text.
  const env = accessor === null ? null : await envFileFor(document.uri).catch(() => null)
  const added = env === null ? null : await appendEntry(edit, env, { key, value: reference })
  // After the last await before the edit: until then the document may change.
  if (document.getText(range) !== expected) {
    throw new PosternError('bad_request', t('the document has changed in the meantime. Insert {0} yourself', reference))
  }
  if (accessor === null || env === null || added?.conflict) edit.replace(document.uri, range, reference)
  else edit.replace(document.uri, withQuotes(document, range), accessor)
  if (!(await vscode.workspace.applyEdit(edit))) {
    throw new PosternError('bad_request', t('the document could not be edited. The secret is stored as {0}', reference))
  }
  await added?.save()
}

/** Offers to move each finding of the active document in turn, except ignored findings. A finding that the user skips stays. */
async function moveAll(services: Services, ignored: IgnoredFindings): Promise<void> {
  const document = vscode.window.activeTextEditor?.document
  if (document === undefined) throw new vscode.CancellationError()
  const skipped = new Set<string>()
  const next = async (): Promise<TextRange | null> => {
    const text = document.getText()
    for (const { start, end } of detect(text, { env: isEnvDocument(document) })) {
      const found = text.slice(start, end)
      if (skipped.has(found) || (await ignored.has(found))) continue
      const place = { document, range: new vscode.Range(document.positionAt(start), document.positionAt(end)) }
      // The document may have changed while the list of ignored findings was read: its offsets are then others.
      return textAt(place) === found ? place : next()
    }
    return null
  }
  let place = await next()
  if (place === null) {
    const message = vscode.l10n.t('No plain-text secrets found in this file')
    void vscode.window.showInformationMessage(`Postern: ${message}`)
  }
  // Each move changes the offsets of what follows, so the document is searched again.
  for (; place !== null; place = await next()) {
    const text = textAt(place)
    try {
      await store(services, place)
    } catch (error) {
      if (!(error instanceof vscode.CancellationError)) throw error
      skipped.add(text)
    }
  }
}

async function placeOf(uri: unknown, range: unknown): Promise<TextRange> {
  if (uri instanceof vscode.Uri && range instanceof vscode.Range) {
    return { document: await vscode.workspace.openTextDocument(uri), range }
  }
  const editor = vscode.window.activeTextEditor
  if (editor === undefined) throw new vscode.CancellationError()
  return { document: editor.document, range: editor.selection }
}

function textAt({ document, range }: TextRange): string {
  return document.getText(range)
}

/** Suggests a name from the environment and the key in front of the secret. */
function nameFor({ document, range }: TextRange): string {
  const environment = environmentFor(document.uri) || 'dev'
  const line = document.lineAt(range.start.line).text.slice(0, range.start.character)
  const inEnv = isEnvDocument(document) ? parseEnv(`${line.replace(/^[ \t#]+/, '')}x`).entries[0]?.key : undefined
  const key = inEnv ?? /\b([A-Za-z][A-Za-z0-9_-]{1,60})["']?\s*[:=]+>?\s*["'`]?$/.exec(line)?.[1] ?? 'secret'
  const words = key.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()
  return `${environment}/${words.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|(?<!-)-+$/g, '') || 'secret'}`
}

function nameProblem(text: string): string | null {
  try {
    parseName(text)
    return null
  } catch {
    return vscode.l10n.t(
      'Use 1 to 16 segments separated by "/", each made of letters, digits, ".", "_", "+", "=", "@" and "-"',
    )
  }
}

/** Points out a listed name that differs in case alone. It is another secret, so nothing is refused for it. */
function caseNotice(listed: NameIndex<SecretMetadata> | null, text: string): vscode.InputBoxValidationMessage | null {
  const other = listed?.differingInCase(text)
  if (other === undefined) return null
  const message = vscode.l10n.t('{0} exists. Case counts, so this is another secret', other.name)
  return { message, severity: vscode.InputBoxValidationSeverity.Warning }
}

/** Extends a range over the quotes around it. An accessor is an expression, so it replaces the whole string literal. */
function withQuotes(document: vscode.TextDocument, range: vscode.Range): vscode.Range {
  const line = document.lineAt(range.end.line).text
  const before = document.lineAt(range.start.line).text[range.start.character - 1]
  const after = line[range.end.character]
  if (before === undefined || before !== after || !`"'\``.includes(before)) return range
  return new vscode.Range(range.start.translate(0, -1), range.end.translate(0, 1))
}
