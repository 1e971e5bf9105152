/** What guards: second factors, the witness of the log, tools for models, and files that delete themselves. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeProofKey, type Redacted, signIn } from '../../../core/index.ts'
import { authenticator } from '../../support/authenticator.ts'
import { canary, formsOf } from '../../support/canary.ts'
import { freePort } from '../../support/ports.ts'
import { makeSite, type Server, type Site, startServer } from '../runtime/servers.ts'
import { attend, beginSignIn, startAt } from './attend.ts'
import type { Editor } from './editor.ts'
import { fill } from './postern.ts'
import { search, searchFiles, searchHost } from './sweep.ts'
import { startWithholding, type Withholding } from './withholding.ts'

const secret = canary()
let site: Site
let server: Server
let proxy: Withholding
let editor: Editor
let port: string
let token: Redacted<string>
let nextCode: () => Promise<string>

beforeAll(async () => {
  site = await makeSite()
  port = String(await freePort())
  server = await startServer('bun', site, { POSTERN_PORT: port })
  proxy = await startWithholding(port)
  const about = { endpoint: server.endpoint, vault: site.vault }
  const admin = await fill(server.endpoint, site, { 'dev/db': secret })
  await admin.putPrincipal('ann', { kind: 'user' })
  const conditions = { mfaWithinSeconds: 3600, bound: true as const }
  await admin.putRule('ann', { effect: 'permit', principal: 'ann', actions: ['read'], resource: '**', conditions })
  token = (await admin.createToken({ principal: 'ann' })).token
  const { client } = await signIn({ ...about, token, key: await makeProofKey(), seal: true })
  nextCode = authenticator((await client.enrolTotp()).uri)
  await client.confirmTotp(await nextCode())
  editor = await startAt(proxy.endpoint, {
    settings: { 'postern.allowWriteToDisk': true },
    files: { '.env': 'DB_URL=postern://default/dev/db\nLEVEL=debug\n', '.gitignore': '*.hydrated\n' },
  })
  execFileSync('git', ['init', '--quiet'], { cwd: editor.workspace })
})

attend(() => [editor, proxy, { close: () => server?.stop() }, { close: () => site?.remove() }])

describe('a second factor', () => {
  it('is asked for at the sign-in, and opens what rules keep behind it', async () => {
    await beginSignIn(editor, token.reveal())
    await editor.answer('Second factor of ann', await nextCode())
    await editor.notified('Signed in as ann', '40-second-factor')
    await editor.evaluate((vscode) => vscode.commands.executeCommand('postern.openHydratedEnv'))
    const text = await editor.evaluate((vscode) => vscode.window.activeTextEditor?.document.getText())
    expect(text).toBe('DB_URL=••••••••\nLEVEL=debug\n')
  })
})

describe('tools for models', () => {
  const invoke = (name: string, input: object) =>
    editor.evaluate(
      async (vscode, tool, given) => {
        type Tools = { invokeTool(name: string, options: object): Promise<{ content: { value: string }[] }> }
        const { lm } = vscode as unknown as { lm: Tools }
        const { content } = await lm.invokeTool(tool, { input: given, toolInvocationToken: undefined })
        return content.map(({ value }) => value).join('')
      },
      name,
      input,
    )

  it('list names and no values', async () => {
    const names = await invoke('postern_list_secrets', {})
    expect(names).toContain('postern://default/dev/db')
    expect(search('names', names, [secret])).toEqual([])
  })

  it('run with values that the model does not see, however the program writes them', async () => {
    const program =
      'const v = process.env.DB_URL; console.log(v, Buffer.from(v).toString("base64"), Buffer.from(v).toString("hex"), JSON.stringify(v), encodeURIComponent(v))'
    const running = invoke('postern_run_with_secrets', { command: `node -e '${program}'` })
    const dialog = editor.page.locator('.monaco-dialog-box')
    await dialog.waitFor()
    await editor.shot('44-tool')
    await dialog.getByRole('button', { name: 'Yes' }).click()
    const output = await running
    expect(output).toMatch(/^Exit code: 0\n/)
    expect(output.match(/\[postern:DB_URL\]/g)?.length).toBeGreaterThanOrEqual(5)
    expect(formsOf(secret).filter((form) => output.includes(form))).toEqual([])
  })
})

describe('a .env on the disk', () => {
  const path = () => join(editor.workspace, '.env.hydrated')

  it('is written after a warning, for its owner alone, and its values can be read back', async () => {
    await editor.command('Postern: Write Hydrated .env to Disk')
    const dialog = editor.page.locator('.monaco-dialog-box')
    await dialog.waitFor()
    await editor.shot('41-write')
    await dialog.getByRole('button', { name: 'Write' }).click()
    await expect.poll(() => existsSync(path()), { timeout: 10_000 }).toBe(true)
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    const read = execFileSync('bash', ['-c', 'set -a; . ./.env.hydrated; printf %s "$DB_URL"'], {
      cwd: editor.workspace,
    })
    expect(read.toString()).toBe(secret)
    // The one place that the gesture put it into, and no other.
    expect(searchFiles(editor.home, [secret]).map(({ where }) => where)).toEqual(['file workspace/.env.hydrated'])
    expect(await searchHost(editor, [secret])).toEqual([])
  })

  it('is refused where git would see it', async () => {
    rmSync(path())
    rmSync(join(editor.workspace, '.gitignore'))
    await editor.command('Postern: Write Hydrated .env to Disk')
    await editor.notified('git does not ignore')
    expect(existsSync(path())).toBe(false)
  })
})

describe('the witness', () => {
  const verify = () => editor.evaluate((vscode) => vscode.commands.executeCommand('postern.verifyLog'))
  const hydrate = () =>
    editor.evaluate(async (vscode) => {
      const [folder] = vscode.workspace.workspaceFolders!
      await vscode.commands.executeCommand('postern.openHydratedEnv', vscode.Uri.joinPath(folder!.uri, '.env'))
    })
  const alarm = () => editor.page.locator('.statusbar-item[id="postern.postern.postern.status"] .codicon-warning')

  it('shouts while a log is withheld, and is calm again once it shows what was missing', async () => {
    await verify()
    expect(await alarm().count()).toBe(0)
    proxy.withholds = true
    await hydrate()
    await verify()
    await editor.notified('WITHHELD', '45-withheld')
    await alarm().waitFor()
    // Checked again, it is the same alarm.
    await verify()
    await alarm().waitFor()
    proxy.withholds = false
    await verify()
    await alarm().waitFor({ state: 'hidden' })
    await editor.page.locator('.activitybar a[aria-label^="Postern"]').click()
    await editor.page.locator('.pane-body .monaco-list-row').filter({ hasText: 'entries, verified' }).first().waitFor()
    await editor.shot('46-calm')
  })

  it('shouts when the log has shrunk, and keeps what it saw until the user says otherwise', async () => {
    await verify()
    await server.stop()
    const old = `${site.data}-old`
    cpSync(site.data, old, { recursive: true })
    server = await startServer('bun', site, { POSTERN_PORT: port })
    await fill(server.endpoint, site, { 'dev/more': 'x', 'dev/and-more': 'y' })
    // A checkpoint is served for a second before the head is signed again.
    await editor.page.waitForTimeout(1500)
    await verify()
    await server.stop()
    // Put back an older state, as an attacker with access to the disk could.
    rmSync(site.data, { recursive: true })
    cpSync(old, site.data, { recursive: true })
    rmSync(old, { recursive: true })
    server = await startServer('bun', site, { POSTERN_PORT: port })
    for (let look = 0; look < 2; look++) {
      await editor.evaluate((vscode) => void vscode.commands.executeCommand('postern.verifyLog'))
      await editor.notified('SHRANK', '42-alarm')
    }
    await editor.page.locator('.pane-body').filter({ hasText: 'shrank' }).first().waitFor()
    await editor.shot('43-log')
  })
})
