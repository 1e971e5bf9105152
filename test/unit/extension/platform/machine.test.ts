/** What the extension runs on a machine: a folder that was only opened has none of its own programs run. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { buildSync } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Redacted } from '../../../../core/redacted.ts'
import type { HydratedDocuments } from '../../../../extension/hydration/documents.ts'
import { registerDiagnostics } from '../../../../extension/language/diagnostics.ts'
import type { IgnoredFindings } from '../../../../extension/language/ignored_findings.ts'
import { machineFor } from '../../../../extension/platform/machine.ts'
import { registerWriteEnvFile } from '../../../../extension/run/write_env_file.ts'

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

const LAUNCH = resolve(import.meta.dirname, '../../../../extension/platform/launch.ts')
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

describe('values that wait for a program', () => {
  const values = { DB_URL: new Redacted('hunter2 hunter2') }

  it('are given to it once', async () => {
    buildSync({ entryPoints: [LAUNCH], outfile: join(folder, 'launch.cjs'), bundle: true, platform: 'node' })
    const { address, script, node } = await machineFor(folder).handOver(values)
    const env = { PATH: process.env.PATH, POSTERN_HANDOVER: address }
    const run = () => promisify(execFile)(node, [script, 'echo "$DB_URL$POSTERN_HANDOVER"'], { env })
    expect((await run()).stdout).toBe('hunter2 hunter2\n')
    await expect(run()).rejects.toThrow('fetched before')
  })

  it('are not given to a program that only found the address', async () => {
    const { address, dispose } = await machineFor(folder).handOver(values)
    for (const said of ['', 'x'.repeat(36), 'x'.repeat(100)]) {
      const socket = connect(address.slice(0, address.lastIndexOf('#')))
      socket.end(said)
      expect(Buffer.concat(await socket.toArray().catch(() => [])).toString()).toBe('')
    }
    dispose()
  })
})

describe('a .env that was written', () => {
  it('is gone once the editor has closed, if it is still ours', () => {
    const [ours, theirs] = [join(folder, 'ours.hydrated'), join(folder, 'theirs.hydrated')]
    writeFileSync(ours, '# Written by Postern, deleted when its time is over: then\nA=b\n')
    writeFileSync(theirs, 'A=b\n')
    const written = [ours, theirs].map((path) => ({ path, until: Date.now() + 3_600_000 }))
    const workspaceState = { get: () => written, update: async () => {} }
    const services = { workspaceState, platform: { machine: machineFor('') } } as never
    editor.disposed.splice(0)
    registerWriteEnvFile(services)
    // As the editor does: at once, and without waiting for anything.
    for (const dispose of editor.disposed) dispose()
    expect([existsSync(ours), existsSync(theirs)]).toEqual([false, true])
  })

  it('is gone when its time is over, that of an earlier window too, and is not remembered any more', async () => {
    vi.useFakeTimers({ now: 1_000_000 })
    try {
      const paths = ['early', 'late', 'theirs'].map((name) => join(folder, `${name}.hydrated`))
      for (const path of paths.slice(0, 2))
        writeFileSync(path, '# Written by Postern, deleted when its time is over: then\nA=b\n')
      writeFileSync(paths[2]!, 'A=b\n')
      let written = paths.map((path, i) => ({ path, until: 1_000_000 + [-5, 60_000, 60_000][i]! }))
      const workspaceState = {
        get: () => written,
        async update(_: string, now: typeof written) {
          written = now
        },
      }
      const services = { workspaceState, platform: { machine: machineFor('') } } as never
      registerWriteEnvFile(services)
      const there = () => paths.map((path) => existsSync(path))
      await vi.advanceTimersByTimeAsync(59_000)
      expect(there()).toEqual([false, true, true])
      await vi.advanceTimersByTimeAsync(1000)
      expect(there()).toEqual([false, false, true])
      expect(written).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('looking for secrets in a document', () => {
  it('asks git only in a folder that is trusted', async () => {
    const asked: string[] = []
    const machine = { isIgnored: async (path: string) => asked.push(path) > 0 }
    const vaults = { onDidChange: nothing, onDidLoadNames: nothing }
    const services = { platform: { machine }, vaults, log: { failed: rethrow } } as never
    const ignored = { has: async () => false } as unknown as IgnoredFindings
    const hydrations = { onDidChange: nothing } as unknown as HydratedDocuments
    for (const isTrusted of [false, true]) {
      editor.workspace.isTrusted = isTrusted
      editor.found.mockClear()
      registerDiagnostics(services, hydrations, ignored)
      await vi.waitFor(() => expect(editor.found).toHaveBeenCalledOnce())
      expect(editor.found.mock.calls[0]![1]).toHaveLength(1)
      expect(asked).toEqual(isTrusted ? ['/folder/.env'] : [])
    }
  })
})
