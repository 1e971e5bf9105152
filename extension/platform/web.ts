/**
 * The entry in a browser.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { start } from '../activate.ts'
import type { Platform } from './platform.ts'

const platform: Platform = {
  machine: null,
  assertion: async () => null,
  // A browser does not say why a request failed.
  isCertificateFailure: () => false,
}

export function activate(context: vscode.ExtensionContext): void {
  start(context, platform)
}
