/**
 * The entry point in a browser.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { start } from '../activate.ts'
import type { Platform } from './platform.ts'

const platform: Platform = {
  machine: null,
  assertion: async () => null,
  // A browser does not report why a request failed.
  isCertificateFailure: () => false,
}

/** Starts the extension. VS Code calls it once. */
export function activate(context: vscode.ExtensionContext): void {
  start(context, platform)
}
