/** An editor that is not as usual: a folder that is not trusted, another language, and the first page of a new user. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { canary } from '../../support/canary.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { attend, signIn, startAt } from './attend.ts'
import type { Editor, EditorOptions } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'
import { searchBrowser, searchFiles, searchHost } from './sweep.ts'
import { until } from './until.ts'

const secret = canary()
const ENV = 'DB_URL=postern://default/dev/db\nGONE=postern://default/dev/gone\n'

let postern: Postern
let editor: Editor | null = null

beforeAll(async () => {
  postern = await startPostern({ 'dev/db': secret })
})

attend(() => [editor, postern])

/** One editor at a time. */
async function start(options: EditorOptions): Promise<Editor> {
  await editor?.close()
  editor = null
  editor = await startAt(postern.endpoint, { files: { '.env': ENV }, ...options })
  return editor
}

/** What the server was asked for, by its log. */
async function asked(): Promise<string[]> {
  const { entries } = await wholeLog(postern.admin)
  return entries.map(({ operation }) => operation)
}

describe('in Restricted Mode', { timeout: 120_000 }, () => {
  let one: Editor

  beforeAll(async () => {
    one = await start({ restricted: true, settings: { 'postern.allowWriteToDisk': true } })
    await signIn(one, postern.token)
  })

  it('names are shown, and no command fetches a value', async () => {
    expect(await one.evaluate((vscode) => vscode.workspace.isTrusted)).toBe(false)
    const before = (await asked()).length
    await one.page.locator('.activitybar a[aria-label^="Postern"]').click()
    await one.page.locator('.pane-body .monaco-list-row').filter({ hasText: 'dev/' }).first().waitFor()
    const env = join(one.workspace, '.env')
    await one.evaluate(async (vscode, path) => void (await vscode.window.showTextDocument(vscode.Uri.file(path))), env)
    const target = { reference: 'postern://default/dev/db' }
    const commands: [string, unknown][] = [
      ['postern.openHydratedEnv', undefined],
      ['postern.peek', target],
      ['postern.copy', target],
      ['postern.compareEnvironments', undefined],
      ['postern.newShell', undefined],
      ['postern.runInTerminal', undefined],
      ['postern.writeEnvFile', undefined],
      ['postern.handOver', { envFile: '.env' }],
    ]
    for (const [command, given] of commands) {
      await one.evaluate(
        (vscode, id, argument) => {
          // As any other extension may: not from a menu, which is switched off.
          void vscode.commands.executeCommand(id, argument).then(undefined, () => {})
        },
        command,
        given,
      )
      // It asks which two first.
      if (command === 'postern.compareEnvironments') {
        await one.page.locator('.quick-input-title').filter({ hasText: 'Which two environments' }).waitFor()
        await one.page.waitForTimeout(500)
        await one.page.keyboard.press('Enter')
      }
      await one.notified(
        'Postern fetches no values in Restricted Mode',
        command === 'postern.peek' ? '60-restricted' : undefined,
      )
    }
    const operations = (await asked()).slice(before)
    expect(operations).toContain('secret.list')
    expect(operations.filter((operation) => /read|provided/.test(operation))).toEqual([])
    expect(await searchHost(one, [secret])).toEqual([])
    expect(await searchBrowser(one, [secret])).toEqual([])
    expect(searchFiles(one.home, [secret])).toEqual([])
  })

  it('values come once the folder is trusted', async () => {
    await one.evaluate((vscode) => void vscode.commands.executeCommand('workbench.trust.manage'))
    await one.page.getByRole('button', { name: 'Trust', exact: true }).first().click()
    await until(() => one.evaluate((vscode) => vscode.workspace.isTrusted), 'trust')
    await one.evaluate((vscode) => {
      const [folder] = vscode.workspace.workspaceFolders!
      return vscode.commands.executeCommand('postern.openHydratedEnv', vscode.Uri.joinPath(folder!.uri, '.env'))
    })
    const text = await one.evaluate((vscode) => vscode.window.activeTextEditor?.document.getText())
    expect(text).toBe('DB_URL=••••••••\nGONE=✗ No secret with this name\n')
  })
})

describe('in German', { timeout: 120_000 }, () => {
  let one: Editor

  beforeAll(async () => {
    one = await start({ locale: 'de' })
  })

  it('commands, questions, hints, marks and names of tabs are', async () => {
    await one.command('Postern: Anmelden')
    await one.answer('Welcher Postern-Server', 'here')
    await one.answer('Anmelden bei', postern.token)
    await one.notified('Angemeldet als')
    await one.evaluate((vscode) => {
      const [folder] = vscode.workspace.workspaceFolders!
      return vscode.commands.executeCommand('postern.openHydratedEnv', vscode.Uri.joinPath(folder!.uri, '.env'))
    })
    const shown = await one.evaluate(async (vscode) => {
      const { document } = vscode.window.activeTextEditor!
      const whole = new vscode.Range(0, 0, document.lineCount, 0)
      type Hint = { label: { value: string }[] }
      const hints = await vscode.commands.executeCommand<Hint[]>('vscode.executeInlayHintProvider', document.uri, whole)
      return [vscode.env.language, document.getText(), hints[0]?.label[0]?.value, document.languageId]
    })
    expect(shown).toEqual([
      'de',
      'DB_URL=••••••••\nGONE=✗ Kein Geheimnis mit diesem Namen\n',
      expect.stringMatching(/^✓ sealed · v1 · \d+ Min alt$/),
      'dotenv',
    ])
    expect(await one.page.locator('.tab.active .label-name').innerText()).toBe('.env (dev, aufgelöst)')
    await one.page.locator('.activitybar a[aria-label^="Postern"]').click()
    await one.page.locator('.pane-header').filter({ hasText: 'Geheimnisse' }).first().waitFor()
    await one.shot('61-german')
  })

  it('the first page of a new user opens from the button that a new user sees', async () => {
    await one.evaluate(async (vscode) => {
      await vscode.commands.executeCommand('postern.signOut')
      await vscode.commands.executeCommand('workbench.view.extension.postern')
    })
    const page = one.page.locator('.gettingStartedContainer')
    // The editor reads walkthroughs some time after it has started, and shows its own until then.
    await until(async () => {
      await one.page.locator('.welcome-view-content').getByText('Zum Rundgang').first().click()
      await one.page.waitForTimeout(1500)
      return page.getByText('Geheimnisse im Editor, nie in einem Dokument').first().isVisible()
    }, 'the walkthrough')
    await one.page.frameLocator('iframe.webview').frameLocator('iframe').getByText('Ein Server, ein Token').waitFor()
    await one.shot('62-walkthrough')
  })
})
