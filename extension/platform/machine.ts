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
import { chmod, mkdtemp, open, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { Handover, Machine, Running, RunOptions, Values } from './platform.ts'

const HANDOVER_MS = 30_000

/** What this machine can do. */
export function machineFor(extensionPath: string): Machine {
  const script = join(extensionPath, 'launch.cjs')
  return { launcher: script, run, handOver: (values) => handOver(values, script), writePrivate, removeOwn, isIgnored }
}

function run({ command, folder, values, onOutput }: RunOptions): Running {
  const child = spawn(command, {
    shell: true,
    env: { ...process.env, ...revealed(values) },
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

async function handOver(values: Values, script: string): Promise<Handover> {
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
      socket.end(JSON.stringify(revealed(values)))
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
  return { address: `${address}#${key}`, script, node: process.execPath, dispose: end }
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

function revealed(values: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()]))
}
