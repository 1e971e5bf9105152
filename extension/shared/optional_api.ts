/**
 * Parts of the editor's API that are newer than the oldest supported version. Each is checked before use, by a name that
 * `bundling.ts` lists, because the bundle imports each name of the API separately.
 *
 * @module
 */
import * as vscode from 'vscode'

/** The API for paste edits, since VS Code 1.97. */
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

/** An edit that the editor offers in place of the plain paste. */
export interface PasteEdit {
  insertText: string | vscode.SnippetString
  title: string
  additionalEdit?: vscode.WorkspaceEdit
}

interface PasteClasses {
  DocumentPasteEdit: new (insertText: string, title: string, kind: unknown) => PasteEdit
  DocumentDropOrPasteEditKind: { Empty: { append(...parts: string[]): unknown } }
}

/** Returns the API for paste edits, or `null` in an older editor. */
export function pasteApi(): (PasteApi & PasteClasses) | null {
  const { registerDocumentPasteEditProvider } = vscode.languages as unknown as Partial<PasteApi>
  const DocumentPasteEdit = (vscode as Partial<PasteClasses>).DocumentPasteEdit
  const DocumentDropOrPasteEditKind = (vscode as Partial<PasteClasses>).DocumentDropOrPasteEditKind
  if (!registerDocumentPasteEditProvider || !DocumentPasteEdit || !DocumentDropOrPasteEditKind) return null
  return { registerDocumentPasteEditProvider, DocumentPasteEdit, DocumentDropOrPasteEditKind }
}

/** A tool for language models, since VS Code 1.95. */
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

/** Returns the API for tools of language models, or `null` in an older editor. */
export function toolApi(): ToolApi | null {
  const { registerTool } = ((vscode as { lm?: unknown }).lm ?? {}) as Partial<ToolApi>
  const Result = (vscode as Partial<ToolClasses>).LanguageModelToolResult
  const Text = (vscode as Partial<ToolClasses>).LanguageModelTextPart
  if (!registerTool || !Result || !Text) return null
  return { registerTool, result: (text) => new Result([new Text(text)]) }
}
