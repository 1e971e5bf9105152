/**
 * How fast the editor's parts are: `npm run bench:extension`. The first half needs no editor; the rest runs in a real one.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Redacted } from '../../core/redacted.ts'
import { detect, MAX_SCANNED_CHARS } from '../../extension/text/detect.ts'
import { NameIndex } from '../../extension/text/names.ts'
import { startEditor } from '../editor/editor.ts'
import { startPostern } from '../editor/postern.ts'

const NAMES = 10_000
const REFERENCES = 200

function say(what: string, ms: number, goal: number): void {
  process.stdout.write(`${what.padEnd(52)} ${ms.toFixed(1).padStart(8)} ms   goal ${goal} ms\n`)
}

function median(runs: number, work: () => unknown): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  })
  return times.sort((a, b) => a - b)[runs >> 1]!
}

/** The median that the extension's own log tells. */
function fetched(home: string): number {
  const logs = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('Postern.log'))
  const text = logs.map((path) => readFileSync(join(home, path), 'utf8')).join('\n')
  const times = [...text.matchAll(/hydrated \{"references":200,"ms":(\d+)\}/g)].map(([, ms]) => Number(ms))
  return times.sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN
}

const line = 'const databasePassword = "k3J9x!mQ2pLw8", url = process.env.URL // see postern://vault/name\n'
const source = line.repeat(Math.ceil(MAX_SCANNED_CHARS / line.length))
say(
  'detection, 256 KB of dense source',
  median(9, () => detect(source)),
  50,
)
const names = Array.from({ length: NAMES }, (_, i) => ({ name: `app-${i % 100}/service-${i % 1000}/key-${i}` }))
const index = new NameIndex(names)
say(
  'names below a prefix, of 10,000',
  median(99, () => index.children('app-7/')),
  20,
)

const postern = await startPostern({})
for (let at = 0; at < NAMES; at += 50) {
  await Promise.all(names.slice(at, at + 50).map(({ name }) => postern.admin.put(name, new Redacted('value'))))
}
const references = names.slice(0, REFERENCES).map(({ name }, i) => `K${i}=postern://default/${name}`)
const settings = { 'postern.endpoints': { here: postern.endpoint } }
// Under a name that wakes nothing: activation is measured, not had before.
const editor = await startEditor({
  settings,
  files: { 'many.txt': `${references.join('\n')}\n`, 'typed.txt': 'postern://default/app-7/\n' },
})
try {
  const activation = await editor.evaluate(async (vscode) => {
    const extension = vscode.extensions.getExtension('postern.postern')!
    if (extension.isActive) return Number.NaN
    const start = performance.now()
    await extension.activate()
    return performance.now() - start
  })
  say('activation, loading included', activation, 50)
  await editor.command('Postern: Sign In')
  await editor.answer('Which Postern server', 'here')
  await editor.answer('Sign in to', postern.token)
  await editor.notified('Signed in')
  const completion = await editor.evaluate(async (vscode) => {
    const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, 'typed.txt')
    const document = await vscode.workspace.openTextDocument(uri)
    const times: number[] = []
    for (let i = 0; i < 11; i++) {
      const start = performance.now()
      await vscode.commands.executeCommand(
        'vscode.executeCompletionItemProvider',
        uri,
        document.lineAt(0).range.end,
        '/',
      )
      times.push(performance.now() - start)
    }
    // The first one fetches the names.
    return times.slice(1).sort((a, b) => a - b)[5]!
  })
  say('completion at 10,000 names, all providers', completion, 20)
  const hydration = await editor.evaluate(async (vscode) => {
    const [folder] = vscode.workspace.workspaceFolders!
    const env = vscode.Uri.joinPath(folder!.uri, 'many.env')
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(folder!.uri, 'many.txt'), env)
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const start = performance.now()
      await vscode.commands.executeCommand('postern.openHydratedEnv', env)
      times.push(performance.now() - start)
    }
    return times.sort((a, b) => a - b)[2]!
  })
  say('a .env of 200 references: hydrated and shown', hydration, 150)
  say('of that, fetched and fingerprinted', fetched(editor.home), 150)
} finally {
  await editor.close()
  await postern.close()
}
