/**
 * Inserts a secret as a reference, as an accessor in code, or, after a warning, as its value.
 *
 * @module
 */
import * as vscode from 'vscode'
import { accessorOf, keyOf } from '../../core/text/accessors.ts'
import { quoteEnvValue } from '../../core/text/dotenv_edit.ts'
import { isEnvDocument } from '../hydration/documents.ts'
import { type InsertMode, insertMode } from '../settings.ts'
import { command } from '../shared/command.ts'
import { ExtensionError, plain } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from '../values/lease.ts'
import { type PickedSecret, pickSecret } from '../values/pick_secret.ts'
import type { Vaults } from '../vaults/vaults.ts'
import { appendEntry, envFileFor } from './env_edit.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
  leases: Leases
}

/** Registers the commands that insert a secret. */
export function registerInsert(services: Services): vscode.Disposable {
  const on = (id: string, mode?: InsertMode) => command(services.log, id, () => insert(services, mode))
  return vscode.Disposable.from(
    on('postern.insertSecret'),
    on('postern.insertReference', 'reference'),
    on('postern.insertAccessor', 'accessor'),
    on('postern.insertValue', 'value'),
  )
}

async function insert(services: Services, given?: InsertMode): Promise<void> {
  const { t } = vscode.l10n
  const editor = vscode.window.activeTextEditor
  if (editor === undefined) throw nowhere()
  const { document } = editor
  const mode = modeFor(document, given ?? insertMode(document.uri))
  // Checked before the user chooses a secret, because the choice could not be inserted.
  if (mode === 'value' && !vscode.workspace.isTrusted) throw new ExtensionError('restricted')
  const version = document.version
  const picked = await pickSecret(services.vaults, t('Insert Secret'), document.uri)
  if (mode === 'value') return insertValue(services, editor, picked, version)
  if (mode === 'accessor') return insertAccessor(editor, picked)
  const text =
    isEnvDocument(document) && isEmptyLine(editor)
      ? `${keyOf(picked.name)}=${quoteEnvValue(picked.reference) ?? picked.reference}`
      : picked.reference
  await replaceSelections(editor, text)
}

/** Resolves `auto` to an accessor where the language has one, and to a reference elsewhere. */
function modeFor(document: vscode.TextDocument, mode: InsertMode): Exclude<InsertMode, 'auto'> {
  const hasAccessor = accessorOf(document.languageId, 'X') !== null
  if (mode === 'auto') return hasAccessor && !isEnvDocument(document) ? 'accessor' : 'reference'
  return mode === 'accessor' && !hasAccessor ? 'reference' : mode
}

/** Inserts the accessor, and the reference in the `.env` that it reads. One edit makes both changes or neither. */
async function insertAccessor(editor: vscode.TextEditor, { name, reference }: PickedSecret): Promise<void> {
  const { t } = vscode.l10n
  const { document } = editor
  const key = await vscode.window.showInputBox({
    title: t('Environment variable for {0}', name),
    value: keyOf(name),
    validateInput: (text) =>
      /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? null : t('Use letters, digits and "_", and do not start with a digit'),
  })
  if (key === undefined) throw new vscode.CancellationError()
  const edit = new vscode.WorkspaceEdit()
  const env = await envFileFor(document.uri)
  const saved = env === null ? null : await appendEntry(edit, env, { key, value: reference })
  if (saved?.conflict) {
    throw await refuse(
      t('{0} already has another value in {1}. Choose another name', key, vscode.workspace.asRelativePath(env!)),
    )
  }
  const accessor = accessorOf(document.languageId, key)!
  for (const selection of editor.selections) edit.replace(document.uri, selection, accessor)
  if (!(await vscode.workspace.applyEdit(edit)))
    throw await refuse(t('The document is read-only or could not be edited'))
  await saved?.save()
  if (env !== null) {
    const message = t('{0} is now in {1}, as a reference', key, vscode.workspace.asRelativePath(env))
    const open = t('Open Hydrated')
    void vscode.window.showInformationMessage(`Postern: ${message}`, open).then((chosen) => {
      if (chosen === open) void vscode.commands.executeCommand('postern.openHydratedEnv', env)
    })
  } else {
    const copied = t('No folder is open for a .env file. Set {0} to {1} where the program runs', key, reference)
    void vscode.window.showInformationMessage(`Postern: ${copied}`)
  }
}

async function insertValue(
  services: Services,
  editor: vscode.TextEditor,
  { name, reference }: PickedSecret,
  version: number,
): Promise<void> {
  const { t } = vscode.l10n
  const { document } = editor
  const yes = t('Insert Value')
  const detail = t(
    'The value will be in the file, its undo history and the local history. A reference keeps it out of all three.',
  )
  const answer = await vscode.window.showWarningMessage(
    t('Insert the value of {0} into {1} in plain text?', name, vscode.workspace.asRelativePath(document.uri)),
    { modal: true, detail },
    yes,
  )
  if (answer !== yes) throw new vscode.CancellationError()
  using held = await services.leases.one(reference, { scope: document.uri, shown: true })
  if (document.version !== version)
    throw await refuse(t('The document has changed in the meantime. Nothing was inserted'))
  const value = held.value(reference).reveal()
  const isEnv = isEnvDocument(document)
  const text = isEnv ? quoteEnvValue(value) : value
  if (text === null) throw await refuse(t('A .env file cannot represent this value. Insert a reference instead'))
  await replaceSelections(editor, isEnv && isEmptyLine(editor) ? `${keyOf(name)}=${text}` : text)
  const message = t(
    'The value is now in the file in plain text. Rotate the secret when you no longer need it here: undo does not remove every copy',
  )
  void vscode.window.showWarningMessage(`Postern: ${message}`)
}

/** Replaces the text at every cursor in one edit, which one undo reverts. */
async function replaceSelections(editor: vscode.TextEditor, text: string): Promise<void> {
  const done = await editor.edit((edit) => {
    for (const selection of editor.selections) edit.replace(selection, text)
  })
  if (!done) throw await refuse(vscode.l10n.t('The document is read-only or could not be edited'))
}

function isEmptyLine({ document, selection }: vscode.TextEditor): boolean {
  return document.lineAt(selection.active.line).isEmptyOrWhitespace
}

function nowhere(): vscode.CancellationError {
  const message = vscode.l10n.t('Open a file and place the cursor where the secret belongs')
  void vscode.window.showInformationMessage(`Postern: ${message}`)
  return new vscode.CancellationError()
}

async function refuse(message: string): Promise<vscode.CancellationError> {
  void vscode.window.showWarningMessage(`Postern: ${plain(message)}`)
  return new vscode.CancellationError()
}
