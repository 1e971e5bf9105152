/** A folder's `.env` is for that folder: in a window of several, none is taken for another. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { envFileFor } from '../../../../extension/edit/env_edit.ts'
import { registerLanguageModelTools } from '../../../../extension/language_model_tools.ts'
import { machineFor } from '../../../../extension/platform/machine.ts'
import { Consents } from '../../../../extension/run/consent.ts'
import { registerDebugging } from '../../../../extension/run/debug.ts'
import { registerInputCommand } from '../../../../extension/run/input_command.ts'
import { registerTasks } from '../../../../extension/run/tasks.ts'
import { api, editor, stubMachine, uriOf } from '../stub_editor.ts'
import { stubServices } from '../stub_services.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

const SECRETS = { 'postern://default/a/v': 'value-of-a', 'postern://default/b/v': 'value-of-b' }
const INPUTS = [{ id: 'secrets', type: 'command', command: 'postern.handOver', args: { envFile: '.env' } }]
const LAUNCH = { type: 'node', name: 'by input', program: 'prog.js', env: { POSTERN_HANDOVER: '${input:secrets}' } }
const stub = stubMachine()
const given = () => stub.started.map(({ values }) => values.V)

beforeEach(() => {
  editor.reset()
  stub.started.splice(0)
  const services = stubServices(stub.machine, SECRETS)
  const consents = new Consents(services.workspaceState)
  registerTasks(services, consents)
  registerDebugging(services, consents)
  registerLanguageModelTools(services)
  registerInputCommand(services)
})

/** Two folders with a `.env` each; `b` has the launch configuration and the input. */
function openTwo() {
  const [a, b] = ['a', 'b'].map((name) =>
    editor.openFolder(`/w/${name}`, { '.env': `V=postern://default/${name}/v\n` }),
  )
  editor.settings.set(`${b!.uri}:launch.inputs`, INPUTS)
  return { a: a!, b: b! }
}
const resolve = (folder: unknown, configuration: object) =>
  editor.debug!.resolveDebugConfiguration!(folder, configuration)
const resolveBlock = (folder: unknown, configuration: object) =>
  editor.debug!.resolveDebugConfigurationWithSubstitutedVariables!(folder, configuration)

describe('an input of a launch configuration', () => {
  it('row 80: gets the .env of the folder whose configuration it is of', async () => {
    const { b } = openTwo()
    editor.answers.push('Hand Over')
    expect(await resolve(b, LAUNCH)).toEqual({ ...LAUNCH, env: { POSTERN_HANDOVER: '/socket#key' } })
    expect(editor.questions.map(({ question }) => question)).toEqual(['Hand over the secrets of b/.env to a program?'])
    expect(given()).toEqual(['value-of-b'])
  })

  it('row 80: starts nothing after a no', async () => {
    const { b } = openTwo()
    editor.answers.push(undefined)
    expect(await resolve(b, LAUNCH)).toBeUndefined()
    expect(given()).toEqual([])
  })

  it('is left to the editor when it is not one of our inputs, or the folder has no input of its name', async () => {
    const { a, b } = openTwo()
    const other = { ...LAUNCH, env: { X: '${input:other}', Y: '$&' } }
    expect(await resolve(b, other)).toBe(other)
    expect(await resolve(a, LAUNCH)).toEqual(LAUNCH)
    editor.settings.set(`${a.uri}:launch.inputs`, [{ ...INPUTS[0], command: 'other.command' }, null, 'x'])
    expect(await resolve(a, LAUNCH)).toEqual(LAUNCH)
    expect(editor.questions).toEqual([])
  })

  it('keeps what stands around the variable, and asks once for two places', async () => {
    const { b } = openTwo()
    editor.answers.push('Hand Over')
    const args = ['--at=${input:secrets}', '"${input:secrets}"']
    expect(await resolve(b, { ...LAUNCH, args })).toMatchObject({ args: ['--at=/socket#key', '"/socket#key"'] })
    expect(editor.questions).toHaveLength(1)
  })
})

describe('the command, of which VS Code does not say who calls it', () => {
  const handOver = async (args?: object) => editor.commands.get('postern.handOver')!(args)

  it('row 80: asks for the folder by name, and takes none without an answer', async () => {
    openTwo()
    editor.answers.push('b', 'Hand Over', undefined, 'a', undefined)
    expect(await handOver({ envFile: '.env' })).toBe('/socket#key')
    expect(editor.questions[0]).toMatchObject({ choices: ['a', 'b'] })
    expect(editor.questions[1]!.question).toContain('b/.env')
    expect(await handOver()).toBeUndefined()
    expect(await handOver()).toBeUndefined()
    expect(given()).toEqual(['value-of-b'])
  })

  it('asks for none in a window of one folder', async () => {
    editor.openFolder('/w/a', { '.env': 'V=postern://default/a/v\n' })
    editor.answers.push('Hand Over')
    expect(await handOver()).toBe('/socket#key')
    expect(editor.questions).toHaveLength(1)
  })

  it('row 80: names all that the program gets, and marks what decides the code that runs', async () => {
    editor.openFolder('/w/a', { '.env': 'V=postern://default/a/v\nPLAIN=x\nLD_PRELOAD=./x.so\n' })
    await handOver()
    expect(editor.questions[0]!.detail).toContain('requests V. It also receives these plain entries of the file')
    expect(editor.questions[0]!.detail).toContain('PLAIN, LD_PRELOAD. WARNING: LD_PRELOAD can')
  })
})

describe('a task, and a block of a launch configuration', () => {
  const task = { type: 'postern', command: 'printenv V' }

  it('are of the folder that has them', async () => {
    const { b } = openTwo()
    editor.answers.push('Start', 'Start')
    await editor.runTask(task, b)
    await resolveBlock(b, { type: 'node', name: 'go', program: 'prog.js', postern: {} })
    expect(given()).toEqual(['value-of-b', 'value-of-b'])
    expect(stub.started[0]!.folder).toBe('/w/b')
  })

  it('row 80: have the folder chosen by name when they are of the workspace', async () => {
    openTwo()
    editor.answers.push('b', 'Start', 'b', 'Start', undefined, undefined)
    await editor.runTask(task, api.TaskScope.Workspace)
    await resolveBlock(undefined, { type: 'node', name: 'go', program: 'prog.js', postern: {} })
    expect(given()).toEqual(['value-of-b', 'value-of-b'])
    expect((await editor.runTask(task, api.TaskScope.Global)).code).toBe(1)
    expect(await resolveBlock(undefined, { type: 'node', name: 'go', postern: {} })).toBeUndefined()
    expect(given()).toHaveLength(2)
  })

  it('row 80: name files of their folder only', async () => {
    const { a } = openTwo()
    for (const envFile of ['../b/.env', '/w/b/.env/../../../etc/passwd', '../a', '.'])
      expect((await editor.runTask({ ...task, envFile }, a)).text).toContain('no file')
    editor.files.set('file:///w/a/linked.env', 'V=postern://default/b/v\n')
    editor.links.set('/w/a/linked.env', '/w/b/.env')
    expect((await editor.runTask({ ...task, envFile: 'linked.env' }, a)).text).toContain('link to a file outside')
    expect(given()).toEqual([])
  })
})

describe('a caller in a window without folders, or with a malformed request', () => {
  const wrong: [object, string][] = [
    [{}, 'no folder is open'],
    [{ envFile: 1 }, '"envFile" must be a string'],
    [{ keys: 'V' }, '"keys" must be a list of strings'],
    [{ keys: [1] }, '"keys" must be a list of strings'],
    [{ environment: null }, '"environment" must be a string'],
  ]
  it.each(wrong)('is told why: %j', async (block, reason) => {
    const { text } = await editor.runTask({ type: 'postern', command: 'printenv V', ...block }, api.TaskScope.Workspace)
    expect(text).toBe(`Postern: Refused: ${reason}\r\n`)
    await resolveBlock(undefined, { type: 'node', name: 'go', postern: block })
    await editor.commands.get('postern.handOver')!(block)
    expect(editor.complaints).toEqual(Array(2).fill(`Postern: Refused: ${reason}`))
  })

  it.each(['text', 7, true])('is told which block must be an object, not %j', async (block) => {
    await resolveBlock(undefined, { type: 'node', name: 'go', postern: block })
    await editor.commands.get('postern.handOver')!(block)
    expect(editor.complaints).toEqual([
      'Postern: Refused: "postern" must be an object',
      'Postern: Refused: "args" must be an object',
    ])
  })

  it('is told that a task has no command', async () => {
    const { text } = await editor.runTask({ type: 'postern' }, api.TaskScope.Workspace)
    expect(text).toBe('Postern: Refused: "command" must be a string\r\n')
  })
})

describe('the tool of a model', () => {
  const use = (envFile?: string) => editor.useTool('postern_run_with_secrets', { command: 'printenv V', envFile })

  it('row 80: names a folder in a window of several, and is told how', async () => {
    openTwo()
    expect(await use()).toBe(
      'Error: Refused: this window has several folders. Prefix the file with its folder: a/.env, b/.env',
    )
    expect(await use('c/.env')).toContain('several folders')
    expect(given()).toEqual([])
    await use('b/.env')
    expect(given()).toEqual(['value-of-b'])
    expect(stub.started[0]!.folder).toBe('/w/b')
  })

  it('row 80: gets no file outside of the folder that it names', async () => {
    openTwo()
    for (const path of ['b/../a/.env', 'b//w/a/.env', '../a/.env', '/w/a/.env']) await use(path)
    expect(given()).toEqual([])
  })

  it('row 80: is refused where two folders have the name', async () => {
    openTwo()
    editor.openFolder('/v/b', { '.env': 'V=postern://default/a/v\n' })
    expect(await use('b/.env')).toContain('several folders')
    expect(given()).toEqual([])
  })

  it('row 80: asks the user about entries that decide what code runs', async () => {
    editor.openFolder('/w/a', { '.env': 'V=postern://default/a/v\nPATH=./bin\n' })
    editor.answers.push(undefined, 'Start')
    expect(await use()).toBe('Not started: the user said no')
    expect(given()).toEqual([])
    await use()
    expect(given()).toEqual(['value-of-a'])
    expect(editor.questions[0]).toMatchObject({ question: 'Start with the entries of .env?' })
    expect(editor.questions[0]!.detail).toContain('WARNING: PATH')
  })
})

describe('a document of no folder', () => {
  const note = uriOf('/elsewhere/notes.ts')

  it('row 80: gets the .env of the folder that the user chooses, and of none otherwise', async () => {
    openTwo()
    editor.answers.push('b', undefined)
    expect(`${await envFileFor(note as never)}`).toBe('file:///w/b/.env')
    await expect(envFileFor(note as never)).rejects.toThrow()
    expect(`${await envFileFor(uriOf('/w/a/src/main.ts') as never)}`).toBe('file:///w/a/.env')
  })
})

describe('whether a file is in a folder', () => {
  const { isInside } = machineFor('')
  let top: string

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'postern-folders-'))
    for (const name of ['a/sub', 'b', 'a..b']) mkdirSync(join(top, name), { recursive: true })
    for (const name of ['a/.env', 'a/sub/.env', 'b/.env', 'a/..env', 'a..b/.env'])
      writeFileSync(join(top, name), 'V=1\n')
    symlinkSync('../b/.env', join(top, 'a/file'))
    symlinkSync('../b', join(top, 'a/folder'))
    symlinkSync('sub/.env', join(top, 'a/own'))
    symlinkSync('a', join(top, 'same'))
  })

  afterEach(() => rmSync(top, { recursive: true, force: true }))

  it.each([
    ['a/.env', 'a', true],
    ['a/sub/.env', 'a', true],
    ['a/..env', 'a', true],
    ['a/own', 'a', true],
    ['same/.env', 'a', true],
    ['a/.env', 'same', true],
    ['a/file', 'a', false],
    ['a/folder/.env', 'a', false],
    ['b/.env', 'a', false],
    ['a..b/.env', 'a', false],
    ['a', 'a', false],
    ['a/none', 'a', false],
  ])('row 80: follows links: %s in %s is %s', async (file, folder, expected) => {
    expect(await isInside(join(top, file), join(top, folder))).toBe(expected)
  })
})
