/**
 * Handles pasting and dropping. Postern offers to store a pasted secret in the vault. A secret that the user drags from the tree
 * becomes a reference.
 *
 * @module
 */
import * as vscode from 'vscode'
import { looksSecret } from '../../core/text/detect.ts'
import { HYDRATED } from '../hydration/documents.ts'
import type { IgnoredFindings } from '../language/ignored_findings.ts'
import { isDetecting } from '../settings.ts'
import { pasteApi } from '../shared/optional_api.ts'
import type { KnownValues } from '../values/known_values.ts'

interface Services {
  known: KnownValues
}

/** The MIME type of the reference that a drag from the tree carries. */
export const REFERENCE_MIME = 'application/vnd.code.tree.postern.secrets'

/** Registers the edits for dropped and pasted secrets. */
export function registerPaste(services: Services, ignored: IgnoredFindings): vscode.Disposable {
  const drop = vscode.languages.registerDocumentDropEditProvider(
    { pattern: '**' },
    {
      async provideDocumentDropEdits(_document, _position, data) {
        const reference = await data.get(REFERENCE_MIME)?.asString()
        return reference?.startsWith('postern://') ? new vscode.DocumentDropEdit(reference) : undefined
      },
    },
  )
  return vscode.Disposable.from(drop, pasteGuard(services, ignored))
}

function pasteGuard(services: Services, ignored: IgnoredFindings): vscode.Disposable {
  const api = pasteApi()
  if (api === null) return new vscode.Disposable(() => {})
  const kind = api.DocumentDropOrPasteEditKind.Empty.append('postern', 'secret')
  return api.registerDocumentPasteEditProvider(
    [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-remote' }, { scheme: 'vscode-vfs' }],
    {
      async provideDocumentPasteEdits(document, ranges, data) {
        if (document.uri.scheme === HYDRATED || !isDetecting(document.uri)) return undefined
        const text = (await data.get('text/plain')?.asString())?.trim() ?? ''
        const known = await services.known.referenceOf(text)
        if (known !== null)
          return [new api.DocumentPasteEdit(known, vscode.l10n.t('Paste as a reference to this secret'), kind)]
        if (ranges.length !== 1 || !looksSecret(text) || (await ignored.has(text))) return undefined
        warnOf(document, ranges[0]!, text)
        return undefined
      },
    },
    { providedPasteEditKinds: [kind], pasteMimeTypes: ['text/plain'] },
  )
}

/** Offers to move a pasted text into the vault. It does not block the paste, because the text may not be a secret. */
function warnOf(document: vscode.TextDocument, range: vscode.Range, text: string): void {
  const { t } = vscode.l10n
  const store = t('Store in Vault')
  const message = t('What you pasted looks like a secret')
  void vscode.window.showWarningMessage(`Postern: ${message}`, store).then((chosen) => {
    if (chosen !== store) return
    const at = document.getText().indexOf(text, document.offsetAt(range.start))
    if (at < 0) return
    const pasted = new vscode.Range(document.positionAt(at), document.positionAt(at + text.length))
    void vscode.commands.executeCommand('postern.storeSelection', document.uri, pasted)
  })
}
