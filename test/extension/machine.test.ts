/** What the extension runs on a machine: a folder that was only opened has none of its own programs run. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Ignored, registerDiagnostics } from '../../extension/diagnose.ts'
import { registerEnvFile } from '../../extension/env_file.ts'
import type { Hydrations } from '../../extension/hydrated.ts'
import type { Parts } from '../../extension/parts.ts'
import { machineFor } from '../../extension/platform/machine.ts'

const { nothing, editor } = vi.hoisted(() => {
  const nothing = () => ({ dispose() {} })
  const uri = { scheme: 'file', path: '/folder/.env', fsPath: '/folder/.env', toString: () => 'file:///folder/.env' }
  const text = 'API_TOKEN=hunter2hunter2\n'
  const document = { uri, languageId: 'dotenv', version: 1, getText: () => text, positionAt: (at: number) => at }
  const watched = ['onDidOpenTextDocument', 'onDidChangeTextDocument', 'onDidCloseTextDocument']
  const found = vi.fn((_: unknown, __: unknown[]) => {})
  const workspace = {
    isTrusted: false,
    textDocuments: [document],
    getConfiguration: () => ({ get: (_: string, usual: unknown) => usual }),
    ...Object.fromEntries([...watched, 'onDidChangeConfiguration'].map((event) => [event, nothing])),
  }
  const disposed: (() => void)[] = []
  return { nothing, editor: { workspace, found, disposed } }
})
vi.mock('vscode', () => ({
  workspace: editor.workspace,
  l10n: { t: (text: string) => text },
  commands: { registerCommand: nothing },
  languages: { createDiagnosticCollection: () => ({ set: editor.found, delete: nothing }) },
  Disposable: class {
    static from = nothing
    constructor(dispose: () => void) {
      editor.disposed.push(dispose)
    }
  },
  Diagnostic: class {},
  DiagnosticSeverity: {},
  Range: class {},
}))

function rethrow(_: string, error: unknown): never {
  throw error
}

const { isIgnored } = machineFor('')
let folder: string
const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, stdio: 'pipe' })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-machine-'))
  git('init', '--quiet')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('whether git ignores a file', () => {
  it('is as git says, exceptions and tracked files too', async () => {
    writeFileSync(join(folder, '.gitignore'), '*.hydrated\n!kept.hydrated\ntracked.env\n')
    writeFileSync(join(folder, 'tracked.env'), '')
    git('add', '--force', 'tracked.env')
    expect(await isIgnored(join(folder, '.env.hydrated'))).toBe(true)
    expect(await isIgnored(join(folder, 'kept.hydrated'))).toBe(false)
    expect(await isIgnored(join(folder, 'tracked.env'))).toBe(false)
    rmSync(join(folder, '.git'), { recursive: true })
    expect(await isIgnored(join(folder, '.env.hydrated'))).toBe(null)
  })

  it('is asked without running what the configuration of the repository names', async () => {
    const trace = join(folder, 'ran')
    writeFileSync(join(folder, 'monitor.sh'), `#!/bin/sh\ntouch '${trace}'\n`, { mode: 0o755 })
    writeFileSync(join(folder, '.env'), '')
    git('add', '.env')
    git('config', 'core.fsmonitor', join(folder, 'monitor.sh'))
    // The trap works: git itself falls into it.
    git('status')
    expect(existsSync(trace)).toBe(true)
    rmSync(trace)
    expect(await isIgnored(join(folder, '.env.hydrated'))).toBe(false)
    expect(existsSync(trace)).toBe(false)
  })
})

describe('a folder that looks like a repository, as one that was cloned may have', () => {
  it('is not obeyed', async () => {
    const trace = join(folder, 'ran')
    const planted = join(folder, 'planted')
    git('init', '--quiet', '--bare', planted)
    writeFileSync(join(folder, 'monitor.sh'), `#!/bin/sh\ntouch '${trace}'\n`, { mode: 0o755 })
    const core = ['bare = false', 'worktree = ../planted', `fsmonitor = ${join(folder, 'monitor.sh')}`]
    writeFileSync(join(planted, 'config'), `[core]\n${core.join('\n')}\n[safe]\nbareRepository = all\n`)
    writeFileSync(join(planted, '.gitignore'), '*\n')
    expect(await isIgnored(join(planted, '.env.hydrated'))).toBe(null)
    expect(existsSync(trace)).toBe(false)
  })
})

describe('a .env that was written', () => {
  it('is gone once the editor has closed, if it is still ours', () => {
    const [ours, theirs] = [join(folder, 'ours.hydrated'), join(folder, 'theirs.hydrated')]
    writeFileSync(ours, '# Written by Postern, deleted when its time is over: then\nA=b\n')
    writeFileSync(theirs, 'A=b\n')
    const written = [ours, theirs].map((path) => ({ path, until: Date.now() + 3_600_000 }))
    const workspaceState = { get: () => written, update: async () => {} }
    const parts = { context: { workspaceState }, platform: { machine: machineFor('') } } as unknown as Parts
    editor.disposed.splice(0)
    registerEnvFile(parts)
    // As the editor does: at once, and without waiting for anything.
    for (const dispose of editor.disposed) dispose()
    expect([existsSync(ours), existsSync(theirs)]).toEqual([false, true])
  })
})

describe('looking for secrets in a document', () => {
  it('asks git only in a folder that is trusted', async () => {
    const asked: string[] = []
    const machine = { isIgnored: async (path: string) => asked.push(path) > 0 }
    const vaults = { onDidChange: nothing }
    const parts = { platform: { machine }, vaults, log: { failed: rethrow } } as unknown as Parts
    const ignored = { has: async () => false } as unknown as Ignored
    const hydrations = { onDidChange: nothing } as unknown as Hydrations
    for (const isTrusted of [false, true]) {
      editor.workspace.isTrusted = isTrusted
      editor.found.mockClear()
      registerDiagnostics(parts, hydrations, ignored)
      await vi.waitFor(() => expect(editor.found).toHaveBeenCalledOnce())
      expect(editor.found.mock.calls[0]![1]).toHaveLength(1)
      expect(asked).toEqual(isTrusted ? ['/folder/.env'] : [])
    }
  })
})
