/**
 * Programs and private files on a machine with an operating system.
 *
 * Values go directly into the environment of the program that needs them, or wait for it behind a socket that answers once. The
 * editor never receives them, because any extension can read its terminal options and debug configurations.
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
/** The variable from which `launch.ts` reads the address. */
const ADDRESS = 'POSTERN_HANDOVER'
/** The bytes that the shell's own path, its arguments and their pointers take. */
const SHELL_BYTES = 256
/** The bytes that a terminal adds to the environment of the editor. */
const TERMINAL_BYTES = 16 * 1024
const LOADERS = [
  ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_REPL_EXTERNAL_MODULE'],
  ...['LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH'],
  ...['DYLD_INSERT_LIBRARIES', 'DYLD_LIBRARY_PATH', 'DYLD_FRAMEWORK_PATH'],
]

/** Makes the operations of this machine. */
export function machineFor(extensionPath: string): Machine {
  const script = join(extensionPath, 'launch.cjs')
  const handOverFrom = (values: EnvironmentValues) => handOver(values, script)
  const fittingHere = (values: EnvironmentValues) => fitting(values, TERMINAL_BYTES)
  const variable = (name: string) => process.env[name]
  return {
    ...{ variable, launcher: script, fitting: fittingHere, run, handOver: handOverFrom },
    ...{ isInside, writePrivate, removeOwn, isIgnored },
  }
}

function run({ command, folder, values, onOutput }: RunOptions): RunningProgram {
  const environment = fitting(values, utf8(command).length)
  const child = spawn(command, {
    shell: true,
    env: { ...process.env, ...environment },
    stdio: 'pipe',
    // A separate process group, so that `stop` also reaches the processes that the program starts.
    detached: process.platform !== 'win32',
    ...(folder !== undefined && { cwd: folder }),
  })
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => onOutput(text, name))
  }
  // A program may exit without reading its input, which is not an error.
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
        // The program has just ended by itself.
      }
    },
    ended,
  }
}

async function handOver(values: EnvironmentValues, script: string): Promise<Handover> {
  const answer = JSON.stringify(fitting(values, TERMINAL_BYTES))
  const onWindows = process.platform === 'win32'
  // Only the user can enter the folder. On Windows every user can list pipes and read from them, hence the key.
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
  // `wx` fails if the path exists, also as a link.
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
    // The file is gone, or never existed.
  }
  if (text.startsWith(beginning)) unlinkSync(path)
}

function isIgnored(path: string): Promise<boolean | null> {
  const { promise, resolve } = Promise.withResolvers<boolean | null>()
  // The configuration of a repository can name a program to run. So can a bare repository inside a cloned folder.
  const settings = ['core.fsmonitor=false', 'safe.bareRepository=explicit'].flatMap((one) => ['-c', one])
  const question = ['-C', dirname(path), 'check-ignore', '--quiet', '--', path]
  // Windows searches the current folder for a program first, and the folder of the file could contain a `git.exe`.
  execFile('git', [...settings, ...question], { cwd: homedir(), timeout: 5000 }, (error) => {
    // Exit code 0 means ignored, 1 means not ignored. Any other failure means that git or the repository is missing.
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
 * @param reserved The bytes that the arguments, and variables beyond those of this process, will take.
 * @throws {UnfitEnvironment} when the system could not pass the values to a program.
 */
function fitting(values: EnvironmentValues, reserved: number): Record<string, string> {
  const revealed = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()]))
  const limits = limitsOf(process.platform, stackBytes())
  const problems = unfitIn(revealed, limits, process.env, reserved + SHELL_BYTES)
  if (problems.length > 0) throw new UnfitEnvironment(problems)
  return revealed
}

/** Reads the soft limit of the stack on Linux, in bytes; `undefined` elsewhere. It bounds the size of an environment. */
function stackBytes(): number | undefined {
  try {
    const soft = /^Max stack size\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}

/**
 * Lists the variables that load code into a program, with their values in the editor. A terminal would take them from the settings
 * of a folder.
 */
function userLoaders(): Record<string, string | null> {
  return Object.fromEntries(LOADERS.map((name) => [name, process.env[name] ?? null]))
}
