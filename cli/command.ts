/**
 * The frame of every command: help, arguments, a question before a change, one line for an error, and the exit code.
 *
 * @module
 */
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { isTicket } from '../core/authentication/ticket.ts'
import { vaultOfToken } from '../core/authentication/token.ts'
import { badRequest, PosternError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import { closeDetours } from '../worker/local/detours.ts'

/** The values of options, by name. */
export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>

/** One command, as `npm run …` starts it. */
export interface Command {
  /** The output of `--help`: usage on the first line, then the purpose and each option. */
  help: string
  options?: ParseArgsOptionsConfig
  /** The names of its arguments. All of them are required. */
  arguments?: readonly string[]
  /** Does the work. @returns The output; nothing if the command printed it already. */
  run(given: OptionValues, positionals: readonly string[]): Promise<string | undefined>
  /** The message for an error of the platform. Only its code, and the path of a file, are added: its own message may
   * quote an argument or a setting. */
  failure: string
}

/**
 * Runs a command with the arguments of this process, prints its output, and sets the exit code: 0, or 2 if a verification
 * found tampering, or 1 for any other failure, with one line on standard error.
 *
 * `--help` and `-h` print the help and do nothing else, with any other arguments.
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
    const output = await command.run(values, positionals)
    if (typeof output === 'string') process.stdout.write(`${output}\n`)
  } catch (error) {
    process.stderr.write(`${messageOf(error, command.failure)}\n`)
    process.exitCode = error instanceof PosternError && error.code === 'tampered' ? 2 : 1
  }
}

/**
 * Reads the token of a command from the environment. A wrong one is refused here, before it is sent anywhere: it may be
 * another secret.
 *
 * @throws {PosternError} `bad_request`, naming TOKEN and not quoting it, when it is not set, is a ticket, or is not a token.
 */
export function tokenFrom({ TOKEN = '' }: { TOKEN?: string | undefined }): Redacted<string> {
  if (TOKEN.trim() === '') throw badRequest('TOKEN', 'Must be set to the token of a principal')
  if (isTicket(TOKEN)) {
    throw badRequest('TOKEN', 'This is a ticket. Exchange it for a token, and use that: docs/how-to/recovery.md')
  }
  if (vaultOfToken(TOKEN) === null)
    throw badRequest('TOKEN', 'Must be a token: pst_ or pss_, a vault, and 65 characters')
  return new Redacted(TOKEN)
}

/**
 * Asks before a change. Without a terminal, only `--yes` confirms.
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
    if (positionals.length === names.length) return { values: values as OptionValues, positionals }
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
