/**
 * The log of the extension. It records events, and never the secrets they concern: no names, values or tokens.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { ExtensionError } from './errors.ts'

/** The log of the extension, an output channel of the editor. */
export interface OutputLog {
  /** Logs an event by name, with figures. It deliberately takes no text. */
  info(event: string, figures?: Record<string, number | boolean>): void
  /** Logs a failure by its code, without its message. */
  failed(event: string, error: unknown): void
  /** Shows the output channel, without moving the focus. */
  show(): void
  dispose(): void
}

/** Opens the log. The output channel stays hidden until `show` is called. */
export function openOutputLog(): OutputLog {
  const channel = vscode.window.createOutputChannel('Postern', { log: true })
  return {
    info: (event, figures = {}) => channel.info(event, JSON.stringify(figures)),
    failed: (event, error) => channel.warn(event, codeOf(error)),
    show: () => channel.show(true),
    dispose: () => channel.dispose(),
  }
}

function codeOf(error: unknown): string {
  if (error instanceof PosternError) return [error.code, error.detail.reason].filter(Boolean).join(' ')
  if (error instanceof ExtensionError) return error.kind
  if (error instanceof vscode.CancellationError) return 'cancelled'
  // The message of a foreign error could quote a value, so only its class is logged.
  return error instanceof Error ? error.constructor.name : 'unknown'
}
