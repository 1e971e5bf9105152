/**
 * How fast the editor's parts are: `npx node test/perf/bench/extension.ts`. The first half needs no editor; the rest runs in a real one.
 *
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Redacted } from '../../../core/redacted.ts'
import { detect, MAX_SCANNED_CHARS } from '../../../core/text/detect.ts'
import { NameIndex } from '../../../core/text/names.ts'
import { type Editor, startEditor } from '../../system/editor/editor.ts'
import { startPostern } from '../../system/editor/postern.ts'

const NAMES = 10_000
const REFERENCES = 200

/** Prints a line. A measurement without a goal is the editor's own share, which Postern cannot reduce. */
function say(what: string, ms: number, goal?: number): void {
  process.stdout.write(`${what.padEnd(52)} ${ms.toFixed(1).padStart(8)} ms${goal ? `   goal ${goal} ms` : ''}\n`)
}

function median(runs: number, work: () => unknown): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  })
  return times.sort((a, b) => a - b)[runs >> 1]!
}

/** An extension that does nothing: what it costs is the host's. */
function emptyExtension(): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-empty-'))
  const manifest = {
    name: 'empty',
    publisher: 'test',
    version: '1.0.0',
    engines: { vscode: '^1.91.0' },
    main: 'main.js',
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, activationEvents: [] }))
  writeFileSync(join(folder, 'main.js'), 'exports.activate = () => {}')
  return folder
}

/** Measures the activation of an extension as a user sees it, including the messages to the window and back. */
function activate(editor: Editor, id: string): Promise<number> {
  return editor.evaluate(async (vscode, id) => {
    const extension = vscode.extensions.getExtension(id)!
    if (extension.isActive) return Number.NaN
    const start = performance.now()
    await extension.activate()
    return performance.now() - start
  }, id)
}

/** What the editor itself has measured, in whole milliseconds: its report "Startup Performance" has it in a table. */
async function activationTimes(editor: Editor, id: string): Promise<{ load: number; call: number; finish: number }> {
  const report = await editor.evaluate(async (vscode) => {
    await vscode.commands.executeCommand('perfview.show')
    for (let tries = 0; tries < 100; tries++) {
      const text = vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'perf')?.getText() ?? ''
      if (text.includes('Extension Activation Stats')) return text
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return ''
  })
  const row = report.split('\n').find((line) => line.startsWith(`| ${id} `)) ?? ''
  const [, , , load, call, finish] = row.split('|').map(Number)
  return { load: load ?? Number.NaN, call: call ?? Number.NaN, finish: finish ?? Number.NaN }
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
const empty = emptyExtension()
const plain = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`plain-${i}.txt`, `${references.join('\n')}\n`]))
const editor = await startEditor({
  settings,
  files: { 'many.txt': `${references.join('\n')}\n`, 'typed.txt': 'postern://default/app-7/\nnothing/\n', ...plain },
  others: { 'test.empty-1.0.0': empty },
})
try {
  say('activation of an empty extension, on request', await activate(editor, 'test.empty'))
  say('activation of Postern, on request', await activate(editor, 'postern.postern'))
  for (const id of ['test.empty', 'postern.postern']) {
    const { load, call, finish } = await activationTimes(editor, id)
    say(`${id}: load code`, load)
    say(`${id}: call activate`, call)
    say(`${id}: finish activate`, finish)
    say(`${id}: activation, as the editor counts it`, load + call, 50)
  }
  await editor.command('Postern: Sign In')
  await editor.answer('Which Postern server', 'here')
  await editor.answer('Sign in to', postern.token)
  await editor.notified('Signed in')
  const completion = await editor.evaluate(async (vscode) => {
    const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, 'typed.txt')
    const document = await vscode.workspace.openTextDocument(uri)
    const medianAt = async (line: number) => {
      const times: number[] = []
      for (let i = 0; i < 21; i++) {
        const start = performance.now()
        const { end } = document.lineAt(line).range
        await vscode.commands.executeCommand('vscode.executeCompletionItemProvider', uri, end, '/')
        times.push(performance.now() - start)
      }
      // The first one fetches the names.
      return times.slice(1).sort((a, b) => a - b)[10]!
    }
    return { ours: await medianAt(0), others: await medianAt(1) }
  })
  say('completion at 10,000 names, all providers', completion.ours, 20)
  say('of that, where ours have nothing to say', completion.others)
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
    const others: number[] = []
    for (let i = 0; i < 5; i++) {
      const start = performance.now()
      await vscode.window.showTextDocument(vscode.Uri.joinPath(folder!.uri, `plain-${i}.txt`), { preview: false })
      others.push(performance.now() - start)
    }
    return { first: times[0]!, again: times.sort((a, b) => a - b)[2]!, plain: others.sort((a, b) => a - b)[2]! }
  })
  say('a .env of 200 references: hydrated and shown first', hydration.first, 150)
  say('a .env of 200 references: again, median of five', hydration.again, 150)
  say('a text of its size that is only shown', hydration.plain)
  say('of that, fetched and fingerprinted', fetched(editor.home), 150)
} finally {
  await editor.close()
  await postern.close()
  rmSync(empty, { recursive: true })
}
