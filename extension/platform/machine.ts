/**
 * Programs and private files on a machine with an operating system.
 *
 * Values go straight into the environment of the program that needs them, or wait for it behind a socket that answers
 * once. The editor never gets them: what it is told (terminal options, debug configurations) any extension may read.
 *
 * @module
 */
import { execFile, spawn } from 'node:child_process'
import { readFileSync, unlinkSync } from 'node:fs'
import { chmod, mkdtemp, open, realpath, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import process from 'node:process'
import { utf8 } from '../../core/bytes.ts'
import { limitsOf, UnfitEnvironment, unfitIn } from '../../core/text/process_environment.ts'
import type { EnvironmentValues, Handover, Machine, RunningProgram, RunOptions } from './platform.ts'

const HANDOVER_MS = 30_000
/** Where `launch.ts` looks for the address. */
const ADDRESS = 'POSTERN_HANDOVER'
/** The shell's own path and arguments, and their pointers. */
const SHELL_BYTES = 256
/** What a terminal adds to the environment of the editor. */
const TERMINAL_BYTES = 16 * 1024
const LOADERS = [
  ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_REPL_EXTERNAL_MODULE'],
  ...['LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH'],
  ...['DYLD_INSERT_LIBRARIES', 'DYLD_LIBRARY_PATH', 'DYLD_FRAMEWORK_PATH'],
]

/** What this machine can do. */
export function machineFor(extensionPath: string): Machine {
  const script = join(extensionPath, 'launch.cjs')
  const handOverFrom = (values: EnvironmentValues) => handOver(values, script)
  const fittingHere = (values: EnvironmentValues) => fitting(values, TERMINAL_BYTES)
  return {
    ...{ launcher: script, fitting: fittingHere, run, handOver: handOverFrom },
    ...{ isInside, writePrivate, removeOwn, isIgnored },
  }
}

function run({ command, folder, values, onOutput }: RunOptions): RunningProgram {
  const environment = fitting(values, utf8(command).length)
  const child = spawn(command, {
    shell: true,
    env: { ...process.env, ...environment },
    stdio: 'pipe',
    // A group of its own, so that stopping it stops what it started.
    detached: process.platform !== 'win32',
    ...(folder !== undefined && { cwd: folder }),
  })
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => onOutput(text, name))
  }
  // A program that reads nothing is no fault of ours.
  child.stdin.on('error', () => {})
  const { promise: ended, resolve } = Promise.withResolvers<{ code: number | null }>()
  child.once('error', () => resolve({ code: 127 }))
  child.once('close', (code) => resolve({ code }))
  return {
    write: (text) => void child.stdin.write(text),
    stop() {
      if (child.pid === undefined || child.exitCode !== null) return
      try {
        if (process.platform === 'win32') child.kill()
        else process.kill(-child.pid, 'SIGTERM')
      } catch {
        // It ended by itself just now.
      }
    },
    ended,
  }
}

async function handOver(values: EnvironmentValues, script: string): Promise<Handover> {
  const answer = JSON.stringify(fitting(values, TERMINAL_BYTES))
  const onWindows = process.platform === 'win32'
  // Nobody else may enter the folder. On Windows all may see the names of pipes, and read from one: hence the key.
  const folder = onWindows ? null : await mkdtemp(join(tmpdir(), 'postern-'))
  const address = folder === null ? `\\\\.\\pipe\\postern-${crypto.randomUUID()}` : join(folder, 'values')
  const key = crypto.randomUUID()
  const server = createServer((socket) => {
    let said = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (text) => {
      said += text
      if (said.length < key.length) return
      if (isOver || said !== key) return void socket.destroy()
      socket.end(answer)
      end()
    })
  })
  let isOver = false
  const timer = setTimeout(end, HANDOVER_MS)
  function end() {
    isOver = true
    clearTimeout(timer)
    server.close()
    if (folder !== null) void rm(folder, { recursive: true, force: true })
  }
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', () => reject(new Error('Values cannot be handed over on this machine')))
  server.listen(address, resolve)
  await listening.catch((error) => {
    end()
    throw error
  })
  const place = `${address}#${key}`
  const environment = { ...userLoaders(), [ADDRESS]: place, ELECTRON_RUN_AS_NODE: '1' }
  return { address: place, script, node: process.execPath, environment, dispose: end }
}

async function writePrivate(path: string, text: string): Promise<void> {
  // `wx` follows no link and takes no file that is there.
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
  await chmod(path, 0o600)
}

function removeOwn(path: string, beginning: string): void {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // It is gone, or was never there.
  }
  if (text.startsWith(beginning)) unlinkSync(path)
}

function isIgnored(path: string): Promise<boolean | null> {
  const { promise, resolve } = Promise.withResolvers<boolean | null>()
  // A repository's own configuration may name a program to run, and so may one that lies in a folder that was cloned.
  const settings = ['core.fsmonitor=false', 'safe.bareRepository=explicit'].flatMap((one) => ['-c', one])
  const question = ['-C', dirname(path), 'check-ignore', '--quiet', '--', path]
  // Not begun in the folder: on Windows a program is looked for there first, and it may hold a `git.exe`.
  execFile('git', [...settings, ...question], { cwd: homedir(), timeout: 5000 }, (error) => {
    // 0: ignored; 1: not; anything else: no git, or no repository.
    resolve(error === null ? true : error.code === 1 ? false : null)
  })
  return promise
}

async function isInside(path: string, folder: string): Promise<boolean> {
  const [file, root] = await Promise.all([realpath(path), realpath(folder)]).catch(() => ['', ''])
  const way = relative(root, file)
  return file !== '' && way !== '' && way.split(sep)[0] !== '..' && !isAbsolute(way)
}

/**
 * Reveals values for the environment of a program.
 *
 * @param reserved Bytes that the program's arguments and what else it inherits take.
 * @throws {UnfitEnvironment}
 */
function fitting(values: EnvironmentValues, reserved: number): Record<string, string> {
  const revealed = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()]))
  const limits = limitsOf(process.platform, stackBytes())
  const problems = unfitIn(revealed, limits, process.env, reserved + SHELL_BYTES)
  if (problems.length > 0) throw new UnfitEnvironment(problems)
  return revealed
}

/** The soft limit of the stack on Linux. */
function stackBytes(): number | undefined {
  try {
    const soft = /^Max stack size\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}

/** Variables that load code into Node, as the user has them: a terminal would take them from the settings of a folder. */
function userLoaders(): Record<string, string | null> {
  return Object.fromEntries(LOADERS.map((name) => [name, process.env[name] ?? null]))
}
