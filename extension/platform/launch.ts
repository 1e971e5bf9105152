/**
 * Fetches values from where they wait, and goes on with them: `launch.cjs <command> [message]` runs a command in a
 * terminal, which stays until a key is pressed when there is a message to say so; `node --require launch.cjs program.js` puts them into the program's own environment.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process'
import process from 'node:process'

/** Where they wait, and after a `#` what to say there; `machine.ts` answers once. */
const ADDRESS = 'POSTERN_HANDOVER'
// Before a program begins nothing may be awaited, and Node has no socket that is synchronous.
const FETCH = `
  const [, path, key] = /^(.*)#(.*)$/s.exec(process.env.${ADDRESS})
  const socket = require("node:net").connect(path).on("error", () => process.exit(1))
  socket.write(key)
  socket.pipe(process.stdout)`

function fetchValues(address: string): Record<string, string> {
  // Of its own, so that no debugger attaches to it.
  const env = {
    [ADDRESS]: address,
    ELECTRON_RUN_AS_NODE: '1',
    PATH: process.env.PATH,
    SystemRoot: process.env.SystemRoot,
  }
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
  // What fits an environment can be more than the megabyte that is usual here.
  const options = { encoding: 'utf8', env, stdio, timeout: 10_000, maxBuffer: Number.POSITIVE_INFINITY } as const
  const text = execFileSync(process.execPath, ['-e', FETCH], options)
  return JSON.parse(text)
}

function takeValues(): void {
  const address = process.env[ADDRESS]
  // Programs that this one starts inherit the values, and find no address.
  delete process.env[ADDRESS]
  if (address !== undefined) Object.assign(process.env, fetchValues(address))
}

function runCommand(command: string, message?: string): void {
  delete process.env.ELECTRON_RUN_AS_NODE
  // The terminal's interrupt reaches both; the command decides.
  process.on('SIGINT', () => {})
  const child = spawn(command, { shell: true, stdio: 'inherit' })
  child.on('error', () => process.exit(127))
  child.on('exit', (code, signal) => end(signal === null ? (code ?? 1) : 128, message))
}

/** The editor closes a terminal whose program has ended: what it printed would be gone before anybody read it. */
function end(code: number, message?: string): void {
  const { stdin, stdout } = process
  if (message === undefined || !stdin.isTTY) process.exit(code)
  stdout.write(`\n${message.replace('{0}', String(code))}`)
  stdin.setRawMode(true).resume()
  stdin.once('data', () => process.exit(code))
}

/** Ends with words of ours: an error could quote a value. */
function fail(reason: string): never {
  process.stderr.write(`Postern: ${reason}\n`)
  process.exit(1)
}

try {
  takeValues()
} catch {
  fail('values were fetched before, or too late. Start again from the editor')
}
const isMain = require.main === module
try {
  if (isMain) runCommand(process.argv[2] ?? '', process.argv[3])
} catch (error) {
  const { code } = Object(error) as { code?: unknown }
  // The editor has checked them against its own environment; that of this terminal is larger.
  if (code === 'E2BIG')
    fail('the values and the environment of this terminal are too large together. Ask for fewer keys')
  fail('the command could not be started')
}
