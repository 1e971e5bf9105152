/**
 * The extension on a desktop, where its download is possible: it activates, hydrates masked, and leaks nothing into
 * documents. `npx node test/system/editor/electron.ts`.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { runTests } from '@vscode/test-electron'
import { build } from 'esbuild'
import { listen } from './control.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const home = mkdtempSync(join(tmpdir(), 'postern-electron-'))
const workspace = join(home, 'workspace')
mkdirSync(workspace)
writeFileSync(join(workspace, '.env'), 'DB_PASSWORD=k3J9xmQ2pLw8\n')
const control = await listen()
const suite = join(home, 'suite.js')
await build({
  entryPoints: [join(import.meta.dirname, 'suite.ts')],
  bundle: true,
  format: 'cjs',
  external: ['vscode'],
  define: { CONTROL: JSON.stringify(control.url) },
  outfile: suite,
})

async function check(): Promise<boolean> {
  await control.ready
  const state = await control.evaluate(async (vscode) => {
    const extension = vscode.extensions.getExtension('postern.postern')
    await extension?.activate()
    const [folder] = vscode.workspace.workspaceFolders!
    await vscode.commands.executeCommand('postern.openHydratedEnv', vscode.Uri.joinPath(folder!.uri, '.env'))
    const { document } = vscode.window.activeTextEditor!
    return { active: extension?.isActive, scheme: document.uri.scheme, text: document.getText() }
  })
  return state.active === true && state.scheme === 'postern-env' && !state.text.includes('k3J9xmQ2pLw8')
}

try {
  const checked = check().finally(() => control.close())
  const running = runTests({
    extensionDevelopmentPath: join(ROOT, 'extension/dist'),
    extensionTestsPath: suite,
    launchArgs: [workspace, '--disable-workspace-trust', '--user-data-dir', join(home, 'data')],
  })
  // Take the first to end, because an editor that could not be downloaded never asks for a job.
  const passed = await Promise.race([checked, running.then(() => checked)])
  await running
  process.stdout.write(passed ? '1 passed, 0 failed\n' : '0 passed, 1 failed\n')
  process.exitCode = passed ? 0 : 1
} catch {
  process.stderr.write(
    'The desktop editor could not be downloaded or started: this needs update.code.visualstudio.com\n',
  )
  process.exitCode = 1
} finally {
  await control.close()
  rmSync(home, { recursive: true, force: true })
}
