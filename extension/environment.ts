/**
 * The environment of a run: what a `.env` says, with its references turned into values.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import { explain } from './hindrance.ts'
import type { Parts } from './parts.ts'
import type { Values } from './platform/platform.ts'
import { parseEnv } from './text/dotenv.ts'
import { lease } from './values.ts'

/** What a task or a launch configuration says about secrets, in its `postern` block. */
export interface Injection {
  /** The `.env` to read, from the folder on. */
  envFile?: string
  /** Only these keys of it. */
  keys?: string[]
  environment?: string
}

/** Values for one run, and the labels to put in their place in output. */
export interface RunEnvironment {
  values: Values
  secrets: { label: string; value: Redacted<string> }[]
}

/**
 * Turns a `.env` into values. All of it or nothing: a program that starts without one of its secrets fails later and
 * worse.
 *
 * @throws {PosternError} naming every key that has no value, and why.
 */
export async function environmentOf(
  parts: Parts,
  document: vscode.TextDocument,
  { keys, environment }: Omit<Injection, 'envFile'> = {},
): Promise<RunEnvironment> {
  const { t } = vscode.l10n
  const { entries } = parseEnv(document.getText())
  const missing = (keys ?? []).filter((key) => !entries.some((entry) => entry.key === key))
  if (missing.length > 0) throw new PosternError('bad_request', t('{0} is not in the .env file', missing.join(', ')))
  // The last of two with one key counts, as it does for dotenv.
  const wanted = new Map(entries.filter(({ key }) => keys?.includes(key) ?? true).map(({ key, value }) => [key, value]))
  const references = [...wanted.values()].filter((value) => value.startsWith('postern://'))
  const scope = document.uri
  using held = await lease(parts, references, { scope, ...(environment !== undefined && { environment }) })
  const refused = [...wanted].flatMap(([key, value]) => {
    const outcome = held.outcomes.get(value)
    return outcome && 'error' in outcome ? [`${key}: ${explain(outcome.error).message}`] : []
  })
  if (refused.length > 0) throw new PosternError('bad_request', refused.join('; '))
  const values: Record<string, Redacted<string>> = {}
  const secrets: RunEnvironment['secrets'] = []
  for (const [key, value] of wanted) {
    if (!value.startsWith('postern://')) {
      values[key] = new Redacted(value)
      continue
    }
    values[key] = held.value(value)
    secrets.push({ label: key, value: values[key] })
  }
  return { values, secrets }
}

/** The `.env` that a `postern` block names. */
export async function envFileOf(
  folder: vscode.WorkspaceFolder,
  { envFile = '.env' }: Injection,
): Promise<vscode.TextDocument> {
  const uri = vscode.Uri.joinPath(folder.uri, envFile)
  // Only a file of the folder: a configuration comes with it, and must not read elsewhere.
  const isInside = uri.path.startsWith(`${folder.uri.path.replace(/\/$/, '')}/`)
  const document = isInside ? await vscode.workspace.openTextDocument(uri).then(undefined, () => null) : null
  if (document) return document
  throw new PosternError('bad_request', vscode.l10n.t('There is no file {0} in this folder', envFile))
}

/** Reads a `postern` block. It comes with the folder: hostile input. */
export function parseInjection(given: unknown): Injection | null {
  const { envFile, keys, environment } = Object(given) as Record<string, unknown>
  const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((one) => typeof one === 'string')
  if (typeof given !== 'object' || given === null) return null
  if (keys !== undefined && !isTexts(keys)) return null
  if (![envFile, environment].every((value) => value === undefined || typeof value === 'string')) return null
  return {
    ...(typeof envFile === 'string' && { envFile }),
    ...(keys !== undefined && { keys }),
    ...(typeof environment === 'string' && { environment }),
  }
}
