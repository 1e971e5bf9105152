/** In a window of several folders, each program gets the `.env` of its own folder, however it asks. */
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { canary } from '../../support/canary.ts'
import { attend, signIn, startAt } from './attend.ts'
import type { Editor } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'
import { searchHost } from './sweep.ts'
import { until } from './until.ts'

const values = { 'a/v': canary(), 'b/v': canary() }
const INPUTS = [{ id: 'secrets', type: 'command', command: 'postern.handOver', args: { envFile: '.env' } }]
const HANDOVER = { POSTERN_HANDOVER: '${input:secrets}' }
const PROGRAM = 'require("node:fs").writeFileSync(`${__dirname}/${process.argv[2]}`, String(process.env.V))'
const NODE = { type: 'node', request: 'launch', program: '${workspaceFolder}/prog.js' }
const LAUNCH = {
  version: '0.2.0',
  inputs: INPUTS,
  configurations: [
    {
      ...{ ...NODE, name: 'by input', args: ['input.out'], env: HANDOVER },
      runtimeArgs: ['--require', '${command:postern.launcher}'],
    },
    { ...NODE, name: 'by block', args: ['block.out'], postern: { envFile: '.env' } },
  ],
}
const TASKS = {
  version: '2.0.0',
  inputs: INPUTS,
  tasks: [
    { type: 'postern', label: 'linked', command: 'printenv V > linked.out', envFile: 'linked.env' },
    {
      ...{ type: 'shell', label: 'shell', command: 'node', options: { env: HANDOVER } },
      args: ['${command:postern.launcher}', 'node prog.js shell.out'],
    },
  ],
}

let postern: Postern
let editor: Editor

beforeAll(async () => {
  postern = await startPostern(values)
  const folder = (name: string) => ({
    [`${name}/.env`]: `V=postern://default/${name}/v\n`,
    [`${name}/prog.js`]: PROGRAM,
    [`${name}/.vscode/launch.json`]: JSON.stringify(LAUNCH),
    [`${name}/.vscode/tasks.json`]: JSON.stringify(TASKS),
  })
  const workspace = JSON.stringify({ folders: [{ path: 'a' }, { path: 'b' }] })
  editor = await startAt(postern.endpoint, {
    files: { ...folder('a'), ...folder('b'), 'two.code-workspace': workspace },
  })
  symlinkSync('../a/.env', join(editor.workspace, 'b/linked.env'))
  await signIn(editor, postern.token)
  const { origin } = new URL(editor.page.url())
  await editor.page.goto(`${origin}/?workspace=${encodeURIComponent(join(editor.workspace, 'two.code-workspace'))}`)
  await hostIsBack()
})

/** Waits for the extension host of the new window. What the host before it was asked last has no answer. */
async function hostIsBack(): Promise<void> {
  const pause = () => editor.page.waitForTimeout(3000)
  const count = () => editor.evaluate((vscode) => vscode.workspace.workspaceFolders?.length)
  do await pause()
  while ((await Promise.race([count(), pause()])) !== 2)
}

attend(() => [editor, postern])

const dialog = () => editor.page.locator('.monaco-dialog-box')
const out = (file: string) => join(editor.workspace, file)
const written = (file: string) => until(() => existsSync(out(file)) && readFileSync(out(file), 'utf8'), file)
const debug = (name: string) =>
  editor.evaluate((vscode, which) => {
    const folder = vscode.workspace.workspaceFolders!.find(({ name }) => name === 'b')
    void vscode.debug.startDebugging(folder, which)
  }, name)
const runTask = (name: string) =>
  editor.evaluate(async (vscode, which) => {
    const tasks = await vscode.tasks.fetchTasks()
    const isOfB = ({ scope }: { scope?: unknown }) => (scope as { name?: string } | undefined)?.name === 'b'
    void vscode.tasks.executeTask(tasks.find((task) => task.name === which && isOfB(task))!)
  }, name)

beforeEach(() => {
  for (const name of ['input.out', 'block.out', 'shell.out', 'linked.out']) rmSync(out(`b/${name}`), { force: true })
})

it('row 80: gives an input of a launch configuration the .env of its folder', async () => {
  await debug('by input')
  await dialog().waitFor()
  expect(await dialog().innerText()).toContain('b/.env')
  await dialog().getByRole('button', { name: 'Hand Over' }).click()
  expect(await written('b/input.out')).toBe(values['b/v'])
})

it('row 80: gives a block of a launch configuration the .env of its folder', async () => {
  await debug('by block')
  await dialog().waitFor()
  expect(await dialog().innerText()).toContain('b/.env')
  await dialog().getByRole('button', { name: 'Start' }).click()
  expect(await written('b/block.out')).toBe(values['b/v'])
})

it('row 80: has the folder chosen by name for an input of a task', async () => {
  await runTask('shell')
  const rows = editor.page.locator('.quick-input-list .monaco-list-row')
  await rows.filter({ hasText: '/b' }).first().click()
  await dialog().waitFor()
  expect(await dialog().innerText()).toContain('b/.env')
  await dialog().getByRole('button', { name: 'Hand Over' }).click()
  expect(await written('b/shell.out')).toBe(values['b/v'])
})

it('row 80: follows no link out of the folder', async () => {
  await runTask('linked')
  await until(() => editor.evaluate((vscode) => vscode.tasks.taskExecutions.length === 0), 'the end of the task')
  expect(await dialog().count()).toBe(0)
  expect(existsSync(out('b/linked.out'))).toBe(false)
})

it('row 80: has a model name the folder', async () => {
  const use = (envFile: string) =>
    editor.evaluate(async (vscode, path) => {
      type Tools = { invokeTool(name: string, options: object): Promise<{ content: { value: string }[] }> }
      const { lm } = vscode as unknown as { lm: Tools }
      const input = { command: 'printenv V; basename "$PWD"', envFile: path }
      const { content } = await lm.invokeTool('postern_run_with_secrets', { input, toolInvocationToken: undefined })
      return content.map(({ value }) => value).join('')
    }, envFile)
  const yes = () => dialog().getByRole('button', { name: 'Yes' }).click()
  const [refused] = await Promise.all([use('.env'), yes()])
  expect(refused).toContain('a/.env, b/.env')
  const [told] = await Promise.all([use('b/.env'), yes()])
  expect(told).toBe('Exit code: 0\n[postern:V]\nb\n')
  expect(await searchHost(editor, Object.values(values))).toEqual([])
})
