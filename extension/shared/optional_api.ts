/**
 * Parts of the editor's API that came after the oldest version that we run on. Each is looked for before it is used, by a
 * name that `bundling.ts` knows: the API is never taken as a whole.
 *
 * @module
 */
import * as vscode from 'vscode'

/** Paste edits (1.97). */
export interface PasteApi {
  registerDocumentPasteEditProvider(
    selector: vscode.DocumentSelector,
    provider: {
      provideDocumentPasteEdits(
        document: vscode.TextDocument,
        ranges: readonly vscode.Range[],
        data: vscode.DataTransfer,
        context: unknown,
        token: vscode.CancellationToken,
      ): Promise<PasteEdit[] | undefined>
    },
    metadata: { providedPasteEditKinds: unknown[]; pasteMimeTypes: string[] },
  ): vscode.Disposable
}

export interface PasteEdit {
  insertText: string | vscode.SnippetString
  title: string
  additionalEdit?: vscode.WorkspaceEdit
}

interface PasteClasses {
  DocumentPasteEdit: new (insertText: string, title: string, kind: unknown) => PasteEdit
  DocumentDropOrPasteEditKind: { Empty: { append(...parts: string[]): unknown } }
}

/** Paste edits, or `null` where the editor has none. */
export function pasteApi(): (PasteApi & PasteClasses) | null {
  const { registerDocumentPasteEditProvider } = vscode.languages as unknown as Partial<PasteApi>
  const DocumentPasteEdit = (vscode as Partial<PasteClasses>).DocumentPasteEdit
  const DocumentDropOrPasteEditKind = (vscode as Partial<PasteClasses>).DocumentDropOrPasteEditKind
  if (!registerDocumentPasteEditProvider || !DocumentPasteEdit || !DocumentDropOrPasteEditKind) return null
  return { registerDocumentPasteEditProvider, DocumentPasteEdit, DocumentDropOrPasteEditKind }
}

/** A tool for language models (1.95). */
export interface Tool<T> {
  prepareInvocation?(options: { input: T }): {
    invocationMessage: string
    confirmationMessages?: { title: string; message: string | vscode.MarkdownString }
  }
  invoke(options: { input: T }, token: vscode.CancellationToken): Promise<unknown>
}

interface ToolApi {
  registerTool<T>(name: string, tool: Tool<T>): vscode.Disposable
  result(text: string): unknown
}

interface ToolClasses {
  LanguageModelToolResult: new (parts: unknown[]) => unknown
  LanguageModelTextPart: new (text: string) => unknown
}

/** Tools for language models, or `null` where the editor has none. */
export function toolApi(): ToolApi | null {
  const { registerTool } = ((vscode as { lm?: unknown }).lm ?? {}) as Partial<ToolApi>
  const Result = (vscode as Partial<ToolClasses>).LanguageModelToolResult
  const Text = (vscode as Partial<ToolClasses>).LanguageModelTextPart
  if (!registerTool || !Result || !Text) return null
  return { registerTool, result: (text) => new Result([new Text(text)]) }
}
