/**
 * Looks for values in every place that an editor keeps or shows anything.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { leaks } from '../../support/canary.ts'
import type { Editor } from './editor.ts'

/** Where one of the values was found, in whichever form. */
export interface Found {
  where: string
  forms: string[]
}

/** The forms that {@link leaks} knows, and UTF-16 as well. */
export function search(where: string, text: string | Uint8Array, values: readonly string[]): Found[] {
  const forms = leaks(text, values)
  const bytes = Buffer.from(text as Uint8Array)
  forms.push(...values.filter((value) => bytes.includes(Buffer.from(value, 'utf16le'))))
  return forms.length > 0 ? [{ where, forms }] : []
}

/** All files below a folder: user data, backups, history, logs, workspace storage, the workspace. */
export function searchFiles(folder: string, values: readonly string[], except: RegExp = /^$/): Found[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((path) => {
    const file = join(folder, path)
    if (except.test(path) || !statSync(file, { throwIfNoEntry: false })?.isFile()) return []
    return search(`file ${path}`, readFileSync(file), values)
  })
}

/** Console, requests and web sockets, from a mark on. */
export function searchTraffic(
  editor: Editor,
  values: readonly string[],
  from = 0,
  to = editor.traffic.length,
): Found[] {
  return editor.traffic.slice(from, to).flatMap((one, i) => search(`traffic ${from + i}`, one, values))
}

/** What the browser keeps. */
export async function searchBrowser({ page }: Editor, values: readonly string[]): Promise<Found[]> {
  const kept = await page.evaluate(async () => {
    const databases = await indexedDB.databases()
    const dumps = await Promise.all(
      databases.map(
        ({ name }) =>
          new Promise<unknown>((resolve) => {
            const request = indexedDB.open(name!)
            request.onerror = () => resolve(null)
            request.onsuccess = async () => {
              const database = request.result
              const stores = [...database.objectStoreNames].map(
                (store) =>
                  new Promise((done) => {
                    const all = database.transaction(store).objectStore(store).getAll()
                    all.onsuccess = () => done([store, all.result])
                    all.onerror = () => done(null)
                  }),
              )
              resolve([name, await Promise.all(stores)])
              database.close()
            }
          }),
      ),
    )
    return JSON.stringify({
      local: { ...localStorage },
      session: { ...sessionStorage },
      dumps,
      html: document.body.innerHTML,
    })
  })
  return search('browser', kept, values)
}

/** What any other extension could read: documents, results of providers, terminals, debugging, settings, diagnostics. */
export async function searchHost(editor: Editor, values: readonly string[]): Promise<Found[]> {
  const seen = await editor.evaluate(async (vscode) => {
    const things: [string, string][] = []
    // An object of the API may refer to itself.
    const text = (value: unknown) => {
      const known = new Set<unknown>()
      return JSON.stringify(value, (_, one) => {
        if (typeof one !== 'object' || one === null) return one
        if (known.has(one)) return undefined
        known.add(one)
        return one
      })
    }
    for (const document of vscode.workspace.textDocuments) {
      const { uri } = document
      if (['output', 'vscode'].includes(uri.scheme)) continue
      things.push([`document ${uri}`, document.getText()])
      const whole = new vscode.Range(0, 0, document.lineCount, 0)
      const lines = Array.from({ length: Math.min(document.lineCount, 50) }, (_, i) => document.lineAt(i).range.end)
      const ask = async (name: string, ...args: unknown[]) => {
        const result = await vscode.commands.executeCommand(name, uri, ...args).then(undefined, () => null)
        things.push([`${name} ${uri}`, text(result) ?? ''])
      }
      await ask('vscode.executeInlayHintProvider', whole)
      await ask('vscode.executeCodeLensProvider', 50)
      await ask('vscode.executeLinkProvider', 50)
      await ask('vscode.executeCodeActionProvider', whole)
      await ask('vscode.executeDocumentSymbolProvider')
      for (const line of lines) {
        await ask('vscode.executeHoverProvider', line)
        await ask('vscode.executeCompletionItemProvider', line, undefined, 20)
        await ask('vscode.executeDefinitionProvider', line)
      }
    }
    things.push(['diagnostics', text(vscode.languages.getDiagnostics())])
    things.push([
      'terminals',
      text(vscode.window.terminals.map(({ creationOptions, name, state }) => [creationOptions, name, state])),
    ])
    things.push(['debug', text([vscode.debug.activeDebugSession?.configuration, vscode.debug.breakpoints])])
    things.push([
      'tasks',
      text(vscode.tasks.taskExecutions.map(({ task }) => [task.definition, task.name, task.detail])),
    ])
    things.push(['settings', text(vscode.workspace.getConfiguration())])
    return things
  })
  return seen.flatMap(([where, text]) => search(where, text, values))
}
