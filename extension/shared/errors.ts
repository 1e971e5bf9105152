/**
 * Explains errors to the user, with the next step.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { printable } from '../../core/sanitize.ts'
import type { EnvError, EnvErrorKind } from '../../core/text/dotenv.ts'
import type { Malformed } from '../../core/text/find_references.ts'
import { type Unfit, UnfitEnvironment } from '../../core/text/process_environment.ts'

/** The characters of a location that a message shows. The authority of a container can be as long as its path. */
const MAX_PLACE = 80
/** The unreadable lines that a message lists. */
const MAX_LINES = 10

/** The errors of the extension itself. An error of a server is a PosternError. */
export type ExtensionErrorKind =
  | 'signed_out' // the user is not signed in to the vault
  | 'no_endpoint' // no server is set, or the folder selects one that is not in the user's settings
  | 'restricted' // the workspace is not trusted
  | 'presenting' // presentation mode hides values
  | 'no_machine' // this host cannot run programs or store files
  | 'remote' // the window or the folder is on another machine than the extension
  | 'virtual' // the folder is not on a disk of this machine
  | 'ambiguous_pin' // the pinned key of a log could apply to more than one server
  | 'bad_witnesses' // the setting of a log's required witnesses is invalid
  | 'certificate' // the certificate of the server is not trusted

/** An error that the user can fix. */
export class ExtensionError extends Error {
  override readonly name = 'ExtensionError'
  readonly kind: ExtensionErrorKind
  /** The vault, log, server or machine that the error concerns; empty for the other kinds. */
  readonly about: string

  constructor(kind: ExtensionErrorKind, about = '') {
    super(kind)
    this.kind = kind
    this.about = about
  }
}

/** A message, and the commands that the user can run next. */
export interface Explanation {
  message: string
  steps: { title: string; command: string; args?: unknown[] }[]
}

/** Explains an error by its code. Never includes the message of a foreign error, which could quote a value. */
export function explain(error: unknown): Explanation {
  const { t } = vscode.l10n
  const signIn = { title: t('Sign In'), command: 'postern.signIn' }
  const showLog = { title: t('Show Log'), command: 'postern.showLog' }
  if (error instanceof ExtensionError) return explainExtensionError(error, signIn)
  if (error instanceof UnfitEnvironment) return { message: unfit(error.problems), steps: [] }
  if (!(error instanceof PosternError)) return { message: t('Unexpected error'), steps: [showLog] }
  switch (error.code) {
    case 'unauthenticated':
      return { message: t('The session has expired or was ended. Sign in again'), steps: [signIn] }
    case 'denied':
      return {
        message: t('Access denied by the rules of the vault. Ask an administrator of the vault'),
        steps: [],
      }
    case 'mfa_required':
      return {
        message: t('This requires a second factor'),
        steps: [{ title: t('Enter Code'), command: 'postern.enterCode' }],
      }
    case 'not_found':
      return { message: notFound(error), steps: [{ title: t('Refresh'), command: 'postern.refresh' }] }
    case 'conflict':
      return { message: conflict(error), steps: [] }
    case 'approval_required':
      return {
        message: t('This requires an approval. An administrator of the vault can tell you who may approve'),
        steps: [],
      }
    case 'throttled':
      return {
        message: t('Too many requests. Wait {0} seconds', error.detail.retryAfterSeconds ?? 60),
        steps: [],
      }
    case 'tampered':
      return {
        message: t('The response was not encrypted as requested. Do not trust this connection'),
        steps: [showLog],
      }
    case 'unavailable':
      return {
        message: t('The server is unreachable or cannot answer right now'),
        steps: [{ title: t('Check Connection'), command: 'postern.refresh' }, showLog],
      }
    case 'bad_request':
      // The messages with this code are ours and the server's. They can name keys, files and fields, and never quote a value.
      return { message: t('Refused: {0}', error.message), steps: [] }
    default:
      return { message: t('The server reported an internal error'), steps: [showLog] }
  }
}

/** Explains why a line of a `.env` cannot be read. */
export function explainEnvError(kind: EnvErrorKind): string {
  const { t } = vscode.l10n
  const words: Record<EnvErrorKind, string> = {
    no_assignment: t('A line has the form NAME=value. NAME consists of letters, digits, "_", "." and "-"'),
    unclosed_quote: t('The quote is not closed'),
    text_after_reference: t('Only a comment may follow a reference. Put the whole value in quotes'),
    nul: t('The file contains a NUL character. Save it as UTF-8 text'),
    too_large: t('This file is too large for a .env file'),
  }
  return words[kind]
}

/** Lists the unreadable lines of a `.env` by number. */
export function explainEnvErrors(document: vscode.TextDocument, errors: readonly EnvError[]): string {
  const { t } = vscode.l10n
  const lines = errors.slice(0, MAX_LINES).map(({ kind, start }) => {
    return t('line {0}: {1}', document.positionAt(start).line + 1, explainEnvError(kind))
  })
  const more = errors.length > MAX_LINES ? [t('{0} more', errors.length - MAX_LINES)] : []
  return `${vscode.workspace.asRelativePath(document.uri)}: ${[...lines, ...more].join('; ')}`
}

/** Explains the form of the malformed part of a reference. */
export function explainMalformed(part: Malformed): string {
  const { t } = vscode.l10n
  const words: Record<Malformed, string> = {
    vault: t('A reference has the form postern://vault/name. The vault consists of a-z, 0-9 and "-"'),
    name: t(
      'The name in a reference has 1 to 16 segments separated by "/". A segment consists of letters, digits, ".", "_", "+", "=", "@" and "-", and starts with a letter, a digit, "." or "_"',
    ),
    version: t('The only parameter of a reference is ?version=N, where N is a whole number from 1'),
    pointer: t('After "#", a reference has a JSON pointer such as /db/password'),
  }
  return words[part]
}

/**
 * Escapes text for a notification. A notification turns `[text](command:…)` into a link that runs the command, so text from a
 * server or a folder could run commands.
 */
export function plain(text: string): string {
  return text.replaceAll('](', '] (')
}

/** Shows an error without waiting for the user's answer. Shows nothing for a cancellation. */
export function showError(error: unknown): void {
  // The user cancelled, so there is nothing to explain.
  if (error instanceof vscode.CancellationError) return
  const { message, steps } = explain(error)
  void vscode.window
    .showErrorMessage(`Postern: ${plain(message)}`, ...steps.map(({ title }) => title))
    .then((chosen) => {
      const step = steps.find(({ title }) => title === chosen)
      if (step) void vscode.commands.executeCommand(step.command, ...(step.args ?? []))
    })
}

function explainExtensionError({ kind, about }: ExtensionError, signIn: Explanation['steps'][number]): Explanation {
  const { t } = vscode.l10n
  switch (kind) {
    case 'signed_out':
      return {
        message: about === '' ? t('Sign in first') : t('Sign in to the vault {0} first', about),
        steps: [signIn],
      }
    case 'no_endpoint':
      return {
        message: t('This folder selects the server "{0}", which is not in your settings', about),
        steps: [{ title: t('Choose Server'), command: 'postern.selectEndpoint' }],
      }
    case 'restricted':
      return {
        message: t('Postern fetches no values in Restricted Mode'),
        steps: [{ title: t('Manage Trust'), command: 'workbench.trust.manage' }],
      }
    case 'presenting':
      return {
        message: t('Presentation mode hides values'),
        steps: [{ title: t('Turn Off'), command: 'postern.togglePresentationMode' }],
      }
    case 'no_machine':
      return {
        message: t('This requires VS Code on a desktop or a remote machine: a browser cannot run programs'),
        steps: [],
      }
    case 'remote':
      return {
        message: t(
          'This folder is on another machine ({0}), but Postern runs on this one and starts no programs for it. Install Postern there, and set remote.extensionKind of postern.postern to "workspace" in your settings',
          printable(about).slice(0, MAX_PLACE),
        ),
        steps: [
          {
            title: t('Open Settings'),
            command: 'workbench.action.openSettings',
            args: ['remote.extensionKind'],
          },
        ],
      }
    case 'virtual':
      return {
        message: t(
          'This folder is not on a disk of this machine ({0}), so Postern starts no programs for it. Open a local copy of the folder',
          printable(about).slice(0, MAX_PLACE),
        ),
        steps: [],
      }
    case 'ambiguous_pin':
      return {
        message: t(
          'The log was not verified. postern.logKeys names its vault only, and several of your servers may have a vault of that name. Set the key for "{0}"',
          about,
        ),
        steps: [{ title: t('Open Settings'), command: 'workbench.action.openSettings', args: ['postern.logKeys'] }],
      }
    case 'bad_witnesses':
      return {
        message: t(
          'The log was not verified. postern.witnesses is invalid for "{0}": it takes the keys of witnesses, a quorum no larger than their number, and freshHours',
          about,
        ),
        steps: [{ title: t('Open Settings'), command: 'workbench.action.openSettings', args: ['postern.witnesses'] }],
      }
    case 'certificate':
      return {
        message: t('The TLS certificate for {0} is invalid or not trusted on this machine. Nothing was sent', about),
        steps: [{ title: t('Show Log'), command: 'postern.showLog' }],
      }
  }
}

/** Explains which values do not fit into the environment of a program, by their keys. */
function unfit(problems: readonly Unfit[]): string {
  const { t } = vscode.l10n
  const told = problems.map((one) => {
    if (one.kind === 'too_large') {
      return t(
        'the environment would have {0} bytes, but this system allows {1}. Request fewer keys. The largest are {2}',
        one.size,
        one.limit,
        one.keys.join(', '),
      )
    }
    const key = printable(one.key)
    if (one.kind === 'too_long') {
      return t('{0} is too large: its size is {1}, but this system allows {2} for a variable', key, one.size, one.limit)
    }
    if (one.kind === 'name') return t('"{0}" cannot be the name of an environment variable', key)
    return one.kind === 'nul'
      ? t('the value of {0} contains a NUL character, which would end an environment variable', key)
      : t('the value of {0} is not well-formed Unicode, so an environment variable would alter it', key)
  })
  return t('Not started: {0}', told.join('; '))
}

function conflict({ detail }: PosternError): string {
  const { t } = vscode.l10n
  switch (detail.reason) {
    case 'rotating':
      return t('This secret is already being rotated')
    case 'frozen':
      return t('Rotations are frozen by the settings of this secret')
    default:
      return t('Conflict: the secret has changed in the meantime, or the name is taken')
  }
}

function notFound({ detail }: PosternError): string {
  const { t } = vscode.l10n
  switch (detail.reason) {
    case 'expired':
      return t('This version has expired. Store a new one')
    case 'deleted':
      return t('This secret is deleted. It can be restored')
    case 'destroyed':
      return t('This version was destroyed permanently')
    case 'no_rotation':
      return t('This secret has no rotation')
    case 'no_version':
      return t('The secret has no such version')
    case 'no_pointer':
      return t('The secret has no value at this JSON pointer')
    default:
      return t('No secret with this name')
  }
}
