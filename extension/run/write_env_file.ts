/**
 * Writes a `.env` with values to the disk. A setting must allow it, the user confirms each time, and the file is deleted after
 * some minutes.
 *
 * @module
 */
import * as vscode from 'vscode'
import { MINUTE_MS } from '../../core/durations.ts'
import { PosternError } from '../../core/errors.ts'
import { quoteEnvValue } from '../../core/text/dotenv_edit.ts'
import { envDocument } from '../hydration/documents.ts'
import type { Platform } from '../platform/platform.ts'
import { leaseMinutes, mayWriteToDisk } from '../settings.ts'
import { command } from '../shared/command.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from '../values/lease.ts'
import type { LocalMachine } from './local_machine.ts'
import { environmentOf, snapshotOf } from './process_environment.ts'

interface Services {
  log: OutputLog
  leases: Leases
  localMachine: LocalMachine
  platform: Platform
  workspaceState: vscode.Memento
}

const HEADER = '# Written by Postern, deleted when its time is over: '
const MEMORY = 'written'

/** A file that was written. Its path is stored without values, so that the next window can delete the file after a crash. */
interface Written {
  path: string
  /** When to delete the file, in milliseconds since the epoch. */
  until: number
}

/** Registers the command that writes a `.env`, and deletes each written file when its time is over or the window closes. */
export function registerWriteEnvFile(services: Services): vscode.Disposable {
  const timers = new Set<ReturnType<typeof setTimeout>>()
  const { workspaceState } = services
  const remembered = () => workspaceState.get<Written[]>(MEMORY, [])
  const remove = async ({ path }: Written) => {
    // A file without our header has been edited or replaced, and belongs to the user.
    services.platform.machine?.removeOwn(path, HEADER)
    await workspaceState.update(
      MEMORY,
      remembered().filter((one) => one.path !== path),
    )
  }
  const watch = (written: Written) => {
    const work = () => void remove(written).catch((error) => services.log.failed('remove', error))
    timers.add(setTimeout(work, Math.max(0, written.until - Date.now())))
  }
  for (const written of remembered()) watch(written)
  return vscode.Disposable.from(
    command(services.log, 'postern.writeEnvFile', async () => {
      const written = await write(services)
      await workspaceState.update(MEMORY, [...remembered(), written])
      watch(written)
    }),
    new vscode.Disposable(() => {
      for (const timer of timers) clearTimeout(timer)
      for (const { path } of remembered()) {
        try {
          services.platform.machine?.removeOwn(path, HEADER)
        } catch (error) {
          services.log.failed('remove', error)
        }
      }
    }),
  )
}

async function write(services: Services): Promise<Written> {
  const { t } = vscode.l10n
  if (!mayWriteToDisk()) throw new PosternError('bad_request', t('the setting postern.allowWriteToDisk is off'))
  const document = await envDocument(vscode.window.activeTextEditor?.document.uri)
  const machine = services.localMachine.at(document.uri)
  if (document.uri.scheme !== 'file') throw new PosternError('bad_request', t('save the file first'))
  const path = `${document.uri.fsPath}.hydrated`
  const shown = vscode.workspace.asRelativePath(path)
  const isIgnored = await machine.isIgnored(path)
  if (isIgnored !== true) {
    const reason =
      isIgnored === null
        ? t('git cannot tell whether it ignores {0}: git is not installed, or the file is not in a repository', shown)
        : t('git does not ignore {0}: add it to .gitignore first', shown)
    throw new PosternError('bad_request', reason)
  }
  const yes = t('Write')
  const detail = t(
    'Only you can read the file. It is deleted after {0} minutes, or when the window closes.',
    leaseMinutes(),
  )
  const answer = await vscode.window.showWarningMessage(t('Write values to {0}?', shown), { modal: true, detail }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
  const { values } = await environmentOf(services.leases, snapshotOf(document))
  const until = Date.now() + leaseMinutes() * MINUTE_MS
  const lines = Object.entries(values).map(([key, value]) => {
    const quoted = quoteEnvValue(value.reveal())
    if (quoted === null) throw new PosternError('bad_request', t('a .env file cannot represent the value of {0}', key))
    return `${key}=${quoted}`
  })
  machine.removeOwn(path, HEADER)
  await machine.writePrivate(path, `${HEADER}${new Date(until).toISOString()}\n${lines.join('\n')}\n`).catch(() => {
    // The message of a foreign error is never shown, even though this one would only name the path.
    throw new PosternError('bad_request', t('{0} already exists or cannot be written', shown))
  })
  return { path, until }
}
