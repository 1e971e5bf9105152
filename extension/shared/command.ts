/**
 * Commands, and other work that a user starts: a failure is logged and explained in one place.
 *
 * @module
 */
import * as vscode from 'vscode'
import { complain } from './errors.ts'
import type { Log } from './output_log.ts'

/**
 * Registers a command whose failure is logged by its code and explained to the user. A cancelled command ends silently.
 *
 * @param id The id of the command in the manifest. Any extension can call it: `run` has to check its arguments.
 */
export function command(log: Log, id: string, run: (...args: readonly unknown[]) => unknown): vscode.Disposable {
  return vscode.commands.registerCommand(id, (...args: unknown[]) => explained(log, id, async () => run(...args)))
}

/**
 * Runs work, and logs and explains its failure.
 *
 * @returns `undefined` after a failure or a cancellation: the editor starts nothing then, and adds no message of its own.
 */
export async function explained<T>(log: Log, event: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    log.failed(event, error)
    complain(error)
    return undefined
  }
}
