/**
 * What the commands of an operator share: their help, their arguments, a question before a change, and their end.
 *
 * @module
 */
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { isTicket } from '../core/authentication/ticket.ts'
import { PosternError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import { closeDetours } from '../worker/local/detours.ts'

/** The values of options, by their names. */
export type Given = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>

/** One command, as `npm run …` starts it. */
export interface Command {
  /** What `--help` prints: the lines of usage, what it does, and each option. */
  help: string
  options?: ParseArgsOptionsConfig
  /** The names of its arguments; all of them must be given. */
  arguments?: readonly string[]
  /** Does the work, and returns what is printed. */
  run(given: Given, positionals: readonly string[]): Promise<string>
  /** What is said of an error that is not ours. Its message may quote an argument or a setting, so
   * that only its code, and the path of a file, are added. */
  failure: string
}

/**
 * Runs a command on the arguments of this process, prints what comes of it, and sets the exit code: 0, or 2 where a
 * verification found tampering, or 1.
 *
 * `--help` and `-h` print the help and do nothing else, whatever else is given.
 */
export async function runCommand(command: Command): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${command.help.trim()}\n`)
    return
  }
  try {
    const { values, positionals } = parsed(command, args)
    closeDetours()
    process.stdout.write(`${await command.run(values, positionals)}\n`)
  } catch (error) {
    process.stderr.write(`${messageOf(error, command.failure)}\n`)
    process.exitCode = error instanceof PosternError && error.code === 'tampered' ? 2 : 1
  }
}

/**
 * The token that a command comes with, from the environment.
 *
 * @throws {PosternError} `bad_request` for an operator's ticket: what it gives would be kept nowhere.
 */
export function tokenFrom({ TOKEN = '' }: { TOKEN?: string | undefined }): Redacted<string> {
  if (!isTicket(TOKEN)) return new Redacted(TOKEN)
  throw new PosternError(
    'bad_request',
    'TOKEN: This is a ticket. Exchange it for a token, and use that: docs/how-to/recovery.md',
  )
}

/**
 * Asks before something is changed. Without a terminal there is nobody to ask, and `--yes` has to say it.
 *
 * @param yes Whether `--yes` was given.
 * @throws {PosternError} `bad_request` when the answer is not yes.
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY) {
    throw new PosternError('bad_request', `${question}\nNothing was changed: add --yes to confirm without a terminal`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${question} [y/N] `)
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new PosternError('bad_request', 'Nothing was changed')
  } finally {
    terminal.close()
  }
}

function parsed({ help, options = {}, arguments: names = [] }: Command, args: string[]) {
  const usage = help.trim().split('\n', 1)[0]
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true, strict: true })
    if (positionals.length === names.length) return { values: values as Given, positionals }
  } catch {
    // The parser's own message quotes the argument, which may be a secret that was pasted in the wrong place.
    throw new PosternError('bad_request', `An option is unknown or lacks its value\nUsage: ${usage}\nSee --help`)
  }
  const wanted = names.length === 0 ? 'No argument is taken' : `Arguments must be: ${names.join(' ')}`
  throw new PosternError('bad_request', `${wanted}\nUsage: ${usage}\nSee --help`)
}

function messageOf(error: unknown, failure: string): string {
  if (error instanceof PosternError) {
    const { field } = error.detail
    return field !== undefined && !error.message.startsWith(field) ? `${field}: ${error.message}` : error.message
  }
  const { code, path, name } = error as { code?: string; path?: string; name?: string }
  if (code === 'ENOENT' && path !== undefined) return `${failure}: ${path} does not exist`
  return `${failure}: ${code ?? name ?? 'unknown'}${path === undefined ? '' : ` (${path})`}`
}
