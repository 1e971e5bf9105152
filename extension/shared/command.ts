/**
 * Runs commands and other work that a user starts, and logs and explains failures in one place.
 *
 * @module
 */
import * as vscode from 'vscode'
import { showError } from './errors.ts'
import type { OutputLog } from './output_log.ts'

/**
 * Registers a command. A failure is logged by its code and explained to the user. A cancelled command ends silently.
 *
 * @param id The id of the command in the manifest. Any extension can call the command, so `run` must check its arguments.
 */
export function command(log: OutputLog, id: string, run: (...args: readonly unknown[]) => unknown): vscode.Disposable {
  return vscode.commands.registerCommand(id, (...args: unknown[]) => explained(log, id, async () => run(...args)))
}

/**
 * Runs work, and logs and explains its failure.
 *
 * @returns `undefined` after a failure or a cancellation, for which the editor starts nothing and shows no message of its own.
 */
export async function explained<T>(log: OutputLog, event: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    log.failed(event, error)
    showError(error)
    return undefined
  }
}
