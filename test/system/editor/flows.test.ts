/** What a user does, from the first sign-in to runs with real values; and that no value is anywhere but where it was asked for. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { canary } from '../../support/canary.ts'
import { attend } from './attend.ts'
import { type Editor, startEditor } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'
import { search, searchBrowser, searchFiles, searchHost, searchTraffic } from './sweep.ts'
import { until } from './until.ts'

const values = { 'dev/db/url': canary(), 'prod/db/url': canary(), 'dev/api/key': canary() }
const secrets = { ...values, 'prod/api/key': values['dev/api/key'] }
const all = Object.values(values)
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

const ENV = [
  '# DB_PASSWORD=kept-in-a-comment-9',
  'DB_URL=postern://default/${POSTERN_ENV:-dev}/db/url',
  'API_KEY=postern://default/${POSTERN_ENV:-dev}/api/key',
  'GONE=postern://default/dev/gone',
  'LEVEL=debug',
  '',
].join('\n')
const RUN = ['DB_URL=postern://default/dev/db/url', 'API_KEY=postern://default/dev/api/key', 'LEVEL=debug', ''].join(
  '\n',
)
/** Tells that it got the values without telling them. */
const PROGRAM = `
const { createHash } = require('node:crypto'), { writeFileSync } = require('node:fs')
const { DB_URL = '', API_KEY = '', LEVEL, POSTERN_HANDOVER } = process.env
const hashes = [DB_URL, API_KEY].map((text) => createHash('sha256').update(text).digest('hex'))
writeFileSync(process.argv[2], JSON.stringify({ hashes, LEVEL, POSTERN_HANDOVER, tty: Boolean(process.stdout.isTTY) }))
console.log('done with ' + process.argv[2])
setTimeout(() => {}, Number(process.argv[3] ?? 0))
`
const LAUNCH = {
  version: '0.2.0',
  configurations: [
    {
      type: 'node',
      request: 'launch',
      name: 'with secrets',
      program: '${workspaceFolder}/program.js',
      args: ['debugged.json', '8000'],
      postern: { envFile: 'run.env' },
    },
  ],
}
const TASKS = {
  version: '2.0.0',
  tasks: [
    {
      type: 'postern',
      label: 'with secrets',
      command: 'node program.js task.json',
      envFile: 'run.env',
      keys: ['DB_URL'],
    },
  ],
}

let postern: Postern
let editor: Editor
/** Parts of the traffic in which a gesture put a value: left out of the search. */
const gestures: [number, number][] = []

async function gesture<T>(work: () => Promise<T>): Promise<T> {
  const from = editor.traffic.length
  try {
    return await work()
  } finally {
    // The key is pressed before the frame is sent that it causes.
    await editor.page.waitForTimeout(1500)
    gestures.push([from, editor.traffic.length])
  }
}

async function open(file: string): Promise<void> {
  await editor.evaluate(
    async (vscode, path) => {
      await vscode.window.showTextDocument(vscode.Uri.file(path))
    },
    join(editor.workspace, file),
  )
}

const written = (file: string) => until(() => JSON.parse(readFileSync(join(editor.workspace, file), 'utf8')), file)

beforeAll(async () => {
  postern = await startPostern(secrets)
  editor = await startEditor({
    files: {
      '.env': ENV,
      'run.env': RUN,
      'app.ts': 'export const url = \n',
      'notes.txt': '\n',
      'program.js': PROGRAM,
      '.vscode/launch.json': JSON.stringify(LAUNCH),
      '.vscode/tasks.json': JSON.stringify(TASKS),
    },
  })
})

attend(() => [editor, postern])

describe('a new user', () => {
  it('sees a welcome, and a message about a wrong token', async () => {
    await editor.page.locator('.activitybar a[aria-label="Postern"]').click()
    await editor.page.locator('.welcome-view-content').first().waitFor()
    await editor.shot('01-welcome')
    await editor.command('Postern: Sign In')
    await editor.answer('Address of your', postern.endpoint)
    const wrong = `pst_default_${'a'.repeat(65)}`
    await gesture(() => editor.answer('Sign in to', wrong))
    await editor.notified('wrong, expired or revoked', '02-wrong-token')
  })

  it('signs in by pasting a token, and sees the names of the secrets', async () => {
    await editor.command('Postern: Sign In')
    await editor.answer('Which Postern server', '127.0.0.1')
    await editor.page.locator('.quick-input-widget input[type="password"]').waitFor()
    await editor.shot('03-sign-in')
    await gesture(() => editor.answer('Sign in to', postern.token))
    await editor.notified('Signed in', '04-signed-in')
    const accounts = await editor.evaluate((vscode) => {
      const { getAccounts } = vscode.authentication as unknown as {
        getAccounts(id: string): Promise<{ label: string }[]>
      }
      return getAccounts('postern')
    })
    expect(accounts.map(({ label }) => label)).toEqual([expect.stringContaining('admin in default')])
  })
})

describe('inserting', () => {
  it('puts an accessor into code and the reference into .env', async () => {
    await open('app.ts')
    await editor.evaluate((vscode) => {
      vscode.window.activeTextEditor!.selection = new vscode.Selection(0, 19, 0, 19)
    })
    await editor.command('Postern: Insert Secret')
    await editor.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'prod/db/url' }).waitFor()
    await editor.shot('05-insert')
    await editor.answer('Insert Secret', 'prod/db/url')
    await editor.answer('Environment variable for', 'PROD_DB_URL')
    const text = await until(
      () =>
        editor.evaluate((vscode) => {
          const text = vscode.window.activeTextEditor!.document.getText()
          return text.includes('process.env') ? text : ''
        }),
      'the accessor',
    )
    expect(text).toBe('export const url = process.env.PROD_DB_URL\n')
    await until(
      () => readFileSync(join(editor.workspace, '.env'), 'utf8').includes('PROD_DB_URL=postern://default/prod/db/url'),
      'the reference',
    )
    await editor.shot('06-inserted')
  })

  it('puts a reference at every cursor of a text, as one edit', async () => {
    await open('notes.txt')
    await editor.evaluate(async (vscode) => {
      const { activeTextEditor } = vscode.window
      await activeTextEditor!.edit((edit) => edit.insert(new vscode.Position(0, 0), 'a \nb '))
      activeTextEditor!.selections = [new vscode.Selection(0, 2, 0, 2), new vscode.Selection(1, 2, 1, 2)]
    })
    await editor.command('Postern: Insert Secret as Reference')
    await editor.answer('Insert Secret', 'dev/api')
    const reference = 'postern://default/dev/api/key'
    const read = () => editor.evaluate((vscode) => vscode.window.activeTextEditor!.document.getText())
    await until(async () => (await read()).includes('postern://'), 'the references')
    expect(await read()).toBe(`a ${reference}\nb ${reference}\n`)
    await editor.evaluate((vscode) => vscode.commands.executeCommand('undo'))
    expect(await read()).toBe('a \nb \n')
  })

  it('puts a value in the clear only after a warning', async () => {
    await open('notes.txt')
    await editor.command("Postern: Insert Secret's Value in the Clear")
    await editor.answer('Insert Secret', 'dev/api')
    const dialog = editor.page.locator('.monaco-dialog-box')
    await dialog.waitFor()
    await editor.shot('07-value-warning')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    const text = await editor.evaluate((vscode) => vscode.window.activeTextEditor!.document.getText())
    expect(text).not.toContain(values['dev/api/key'])
  })
})

describe('a hydrated .env', () => {
  it('is read-only, masked, and shows the status of each reference', async () => {
    await open('.env')
    await editor.command('Postern: Open Hydrated .env')
    const state = await until(
      () =>
        editor.evaluate(async (vscode) => {
          const document = vscode.window.activeTextEditor?.document
          if (document?.uri.scheme !== 'postern-env') return null
          const range = new vscode.Range(0, 0, document.lineCount, 0)
          const hints = await vscode.commands.executeCommand<{ label: { value: string }[] }[]>(
            'vscode.executeInlayHintProvider',
            document.uri,
            range,
          )
          return {
            text: document.getText(),
            hints: hints.map(({ label }) => label[0]!.value),
            language: document.languageId,
          }
        }),
      'the document',
    )
    const mask = '••••••••'
    expect(state.text.split('\n').slice(0, 5)).toEqual([
      `# DB_PASSWORD=${mask}`,
      `DB_URL=${mask}`,
      `API_KEY=${mask}`,
      'GONE=✗ No secret with this name',
      'LEVEL=debug',
    ])
    const sealed = expect.stringMatching(/^✓ sealed · v1 · [0-9] min old$/)
    expect(state.hints).toEqual([sealed, sealed, sealed])
    expect(state.language).toBe('dotenv')
    await editor.page.locator('.monaco-editor').filter({ hasText: 'sealed' }).first().waitFor()
    await editor.shot('08-hydrated')
    await editor.page.keyboard.type('x')
    await editor.page.waitForTimeout(200)
    const after = await editor.evaluate((vscode) => vscode.window.activeTextEditor!.document.getText())
    expect(after).toBe(state.text)
  })

  it('lets one value be peeked at, in a box that hides itself', async () => {
    await editor.evaluate(async (vscode) => {
      await vscode.workspace.getConfiguration('postern').update('reveal.seconds', 2, vscode.ConfigurationTarget.Global)
      vscode.window.activeTextEditor!.selection = new vscode.Selection(1, 0, 1, 0)
    })
    await gesture(async () => {
      await editor.command('Postern: Peek at Value')
      await editor.page.locator('.quick-input-list').filter({ hasText: values['dev/db/url'] }).waitFor()
      await editor.shot('09-peek')
      await editor.page.locator('.quick-input-widget').waitFor({ state: 'hidden' })
    })
    expect(await editor.page.locator('body').innerText()).not.toContain(values['dev/db/url'])
  })

  it('copies one value, and clears the clipboard only of that', async () => {
    const read = () => editor.evaluate((vscode) => vscode.env.clipboard.readText())
    await editor.evaluate((vscode) =>
      vscode.workspace
        .getConfiguration('postern')
        .update('clipboard.clearSeconds', 2, vscode.ConfigurationTarget.Global),
    )
    await gesture(async () => {
      await editor.command('Postern: Copy Value for a While')
      await until(async () => (await read()) === values['dev/db/url'], 'the copy')
      await editor.shot('10-copied')
      await until(async () => (await read()) === '', 'the clipboard to be cleared')
      await editor.command('Postern: Copy Value for a While')
      await until(async () => (await read()) === values['dev/db/url'], 'the copy')
      await editor.evaluate((vscode) => vscode.env.clipboard.writeText('mine'))
      await editor.page.waitForTimeout(3500)
    })
    expect(await read()).toBe('mine')
  })

  it('compares two environments by fingerprints', async () => {
    await open('.env')
    await editor.command('Postern: Compare Two Environments')
    await editor.page.locator('.quick-input-title').filter({ hasText: 'Which two environments' }).waitFor()
    await editor.page.waitForTimeout(500)
    await editor.page.keyboard.press('Enter')
    const texts = await until(
      () =>
        editor.evaluate((vscode) => {
          const texts = vscode.workspace.textDocuments
            .filter(({ uri }) => uri.scheme === 'postern-env' && uri.query.includes('"compares":true'))
            .map((one) => one.getText())
          return texts.length === 2 ? texts : null
        }),
      'both documents',
    )
    const row = (text: string, key: string) => text.split('\n').find((line) => line.startsWith(`${key}=`))
    expect(row(texts[0]!, 'API_KEY')).toMatch(/^API_KEY=•{8} ~[0-9a-f]{6}$/)
    expect(row(texts[0]!, 'API_KEY')).toBe(row(texts[1]!, 'API_KEY'))
    expect(row(texts[0]!, 'DB_URL')).not.toBe(row(texts[1]!, 'DB_URL'))
    await editor.shot('11-compare')
  })

  it('shows nothing in presentation mode', async () => {
    await open('.env')
    await editor.evaluate((vscode) => vscode.commands.executeCommand('postern.togglePresentationMode'))
    await editor.evaluate(
      (vscode) => void vscode.commands.executeCommand('postern.peek', { reference: 'postern://default/dev/db/url' }),
    )
    await editor.notified('Presentation mode hides values', '12-presenting')
    await editor.evaluate((vscode) => vscode.commands.executeCommand('postern.togglePresentationMode'))
  })
})

describe('a run', () => {
  const hashes = [values['dev/db/url'], values['dev/api/key']].map(hashOf)

  it('gets its values in a real terminal, whose options hold none', async () => {
    await open('run.env')
    await editor.command('Postern: Run in Terminal with Secrets')
    await editor.answer('Run with the secrets', 'node program.js terminal.json 4000')
    expect(await written('terminal.json')).toEqual({ hashes, LEVEL: 'debug', tty: true })
    await editor.page.locator('.terminal-wrapper').first().waitFor()
    await editor.shot('13-terminal')
    const options = await editor.evaluate((vscode) =>
      vscode.window.terminals.map((one) => one.creationOptions as { isTransient?: boolean }),
    )
    expect(options.some(({ isTransient }) => isTransient)).toBe(true)
    expect(await searchHost(editor, all)).toEqual([])
  })

  it('starts with all of its values or not at all', async () => {
    await open('.env')
    await editor.command('Postern: Run in Terminal with Secrets')
    await editor.answer('Run with the secrets', 'node program.js never.json')
    await editor.notified('GONE: No secret with this name', '14-incomplete')
    expect(() => readFileSync(join(editor.workspace, 'never.json'))).toThrow()
  })

  const dialog = () => editor.page.locator('.monaco-dialog-box')
  const runTask = () =>
    editor.evaluate(async (vscode) => {
      const tasks = await vscode.tasks.fetchTasks({ type: 'postern' })
      await vscode.tasks.executeTask(tasks.find(({ name }) => name === 'with secrets')!)
    })

  it('starts as a task after the user said yes, once, and gets the keys that the task names and no others', async () => {
    const got = { hashes: [hashes[0], hashOf('')], tty: false }
    await runTask()
    await dialog().waitFor()
    expect(await dialog().innerText()).toMatch(
      /run\.env to "with secrets"\?[\s\S]*node program\.js task\.json[\s\S]*receives DB_URL\./,
    )
    await editor.shot('14-consent')
    await dialog().getByRole('button', { name: 'Cancel' }).click()
    await until(() => editor.evaluate((vscode) => vscode.tasks.taskExecutions.length === 0), 'the task to end')
    await editor.shot('14-declined')
    expect(existsSync(join(editor.workspace, 'task.json'))).toBe(false)
    await runTask()
    await dialog().getByRole('button', { name: 'Start' }).click()
    expect(await written('task.json')).toEqual(got)
    rmSync(join(editor.workspace, 'task.json'))
    await runTask()
    expect(await written('task.json')).toEqual(got)
    await editor.command('Postern: Ask Again Before Tasks')
    await editor.notified('ask again before they receive secrets')
    await runTask()
    await dialog().getByRole('button', { name: 'Cancel' }).click()
  })

  it('gets its values in a debugger, whose configuration holds none', async () => {
    await editor.evaluate(async (vscode) => {
      const started: unknown[] = []
      Object.assign(globalThis, { started })
      // A debugger starts sessions of its own below the first.
      vscode.debug.onDidStartDebugSession(({ configuration }) => void started.push(configuration))
      void vscode.debug.startDebugging(vscode.workspace.workspaceFolders![0], 'with secrets')
    })
    await dialog().getByRole('button', { name: 'Start' }).click()
    expect(await written('debugged.json')).toMatchObject({ hashes, LEVEL: 'debug' })
    const started = await editor.evaluate(() => (globalThis as unknown as { started: unknown[] }).started)
    expect(started).toContainEqual(expect.objectContaining({ name: 'with secrets' }))
    expect(JSON.stringify(started)).not.toContain('"postern":')
    expect(search('configurations', JSON.stringify(started), all)).toEqual([])
    await editor.shot('15-debug')
    expect(await searchHost(editor, all)).toEqual([])
    await editor.evaluate((vscode) => vscode.debug.stopDebugging())
    rmSync(join(editor.workspace, 'debugged.json'))
    // A configuration stays the same one, even if the editor adds fields to it.
    await editor.evaluate((vscode) =>
      vscode.debug.startDebugging(vscode.workspace.workspaceFolders![0], 'with secrets'),
    )
    expect(await written('debugged.json')).toMatchObject({ hashes })
    await editor.evaluate((vscode) => vscode.debug.stopDebugging())
  })
})

describe('after all of it', () => {
  it('can see: a value that a file holds is found', async () => {
    await editor.evaluate(
      async (vscode, [path, text]) => {
        await vscode.workspace.fs.writeFile(vscode.Uri.file(path!), new TextEncoder().encode(text))
      },
      [join(editor.workspace, 'planted.txt'), values['dev/db/url']],
    )
    expect(searchFiles(editor.home, all)).not.toEqual([])
    await editor.evaluate(
      async (vscode, path) => {
        await vscode.workspace.fs.delete(vscode.Uri.file(path))
      },
      join(editor.workspace, 'planted.txt'),
    )
    expect(gestures.flatMap(([from, to]) => searchTraffic(editor, all, from, to))).not.toEqual([])
  })

  it('no value is in a document, a result, a file, a log, a store, or on the wire', async () => {
    expect(await searchHost(editor, all)).toEqual([])
    expect(await searchBrowser(editor, all)).toEqual([])
    expect(searchFiles(editor.home, [...all, postern.token])).toEqual([])
    let at = 0
    for (const [from, to] of [...gestures, [editor.traffic.length, 0] as const]) {
      expect(searchTraffic(editor, [...all, postern.token], at, from)).toEqual([])
      at = to
    }
  })

  it('signing out ends the session on the server', async () => {
    await editor.evaluate((vscode) => vscode.commands.executeCommand('postern.signOut'))
    const { items } = await postern.admin.sessions('admin')
    expect(items).toEqual([])
    await editor.page.waitForTimeout(500)
    await editor.shot('16-signed-out')
  })
})
