/** A window or a folder of another machine has no program started on this one. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { registerLanguageModelTools } from '../../../../extension/language_model_tools.ts'
import { Consents } from '../../../../extension/run/consent.ts'
import { registerDebugging } from '../../../../extension/run/debug.ts'
import { registerInputCommand } from '../../../../extension/run/input_command.ts'
import { registerTasks } from '../../../../extension/run/tasks.ts'
import { registerTerminals } from '../../../../extension/run/terminal.ts'
import { registerWriteEnvFile } from '../../../../extension/run/write_env_file.ts'
import { editor, stubMachine, uriOf } from '../stub_editor.ts'
import { stubServices } from '../stub_services.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

const ENV = { '.env': 'API_KEY=only-in-the-file-of-the-container\n' }
const COMMAND = 'sh ./build.sh'

/** Each way in which a program, or a file with values, comes to be. */
const ways: Record<string, () => Promise<unknown>> = {
  'a task': () => editor.runTask({ type: 'postern', command: COMMAND }, editor.folders[0]),
  'the tool of a model': () => editor.useTool('postern_run_with_secrets', { command: COMMAND }),
  'a launch configuration': async () => {
    const configuration = { type: 'node', name: 'app', program: 'app.js', postern: {} }
    return editor.debug!.resolveDebugConfigurationWithSubstitutedVariables!(editor.folders[0], configuration)
  },
  'a launch configuration with values': async () => {
    const configuration = { type: 'python', name: 'app', program: 'app.py', postern: { inject: 'env' } }
    return editor.debug!.resolveDebugConfigurationWithSubstitutedVariables!(editor.folders[0], configuration)
  },
  'an input': async () => editor.commands.get('postern.handOver')!({ envFile: '.env' }),
  'the launcher': async () => editor.commands.get('postern.launcher')!(),
  'a terminal': async () => editor.commands.get('postern.runInTerminal')!(editor.active, COMMAND),
  'a shell': async () => editor.commands.get('postern.newShell')!(editor.active),
  'a terminal profile': async () => editor.profile!.provideTerminalProfile(),
  'a .env on the disk': async () => editor.commands.get('postern.writeEnvFile')!(),
}

const stub = stubMachine()

function open(at: { scheme?: string; authority?: string }, extensionKind = 1) {
  const folder = editor.openFolder('/tmp/proj', ENV, at)
  editor.active = uriOf('/tmp/proj/.env', at.scheme, at.authority)
  editor.settings.set('postern.allowWriteToDisk', true)
  editor.answers.push(...['Start', 'Start', 'Hand Over', 'Write'])
  const services = stubServices(stub.machine, {}, extensionKind)
  const consents = new Consents(services.workspaceState)
  registerTasks(services, consents)
  registerDebugging(services, consents)
  for (const register of [registerLanguageModelTools, registerInputCommand, registerTerminals, registerWriteEnvFile])
    register(services)
  return { folder, services }
}

beforeEach(() => {
  editor.reset()
  stub.started.splice(0)
})

describe.each<[string, () => ReturnType<typeof open>]>([
  ['a folder of a container', () => open({ scheme: 'vscode-remote', authority: 'dev-container+abc' })],
  ['a folder of a repository that was not cloned', () => open({ scheme: 'vscode-vfs', authority: 'github' })],
  ['a folder of another extension, without an authority', () => open({ scheme: 'memfs' })],
  [
    'a file of this machine in a window over SSH',
    () => {
      editor.remoteName = 'ssh-remote'
      return open({})
    },
  ],
])('for %s', (_, openIt) => {
  it.each(Object.keys(ways))('row 80: starts nothing by %s, and says where the folder is', async (way) => {
    const { services } = openIt()
    const told = await ways[way]!()
    expect(stub.started).toEqual([])
    expect(editor.terminals).toEqual([])
    expect(services.localMachine.canRun()).toBe(false)
    const words = JSON.stringify([told ?? '', editor.complaints])
    expect(words).toMatch(/is on another machine \((dev-container\+abc|ssh-remote)\)|not on a disk of this machine/)
    expect(words).toMatch(/Install Postern there|Open a local copy/)
  })
})

it.each(Object.keys(ways))('starts a program for a folder of this machine by %s', async (way) => {
  const { services } = open({})
  editor.answers.splice(
    0,
    editor.answers.length,
    way === 'an input' ? 'Hand Over' : way.includes('disk') ? 'Write' : 'Start',
  )
  const told = await ways[way]!()
  expect(editor.complaints).toEqual([])
  if (way === 'the launcher') expect(told).toBe('/extension/launch.cjs')
  else if (way.endsWith('with values')) expect(told).toMatchObject({ env: { API_KEY: expect.any(String) } })
  else expect(stub.started).toHaveLength(1)
  // The environment that the machine requires for a launcher, in runs with and without one.
  for (const { env } of editor.terminals) expect(env).toEqual({ NODE_OPTIONS: null })
  expect(services.localMachine.canRun()).toBe(true)
})

it.each(['a terminal', 'a shell', 'a terminal profile'])(
  'row 80: asks before %s gets entries of the file that decide what code runs',
  async (way) => {
    open({})
    editor.files.set('file:///tmp/proj/.env', 'API_KEY=x\nLD_PRELOAD=./x.so\n')
    // A terminal asks for its command before.
    const answers = way === 'a terminal' ? [COMMAND, undefined, COMMAND, 'Start'] : [undefined, 'Start']
    editor.answers.splice(0, editor.answers.length, ...answers)
    await ways[way]!()
    expect(stub.started).toEqual([])
    await ways[way]!()
    expect(stub.started).toHaveLength(1)
    const details = editor.questions.map(({ detail }) => detail).filter(Boolean)
    expect(details).toEqual(Array(2).fill(expect.stringContaining('LD_PRELOAD')))
  },
)

it('starts a program in a window over SSH when the extension runs there too', async () => {
  editor.remoteName = 'ssh-remote'
  open({}, 2)
  await ways['a task']!()
  expect(stub.started).toHaveLength(1)
})

it('starts nothing where VS Code does not say on which side the extension runs', async () => {
  editor.remoteName = 'wsl'
  open({}, 0)
  await ways['a task']!()
  expect(stub.started).toEqual([])
})

it('gives no launcher in a window whose folders are all elsewhere, even if the window has no remote name', async () => {
  open({ scheme: 'vscode-vfs', authority: 'github' })
  expect(await ways['the launcher']!()).toBeUndefined()
  editor.openFolder('/tmp/here', ENV)
  expect(await ways['the launcher']!()).toBe('/extension/launch.cjs')
})
