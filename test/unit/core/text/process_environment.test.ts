/** Values that the environment of a program cannot hold: refused by their keys before a start, and never cut. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { buildSync } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Redacted } from '../../../../core/redacted.ts'
import { limitsOf, unfitIn } from '../../../../core/text/process_environment.ts'
import { registerLanguageModelTools } from '../../../../extension/language_model_tools.ts'
import { machineFor } from '../../../../extension/platform/machine.ts'
import { Consents } from '../../../../extension/run/consent.ts'
import { registerDebugging } from '../../../../extension/run/debug.ts'
import { registerInputCommand } from '../../../../extension/run/input_command.ts'
import { registerTasks } from '../../../../extension/run/tasks.ts'
import { registerTerminals } from '../../../../extension/run/terminal.ts'
import { registerWriteEnvFile } from '../../../../extension/run/write_env_file.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { needs, ON_LINUX } from '../../../support/needs.ts'
import { editor } from '../../extension/stub_editor.ts'
import { stubServices } from '../../extension/stub_services.ts'

vi.mock('vscode', async () => (await import('../../extension/stub_editor.ts')).api)

const LINUX = limitsOf('linux')
/** A value that makes `K=value` as long as this, in bytes. */
const ofBytes = (size: number) => 'Q'.repeat(size - 2)
const kinds = (values: Record<string, string>, limits = LINUX) => unfitIn(values, limits).map(({ kind }) => kind)

describe('an environment', () => {
  it.each([
    ['a NUL', { K: 'sec\0ret' }, ['nul']],
    ['a NUL at its end', { K: 'secret\0' }, ['nul']],
    ['a lone surrogate', { K: 'p\ud83dw' }, ['malformed']],
    ['no name', { '': 'x' }, ['name']],
    ['a name with an equals sign', { 'A=B': 'x' }, ['name']],
    ['a name with a NUL', { 'A\0B': 'x' }, ['name']],
    ['several of these', { A: '\0', B: 'fine', C: '\ud83d' }, ['nul', 'malformed']],
  ])('row 81: cannot hold a value with %s', (_, values, expected) => {
    for (const platform of ['linux', 'darwin', 'win32']) expect(kinds(values, limitsOf(platform))).toEqual(expected)
  })

  it('row 81: holds a variable up to the largest size of Linux, counted in bytes', () => {
    expect(kinds({ K: ofBytes(131_071) })).toEqual([])
    expect(kinds({ K: ofBytes(131_072) })).toEqual(['too_long'])
    expect(kinds({ K: 'ä'.repeat(65_534) })).toEqual([])
    expect(kinds({ K: 'ä'.repeat(65_535) })).toEqual(['too_long'])
    // macOS has a limit for all together only, Windows one in characters.
    expect(kinds({ K: ofBytes(200_000) }, limitsOf('darwin'))).toEqual([])
    expect(kinds({ K: 'ä'.repeat(32_764) }, limitsOf('win32'))).toEqual([])
    expect(kinds({ K: 'ä'.repeat(32_765) }, limitsOf('win32'))).toEqual(['too_long'])
  })

  it('row 81: holds no more in total than the system allows, with inherited variables and arguments', () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`K${i}`, ofBytes(65_000)]))
    const [problem] = unfitIn(many, LINUX)
    expect(problem).toMatchObject({ kind: 'too_large', keys: ['K0', 'K1', 'K2', 'K3', 'K4'], limit: 2_097_152 })
    const half = { K: ofBytes(100_000) }
    const limits = { ...LINUX, total: 150_000 }
    expect(unfitIn(half, limits)).toEqual([])
    expect(unfitIn(half, limits, { OTHER: ofBytes(60_000) })).toHaveLength(1)
    expect(unfitIn(half, limits, {}, 60_000)).toHaveLength(1)
    // What a value takes the place of does not count.
    expect(unfitIn(half, limits, { K: ofBytes(60_000) })).toEqual([])
  })

  it('reads a stack limit that is small, large or unlimited', () => {
    expect(limitsOf('linux', 64 * 1024).total).toBe(128 * 1024)
    expect(limitsOf('linux', 16 * 1024 * 1024).total).toBe(4 * 1024 * 1024)
    expect(limitsOf('linux', Number.MAX_SAFE_INTEGER).total).toBe(6 * 1024 * 1024)
  })
})

const big = 'Q'.repeat(65_000)
const secret = canary()
const plain = `plain-${crypto.randomUUID()}`
const SECRETS: Record<string, string> = {
  'postern://default/dev/ok': 'fine-value-123',
  'postern://default/dev/nul': `${secret}\0ret`,
  'postern://default/dev/end': `${secret}\0`,
  'postern://default/dev/half': `${secret}\ud83d`,
  'postern://default/dev/long': secret.padEnd(131_072, 'Q'),
}
for (let i = 0; i < 200; i++) SECRETS[`postern://default/big/k${i}`] = big
const FILES = {
  'nul.env': 'N=postern://default/dev/nul\nB=postern://default/dev/ok\n',
  'end.env': 'N=postern://default/dev/end\nB=postern://default/dev/ok\n',
  'half.env': 'N=postern://default/dev/half\n',
  'long.env': 'N=postern://default/dev/long\n',
  'plain.env': `N="${plain}\0x"\n`,
  'big.env': Array.from({ length: 200 }, (_, i) => `K${i}=postern://default/big/k${i}\n`).join(''),
}
const WHY: Record<string, RegExp> = {
  'nul.env': /the value of N contains a NUL character/,
  'end.env': /the value of N contains a NUL character/,
  'half.env': /the value of N is not well-formed Unicode/,
  'long.env': /N is too large: its size is \d+, but this system allows 131071/,
  'plain.env': /plain\.env: line 1: The file contains a NUL character/,
  'big.env':
    /the environment would have \d+ bytes, but this system allows \d+\. Request fewer keys\. The largest are K0, /,
}

const ways: Record<string, (envFile: string) => Promise<unknown>> = {
  'a task': (envFile) => editor.runTask({ type: 'postern', command: 'exit 0', envFile }, editor.folders[0]),
  'the tool of a model': (envFile) => editor.useTool('postern_run_with_secrets', { command: 'exit 0', envFile }),
  'a debugger of Node': (envFile) =>
    editor.debug!.resolveDebugConfigurationWithSubstitutedVariables!(editor.folders[0], {
      ...{ type: 'node', name: 'app', program: 'app.js', postern: { envFile } },
    }),
  'another debugger': (envFile) =>
    editor.debug!.resolveDebugConfigurationWithSubstitutedVariables!(editor.folders[0], {
      ...{ type: 'python', name: 'app', program: 'app.py', postern: { envFile, inject: 'env' } },
    }),
  'an input': async (envFile) => editor.commands.get('postern.handOver')!({ envFile }),
  async 'a terminal'(envFile) {
    const { uri } = { uri: [...editor.files.keys()].find((path) => path.endsWith(`/${envFile}`))! }
    editor.active = { ...editor.folders[0]!.uri, path: uri.slice(7), fsPath: uri.slice(7), toString: () => uri }
    return editor.commands.get('postern.runInTerminal')!(undefined, 'exit 0')
  },
}

const LAUNCH = resolve(import.meta.dirname, '../../../../extension/platform/launch.ts')
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-environment-'))
  editor.reset()
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a start', needs(ON_LINUX), () => {
  beforeEach(() => {
    const machine = { ...machineFor(folder), isInside: async () => true }
    const services = stubServices(machine, SECRETS)
    const consents = new Consents(services.workspaceState)
    registerTasks(services, consents)
    registerDebugging(services, consents)
    for (const register of [registerLanguageModelTools, registerInputCommand, registerTerminals, registerWriteEnvFile])
      register(services)
    editor.openFolder(folder, FILES)
  })

  describe.each(Object.keys(FILES))('with %s', (envFile) => {
    it.each(Object.keys(ways))('row 81: is refused with the key and the reason, without the value: %s', async (way) => {
      editor.answers.push(way === 'an input' ? 'Hand Over' : 'Start')
      const told = await ways[way]!(envFile)
      const words = JSON.stringify([told ?? '', editor.complaints])
      expect(words).toMatch(WHY[envFile]!)
      expect(leaks(words, [secret, plain])).toEqual([])
      expect(editor.terminals).toEqual([])
    })
  })

  it('succeeds with values that fit', async () => {
    editor.files.set(`file://${folder}/ok.env`, 'B=postern://default/dev/ok\n')
    editor.answers.push('Start')
    expect(await ways['a task']!('ok.env')).toMatchObject({ code: 0 })
  })
})

describe('the launcher', needs(ON_LINUX), () => {
  it('row 81: reports values that do not fit beside those of its terminal, rather than a timeout', async () => {
    buildSync({ entryPoints: [LAUNCH], outfile: join(folder, 'launch.cjs'), bundle: true, platform: 'node' })
    const values = Object.fromEntries(
      Array.from({ length: 14 }, (_, i) => [`K${i}`, new Redacted('Q'.repeat(120_000))]),
    )
    const { address, script, node } = await machineFor(folder).handOver(values)
    // The terminal has a smaller stack than the editor, and with it less room.
    const shell = `ulimit -s 1024; exec "$0" "$@"`
    const env = { PATH: process.env.PATH, POSTERN_HANDOVER: address }
    const run = promisify(execFile)('sh', ['-c', shell, node, script, 'exit 0'], { env })
    await expect(run).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Postern: the values and the environment of this terminal are too large together/),
    })
  })

  it('row 80: starts without the Node options that a folder sets for terminals', async () => {
    const { environment, dispose } = await machineFor(folder).handOver({})
    dispose()
    // `null` removes a variable from a terminal; what the user has set outside of the editor stays.
    for (const name of ['NODE_OPTIONS', 'LD_PRELOAD', 'DYLD_INSERT_LIBRARIES'])
      expect(environment).toHaveProperty(name, process.env[name] ?? null)
    expect(environment).toMatchObject({ ELECTRON_RUN_AS_NODE: '1', POSTERN_HANDOVER: expect.any(String) })
  })
})
