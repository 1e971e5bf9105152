/** The other ways to come into an editor: as a package, and as a bundle in a web worker. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canary } from '../../support/canary.ts'
import { freePort } from '../../support/ports.ts'
import { type Editor, OUTPUT, ROOT, startEditor } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'
import { searchBrowser, searchHost } from './sweep.ts'

const secret = canary()
const ENV = 'DB_URL=postern://default/dev/db\n'

/** Ends the server when the editor does not start. */
async function orClose(postern: Postern, starting: Promise<Editor>): Promise<Editor> {
  return starting.catch(async (error) => {
    await postern.close()
    throw error
  })
}

/** Signs in and hydrates, as it goes in every host. */
async function firstHydration(editor: Editor, postern: Postern) {
  await editor.command('Postern: Sign In')
  await editor.answer('Address of your', postern.endpoint)
  await editor.answer('Sign in to', postern.token)
  await editor.notified('Signed in')
  await editor.evaluate(async (vscode) => {
    const [folder] = vscode.workspace.workspaceFolders!
    await vscode.commands.executeCommand('postern.openHydratedEnv', vscode.Uri.joinPath(folder!.uri, '.env'))
  })
  return editor.evaluate(async (vscode) => {
    const document = vscode.window.activeTextEditor!.document
    const range = new vscode.Range(0, 0, document.lineCount, 0)
    type Hint = { label: { value: string }[] }
    const hints = await vscode.commands.executeCommand<Hint[]>('vscode.executeInlayHintProvider', document.uri, range)
    return { scheme: document.uri.scheme, text: document.getText(), hint: hints[0]?.label[0]?.value }
  })
}

const hydrated = {
  scheme: 'postern-env',
  text: 'DB_URL=••••••••\n',
  hint: expect.stringMatching(/^✓ sealed · v1/),
}

describe('the package', { timeout: 180_000 }, () => {
  it('installs, activates and hydrates', async () => {
    const vsix = join(OUTPUT, 'postern.vsix')
    execFileSync('node', [join(ROOT, 'extension/build/package.ts'), vsix], { stdio: 'pipe' })
    const postern = await startPostern({ 'dev/db': secret })
    const editor = await orClose(postern, startEditor({ as: 'vsix', vsix, files: { '.env': ENV } }))
    try {
      const path = await editor.evaluate((vscode) => vscode.extensions.getExtension('postern.postern')?.extensionPath)
      expect(path).toContain(join(editor.home, 'extensions'))
      expect(await firstHydration(editor, postern)).toEqual(hydrated)
      expect(await searchHost(editor, [secret])).toEqual([])
    } finally {
      await editor.close()
      await postern.close()
    }
  })
})

describe('the browser bundle', { timeout: 180_000 }, () => {
  it('signs in and hydrates in a web worker, and says what a browser cannot do', async () => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const postern = await startPostern({ 'dev/db': secret }, { POSTERN_SECURITY__ALLOWED_ORIGINS: origin })
    const editor = await orClose(postern, startEditor({ as: 'web', port, files: { '.env': ENV } }))
    try {
      const kind = await editor.evaluate((vscode) => [
        vscode.extensions.getExtension('postern.postern')?.extensionUri.scheme,
        typeof process === 'undefined',
      ])
      expect(kind).toEqual(['http', true])
      expect(await firstHydration(editor, postern)).toEqual(hydrated)
      await editor.evaluate((vscode) => void vscode.commands.executeCommand('postern.runInTerminal'))
      await editor.notified('a browser cannot run programs', '20-web')
      expect(await searchHost(editor, [secret])).toEqual([])
      expect(await searchBrowser(editor, [secret])).toEqual([])
    } finally {
      await editor.close()
      await postern.close()
    }
  })
})
