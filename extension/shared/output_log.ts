/**
 * The extension's own log: what happened, never what it was about. Names, values and tokens have no place in it.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { ExtensionError } from './errors.ts'

export interface OutputLog {
  /** An event by name, with figures. There is no parameter for text on purpose. */
  info(event: string, figures?: Record<string, number | boolean>): void
  /** A failure: its code and no message. */
  failed(event: string, error: unknown): void
  show(): void
  dispose(): void
}

/** Opens the log. It shows itself only when it is asked to. */
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
  // The class of a foreign error says enough, and is no text of its own.
  return error instanceof Error ? error.constructor.name : 'unknown'
}
