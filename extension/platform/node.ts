/**
 * The entry point on a desktop and on a remote machine.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import type * as vscode from 'vscode'
import { Redacted } from '../../core/redacted.ts'
import { start } from '../activate.ts'
import { machineFor } from './machine.ts'

/** The variable with the path of an identity provider's token, which workloads and development clouds mount as a file. */
const ASSERTION_FILE = 'POSTERN_ID_TOKEN_FILE'

/** Starts the extension. VS Code calls it once. */
export function activate(context: vscode.ExtensionContext): void {
  start(context, { machine: machineFor(context.extensionPath), assertion, isCertificateFailure })
}

async function assertion(): Promise<Redacted<string> | null> {
  const file = process.env[ASSERTION_FILE]
  if (file === undefined) return null
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trim() === '' ? null : new Redacted(text.trim())
}

function isCertificateFailure(error: unknown): boolean {
  const { cause, code } = Object(error) as { cause?: unknown; code?: unknown }
  if (typeof code === 'string' && /CERT|SSL|TLS|UNABLE_TO_VERIFY|SELF_SIGNED/.test(code)) return true
  return cause !== undefined && cause !== error && isCertificateFailure(cause)
}
