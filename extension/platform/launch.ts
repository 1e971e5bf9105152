/**
 * Fetches values that the editor hands over, and passes them on to a program.
 *
 * `launch.cjs <command> [message]` runs a command in a terminal. With a message, it shows the message at the end and keeps the
 * terminal open until the user presses a key. `node --require launch.cjs program.js` puts the values into the program's own
 * environment.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process'
import process from 'node:process'

/** The variable with the path of the socket and, after a `#`, the key to send. `machine.ts` answers once. */
const ADDRESS = 'POSTERN_HANDOVER'
// A required script cannot await, and Node has no synchronous socket, so a child process fetches the values.
const FETCH = `
  const [, path, key] = /^(.*)#(.*)$/s.exec(process.env.${ADDRESS})
  const socket = require("node:net").connect(path).on("error", () => process.exit(1))
  socket.write(key)
  socket.pipe(process.stdout)`

function fetchValues(address: string): Record<string, string> {
  // The child does not inherit variables such as `NODE_OPTIONS`, so that no debugger attaches to it.
  const env = {
    [ADDRESS]: address,
    ELECTRON_RUN_AS_NODE: '1',
    PATH: process.env.PATH,
    SystemRoot: process.env.SystemRoot,
  }
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
  // An environment can be larger than the default limit of 1 MiB.
  const options = { encoding: 'utf8', env, stdio, timeout: 10_000, maxBuffer: Number.POSITIVE_INFINITY } as const
  const text = execFileSync(process.execPath, ['-e', FETCH], options)
  return JSON.parse(text)
}

function takeValues(): void {
  const address = process.env[ADDRESS]
  // Programs that this one starts inherit the values, but not the address.
  delete process.env[ADDRESS]
  if (address !== undefined) Object.assign(process.env, fetchValues(address))
}

function runCommand(command: string, message?: string): void {
  delete process.env.ELECTRON_RUN_AS_NODE
  // The terminal sends the interrupt to both processes. The command decides whether it ends.
  process.on('SIGINT', () => {})
  const child = spawn(command, { shell: true, stdio: 'inherit' })
  child.on('error', () => process.exit(127))
  child.on('exit', (code, signal) => end(signal === null ? (code ?? 1) : 128, message))
}

/** Exits, after a key press if there is a message. The editor closes a terminal on exit, before the user could read the output. */
function end(code: number, message?: string): void {
  const { stdin, stdout } = process
  if (message === undefined || !stdin.isTTY) process.exit(code)
  stdout.write(`\n${message.replace('{0}', String(code))}`)
  stdin.setRawMode(true).resume()
  stdin.once('data', () => process.exit(code))
}

/** Exits with a fixed message, because the message of an error could quote a value. */
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
  // The editor checked the size against its own environment, but the environment of this terminal is larger.
  if (code === 'E2BIG')
    fail('the values and the environment of this terminal are too large together. Ask for fewer keys')
  fail('the command could not be started')
}
