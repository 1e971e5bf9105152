/** Pasting and dragging. A known value becomes a reference, and text that looks like a secret can be stored. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { canary } from '../../support/canary.ts'
import { attend, signIn, startAt } from './attend.ts'
import type { Editor } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'
import { searchFiles, searchHost } from './sweep.ts'
import { until } from './until.ts'

const known = canary()
/** In the shape of a token of GitHub, with a right checksum or not: it is one to look at. */
const LOOKS = `ghp_${'0123456789abcdefghijABCDEFGHIJ'}123456`

let postern: Postern
let editor: Editor

beforeAll(async () => {
  postern = await startPostern({ 'dev/known': known, 'dev/other': 'x' })
  editor = await startAt(postern.endpoint, {
    files: { '.env': 'KNOWN=postern://default/dev/known\n', 'notes.txt': '\n', 'app.py': 'token = ""\n' },
  })
  await signIn(editor, postern.token)
})

attend(() => [editor, postern])

async function open(file: string, line = 0, character = 0): Promise<void> {
  await editor.evaluate(
    async (vscode, path, ...place) => {
      const shown = await vscode.window.showTextDocument(vscode.Uri.file(path))
      const at = new vscode.Position(...place)
      shown.selection = new vscode.Selection(at, at)
    },
    join(editor.workspace, file),
    line,
    character,
  )
}

/** As a user: from the clipboard, by the key. */
async function paste(text: string): Promise<void> {
  await editor.page.evaluate((given) => navigator.clipboard.writeText(given), text)
  await editor.page
    .locator('.editor-group-container.active .monaco-editor')
    .first()
    .click({ position: { x: 300, y: 5 } })
  await editor.page.keyboard.press('Control+Home')
  await editor.page.keyboard.press('Control+V')
}

const text = () => editor.evaluate((vscode) => vscode.window.activeTextEditor!.document.getText())

describe('pasting', () => {
  it('the value of a secret that was seen pastes a reference to it', async () => {
    await open('.env')
    await editor.evaluate((vscode) => vscode.commands.executeCommand('postern.openHydratedEnv'))
    await open('notes.txt')
    await paste(known)
    await until(async () => (await text()).includes('postern://'), 'the reference')
    expect(await text()).toBe('postern://default/dev/known\n')
    await editor.shot('70-pasted')
    expect(await searchHost(editor, [known])).toEqual([])
    await editor.evaluate((vscode) => vscode.commands.executeCommand('workbench.action.files.save'))
    expect(searchFiles(editor.home, [known])).toEqual([])
  })

  it('inserts text that looks like a secret, and offers to store it in the vault', async () => {
    await open('app.py', 0, 9)
    // The place comes to the page some time after it was set here, and a paste does not survive that it moves.
    await editor.page.locator('.statusbar-item').filter({ hasText: 'Ln 1, Col 10' }).waitFor()
    await editor.page.evaluate((given) => navigator.clipboard.writeText(given), LOOKS)
    await editor.page.keyboard.press('Control+V')
    await until(async () => (await text()).includes('ghp_'), 'the paste')
    expect(await text()).toBe(`token = "${LOOKS}"\n`)
    await editor.page.waitForTimeout(1000)
    await editor.evaluate((vscode) => vscode.commands.executeCommand('notifications.showList'))
    const notice = editor.page.locator('.notification-list-item').filter({ hasText: 'looks like a secret' }).first()
    await notice.waitFor()
    await editor.shot('71-looks')
    await notice.getByRole('button', { name: 'Store in Vault' }).click()
    await editor.answer('Store as Secret', 'dev/token')
    await until(async () => (await postern.admin.get('dev/token')).value.reveal() === LOOKS, 'the secret')
    await until(async () => !(await text()).includes(LOOKS), 'the replacement')
    await editor.shot('72-stored')
  })

  it('leaves any other text alone', async () => {
    await open('notes.txt')
    await paste('nothing of importance ')
    await until(async () => (await text()).startsWith('nothing of importance '), 'the paste')
    await editor.page.waitForTimeout(1000)
    await editor.evaluate((vscode) => vscode.commands.executeCommand('notifications.showList'))
    expect(await editor.page.locator('.notification-list-item').filter({ hasText: 'looks like' }).count()).toBe(0)
  })
})

describe('dragging', () => {
  it('a secret from the tree into a text puts a reference there', async () => {
    await open('notes.txt')
    await editor.page.locator('.activitybar a[aria-label^="Postern"]').click()
    const rows = editor.page.locator('.pane-body .monaco-list-row')
    await rows.filter({ hasText: 'dev/' }).first().click()
    const from = (await rows.filter({ hasText: 'other' }).first().boundingBox())!
    const to = (await editor.page.locator('.editor-group-container .view-lines').first().boundingBox())!
    const { mouse, keyboard } = editor.page
    await mouse.move(from.x + 40, from.y + from.height / 2)
    await mouse.down()
    // Without it the editor would open what is dropped.
    await keyboard.down('Shift')
    await mouse.move(to.x + 60, to.y + 60, { steps: 8 })
    await mouse.move(to.x + 80, to.y + 40, { steps: 8 })
    await editor.shot('73-dragging')
    await mouse.up()
    await keyboard.up('Shift')
    await until(async () => (await text()).includes('postern://default/dev/other'), 'the reference')
    await editor.shot('74-dropped')
  })
})
