/** Failover in the editor, the tree and its links, rotation, inputs and the terminal profile; and no value in any of them. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Redacted } from '../../../core/redacted.ts'
import { canary } from '../../support/canary.ts'
import { type FaultServer, startFaultServer } from '../../support/fault_server.ts'
import { attend, signIn, startAt } from './attend.ts'
import type { Editor } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'
import { search, searchBrowser, searchFiles, searchHost, searchTraffic } from './sweep.ts'
import { until } from './until.ts'

const ofReplica = canary()
const kept = canary()
const sealed = { 'dev/soon': canary(), 'dev/turn': canary(), 'dev/closed': canary() }
const all = [ofReplica, kept, ...Object.values(sealed)]
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

const ENV = [
  'CHAINED=postern://default/prod/db',
  'KEPT=postern://default/kept/db',
  'CLOSED=postern://default/dev/closed',
  'GONE=postern://default/dev/gone',
  'TURN=postern://default/${POSTERN_ENV}/turn',
  '',
].join('\n')
const RUN = 'SOON=postern://default/dev/soon\nCHAINED=postern://default/prod/db\n'
const PROGRAM = `
const { createHash } = require('node:crypto'), { writeFileSync } = require('node:fs')
const { SOON = '', CHAINED = '', POSTERN_HANDOVER } = process.env
const hashes = [SOON, CHAINED].map((text) => createHash('sha256').update(text).digest('hex'))
writeFileSync(process.argv[2], JSON.stringify({ hashes, POSTERN_HANDOVER }))
setTimeout(() => {}, Number(process.argv[3] ?? 0))
`
const INPUTS = [{ id: 'secrets', type: 'command', command: 'postern.handOver', args: { envFile: 'run.env' } }]
const HANDOVER = { POSTERN_HANDOVER: '${input:secrets}' }
const TASKS = {
  version: '2.0.0',
  inputs: INPUTS,
  tasks: [
    {
      label: 'by input',
      type: 'shell',
      command: 'node',
      args: ['${command:postern.launcher}', 'node program.js task.json'],
      options: { env: HANDOVER },
    },
  ],
}
const LAUNCH = {
  version: '0.2.0',
  inputs: INPUTS,
  configurations: [
    {
      type: 'node',
      request: 'launch',
      name: 'by input',
      program: '${workspaceFolder}/program.js',
      args: ['debugged.json', '6000'],
      runtimeArgs: ['--require', '${command:postern.launcher}'],
      env: HANDOVER,
    },
  ],
}

let primary: FaultServer
let replica: FaultServer
let postern: Postern
let token: Redacted<string>
let editor: Editor
/** Where in the traffic a gesture put a value, or the token. */
let signedInAt = 0

beforeAll(async () => {
  primary = await startFaultServer('hashicorp', kept)
  replica = await startFaultServer('http', ofReplica)
  postern = await startPostern(sealed, {
    ...{ ...primary.environment, ...replica.environment },
    POSTERN_PROVIDERS__RECOVERY_MS: '300',
  })
  const { admin } = postern
  const members = [{ provider: 'hashicorp' as const }, { provider: 'http' as const }]
  await admin.putChain('prod', { resource: 'prod/**', members })
  await admin.putChain('kept', {
    ...{ resource: 'kept/**', members: members.slice(0, 1) },
    ...{ cacheSeconds: 1, maxStaleSeconds: 3600 },
  })
  const inAWeek = new Date(Date.now() + 7 * 86_400_000)
  await admin.put('dev/soon', new Redacted(sealed['dev/soon']), { expiresAt: inAWeek })
  await admin.putRotation('dev/turn', { graceSeconds: 7200 })
  await admin.putPrincipal('ann', { kind: 'user' })
  await admin.putRule('read', { effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' })
  await admin.putRule('turn', { effect: 'permit', principal: 'ann', actions: ['rotate'], resource: 'dev/turn' })
  token = (await admin.createToken({ principal: 'ann' })).token
  await admin.get('kept/db')
  await primary.stop()
  // A cached value is fresh for a second.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  editor = await startAt(postern.endpoint, {
    files: {
      '.env': ENV,
      'run.env': RUN,
      'program.js': PROGRAM,
      '.vscode/tasks.json': JSON.stringify(TASKS),
      '.vscode/launch.json': JSON.stringify(LAUNCH),
    },
  })
  await signIn(editor, token.reveal())
  signedInAt = editor.traffic.length
  await admin.putRule('closed', { effect: 'forbid', principal: 'ann', actions: ['read'], resource: 'dev/closed' })
})

attend(() => [editor, postern, { close: () => replica?.stop().catch(() => {}) }])

const open = (file: string) =>
  editor.evaluate(
    async (vscode, path) => void (await vscode.window.showTextDocument(vscode.Uri.file(path))),
    join(editor.workspace, file),
  )
const written = (file: string) => until(() => JSON.parse(readFileSync(join(editor.workspace, file), 'utf8')), file)
const dialog = () => editor.page.locator('.monaco-dialog-box')
const row = (text: string) => editor.page.locator('.pane-body .monaco-list-row').filter({ hasText: text }).first()
const hoverAt = (line: number, character: number) =>
  editor.evaluate(
    async (vscode, ...place) => {
      const { uri } = vscode.window.activeTextEditor!.document
      const at = new vscode.Position(...place)
      type Hover = { contents: { value: string }[] }
      const hovers = await vscode.commands.executeCommand<Hover[]>('vscode.executeHoverProvider', uri, at)
      return hovers
        .flatMap(({ contents }) => contents.map(({ value }) => value))
        .join(' ')
        .replaceAll(/(?:&nbsp;|\s)+/g, ' ')
    },
    line,
    character,
  )

describe('a hydrated .env', () => {
  it('has a name that says what it is, and the language of a .env', async () => {
    await open('.env')
    await editor.evaluate((vscode) => vscode.commands.executeCommand('postern.openHydratedEnv'))
    const tab = editor.page.locator('.tab.active .label-name')
    await until(async () => (await tab.innerText()) === '.env (dev, hydrated)', 'the tab')
    const language = await editor.evaluate((vscode) => vscode.window.activeTextEditor!.document.languageId)
    expect(language).toBe('dotenv')
  })

  it('says who was passed over, and what is stale, in hints and in hovers', async () => {
    const hints = await editor.evaluate(async (vscode) => {
      const { document } = vscode.window.activeTextEditor!
      const whole = new vscode.Range(0, 0, document.lineCount, 0)
      type Hint = { label: { value: string; tooltip?: string }[] }
      const made = await vscode.commands.executeCommand<Hint[]>('vscode.executeInlayHintProvider', document.uri, whole)
      return made.map(({ label }) => [label[0]!.value, label[0]!.tooltip])
    })
    expect(hints).toEqual([
      [
        expect.stringMatching(/^↪ http instead of hashicorp · /),
        expect.stringMatching(/\nhashicorp (was unreachable|is paused after failures)$/),
      ],
      [
        expect.stringMatching(/^⚠ STALE, cached [0-9] min ago · hashicorp · hashicorp unreachable · /),
        expect.stringContaining('\nhashicorp '),
      ],
      [expect.stringMatching(/^✓ sealed · v1/), 'Peek at the value'],
    ])
    expect(await hoverAt(0, 3)).toMatch(/http instead of hashicorp .*hashicorp (was unreachable|is paused)/)
    await editor.page.locator('.monaco-editor').filter({ hasText: 'instead of' }).first().waitFor()
    await editor.shot('50-failover')
    await open('.env')
    expect(await hoverAt(1, 30)).toMatch(/STALE.*hashicorp (was unreachable|is paused)/)
  })

  it('shows a mark with the reason, and no mask, where there is no value', async () => {
    const text = await editor.evaluate((vscode) =>
      vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'postern-env')!.getText(),
    )
    expect(text.split('\n')).toEqual([
      'CHAINED=••••••••',
      'KEPT=••••••••',
      expect.stringMatching(/^CLOSED=✗ Access denied by the rules of the vault/),
      'GONE=✗ No secret with this name',
      'TURN=••••••••',
      '',
    ])
  })
})

describe('the tree', () => {
  it('is where a reference leads to', async () => {
    await open('.env')
    const links = await editor.evaluate(async (vscode) => {
      const { document } = vscode.window.activeTextEditor!
      type Link = { target: { toString(): string }; range: { start: { line: number } } }
      const found = await vscode.commands.executeCommand<Link[]>('vscode.executeLinkProvider', document.uri)
      return found.map(({ target, range }) => [range.start.line, decodeURIComponent(target.toString())])
    })
    expect(links.map(([line]) => line)).toEqual([0, 1, 2, 3, 4])
    expect(links[4]![1]).toContain('command:postern.showInTree?["postern://default/${POSTERN_ENV}/turn"')
    // As a user follows it.
    const turn = editor.page.locator('.monaco-editor .view-line').filter({ hasText: 'TURN=' }).first()
    const shown = editor.page.locator('.pane-body .monaco-list-row.selected').filter({ hasText: 'turn' })
    // The editor redraws a line once the pointer is over its link with Control held, so click the position.
    const follow = async () => {
      const { keyboard, mouse } = editor.page
      await keyboard.press('Escape')
      const box = await turn.locator('span', { hasText: 'postern:' }).last().boundingBox({ timeout: 1000 })
      const [x, y] = [box!.x + 90, box!.y + 8]
      await mouse.move(x, y)
      await keyboard.down('Control')
      await mouse.move(x + 1, y)
      await mouse.click(x + 1, y)
      await keyboard.up('Control')
      await shown.waitFor({ timeout: 4000 })
      return true
    }
    await until(follow, 'the secret in the tree')
    await editor.shot('51-tree')
  })

  it('says so when a link leads to nothing', async () => {
    await editor.evaluate(
      (vscode) => void vscode.commands.executeCommand('postern.showInTree', 'postern://default/dev/gone'),
    )
    await editor.notified('Not listed. It may be in a provider, hidden from you, or missing: dev/gone')
  })

  it('marks what is stale or denied, and counts it', async () => {
    await editor.page
      .locator('.activitybar .badge-content')
      .filter({ hasText: /^[0-9]+$/ })
      .first()
      .waitFor()
    const label = await editor.page.locator('.activitybar a[aria-label^="Postern"]').first().getAttribute('aria-label')
    expect(label).toMatch(/expires soon: dev\/soon\s+stale: kept\/db\s+denied: dev\/closed/)
    expect(await row('soon').locator('.monaco-icon-label').getAttribute('class')).toContain('itemBadge')
    await editor.shot('52-marks')
  })

  it('rotates what may be rotated, after a question', async () => {
    const openMenu = async (name: string) => {
      await row(name).locator('.label-name').click({ button: 'right' })
    }
    const menu = editor.page.locator('.monaco-menu-container, .context-view .monaco-menu')
    await openMenu('soon')
    await menu.first().waitFor()
    expect(await menu.first().innerText()).toContain('Copy Reference')
    expect(await menu.first().innerText()).not.toContain('Rotate')
    await editor.page.keyboard.press('Escape')
    await menu.first().waitFor({ state: 'hidden' })
    await openMenu('turn')
    // A menu does not hear what is clicked while it opens.
    await editor.page.waitForTimeout(500)
    await menu.first().getByText('Rotate Now').click()
    await dialog().waitFor()
    expect(await dialog().innerText()).toMatch(
      /Rotate dev\/turn in the vault default now\?[\s\S]*keeps working for 2 h/,
    )
    await editor.shot('52-rotate')
    const versions = async () => (await postern.admin.versions('dev/turn')).items.length
    expect(await versions()).toBe(1)
    await dialog().getByRole('button', { name: 'Rotate' }).click()
    await editor.notified('Rotation of dev/turn has started')
    await until(async () => (await versions()) === 2, 'the rotation')
    expect((await postern.admin.get('dev/turn')).value.reveal()).not.toBe(sealed['dev/turn'])
    // The hint appears in an untouched file, because the list of names has the new version.
    await editor.page.locator('.monaco-editor').filter({ hasText: 'v2 is current' }).first().waitFor()
    await editor.shot('52-since')
  })
})

describe('an input of a configuration', () => {
  const hashes = [sealed['dev/soon'], ofReplica].map(hashOf)
  const runTask = () =>
    editor.evaluate(async (vscode) => {
      const [task] = (await vscode.tasks.fetchTasks()).filter(({ name }) => name === 'by input')
      void vscode.tasks.executeTask(task!)
    })

  it('asks the user for every caller, and gives nothing without a yes', async () => {
    const called = editor.evaluate((vscode) =>
      vscode.commands.executeCommand('postern.handOver', { envFile: 'run.env' }),
    )
    await dialog().waitFor()
    expect(await dialog().innerText()).toMatch(/secrets of run\.env[\s\S]*requests SOON, CHAINED/)
    await editor.shot('53-hand-over')
    await dialog().getByRole('button', { name: 'Cancel' }).click()
    expect(await called).toBe(null)
  })

  it('is a place for a task to fetch its values from, once', async () => {
    await runTask()
    await dialog().getByRole('button', { name: 'Hand Over' }).click()
    expect(await written('task.json')).toEqual({ hashes })
    expect(await searchHost(editor, all)).toEqual([])
  })

  it('is the same for a debugger', async () => {
    await editor.evaluate((vscode) => {
      const started: unknown[] = []
      Object.assign(globalThis, { started })
      vscode.debug.onDidStartDebugSession(({ configuration }) => void started.push(configuration))
      void vscode.debug.startDebugging(vscode.workspace.workspaceFolders![0], 'by input')
    })
    await dialog().getByRole('button', { name: 'Hand Over' }).click()
    expect(await written('debugged.json')).toEqual({ hashes })
    const started = await editor.evaluate(() => (globalThis as unknown as { started: unknown[] }).started)
    expect(JSON.stringify(started)).toContain('"POSTERN_HANDOVER":"/')
    expect(search('configurations', JSON.stringify(started), all)).toEqual([])
    expect(await searchHost(editor, all)).toEqual([])
    await editor.evaluate((vscode) => vscode.debug.stopDebugging())
  })

  it('starts nothing when the user says no, and does not report what the user already knows', async () => {
    for (const file of ['task.json', 'debugged.json']) rmSync(join(editor.workspace, file))
    const notices = editor.page.locator('.notification-list-item')
    const debug = () =>
      editor.evaluate((vscode) => {
        void vscode.debug.startDebugging(vscode.workspace.workspaceFolders![0], 'by input')
      })
    for (const start of [runTask, debug]) {
      await start()
      await dialog().getByRole('button', { name: 'Cancel' }).click()
      await editor.page.waitForTimeout(2000)
      expect(await dialog().count()).toBe(0)
      await editor.evaluate((vscode) => vscode.commands.executeCommand('notifications.showList'))
      expect(await notices.allInnerTexts()).toEqual([])
    }
    expect(['task.json', 'debugged.json'].filter((file) => existsSync(join(editor.workspace, file)))).toEqual([])
  })
})

describe('a run that ends', () => {
  it('leaves its terminal open, until a key is pressed', async () => {
    await open('run.env')
    await editor.command('Postern: Run in Terminal with Secrets')
    await editor.answer('Run with the secrets', 'node program.js quick.json')
    await written('quick.json')
    await editor.page.waitForTimeout(2500)
    const isThere = () =>
      editor.evaluate((vscode) => vscode.window.terminals.some(({ name }) => name.includes('quick.json')))
    expect(await isThere()).toBe(true)
    await editor.shot('54-ended')
    await editor.evaluate((vscode) => {
      vscode.window.terminals.find(({ name }) => name.includes('quick.json'))!.sendText('x', false)
    })
    await until(async () => !(await isThere()), 'the terminal to close')
  })
})

describe('the terminal profile', () => {
  it('is a shell with the secrets of a .env, whose options hold none', async () => {
    await open('run.env')
    await editor.command('Create New Terminal (With Profile)')
    await editor.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'Postern' }).waitFor()
    await editor.shot('55-profiles')
    await editor.page.keyboard.type('Postern')
    await editor.page.keyboard.press('Enter')
    const name = await until(
      () =>
        editor.evaluate((vscode) => vscode.window.terminals.map(({ name }) => name).find((one) => /secrets/.test(one))),
      'the terminal',
    )
    expect(name).toBe('secrets of run.env')
    await editor.evaluate((vscode) => {
      vscode.window.terminals.find(({ name }) => /secrets of/.test(name))!.sendText('node program.js profile.json')
    })
    expect(await written('profile.json')).toEqual({
      hashes: [sealed['dev/soon'], ofReplica].map(hashOf),
    })
    await editor.shot('56-profile')
    const options = await editor.evaluate((vscode) =>
      vscode.window.terminals.map((one) => one.creationOptions as { isTransient?: boolean }),
    )
    expect(options.some(({ isTransient }) => isTransient)).toBe(true)
    expect(await searchHost(editor, all)).toEqual([])
  })
})

describe('after all of it', () => {
  it('no value is in a document, a result, a file, a log, a store, or on the wire', async () => {
    await open('.env')
    expect(await searchHost(editor, all)).toEqual([])
    expect(await searchBrowser(editor, all)).toEqual([])
    expect(searchFiles(editor.home, [...all, token.reveal()])).toEqual([])
    expect(searchTraffic(editor, [...all, token.reveal()], signedInAt)).toEqual([])
  })
})
