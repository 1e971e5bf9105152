/**
 * The environment of a run: what a `.env` says, with its references turned into values.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { Redacted } from '../../core/redacted.ts'
import { parseEnv } from '../../core/text/dotenv.ts'
import { resolve } from '../../core/text/find_references.ts'
import type { EnvironmentValues, Machine } from '../platform/platform.ts'
import { type Endpoint, endpointFor, environmentFor, variablesFor } from '../settings.ts'
import { explain } from '../shared/errors.ts'
import type { Leases } from '../values/lease.ts'
import type { Vaults } from '../vaults/vaults.ts'

/** What a task or a launch configuration says about secrets, in its `postern` block. */
export interface Injection {
  /** The `.env` to read, from the folder on. */
  envFile?: string
  /** Only these keys of it. */
  keys?: string[]
  environment?: string
}

/** A `.env` as it was read once. What the user agrees to is what runs: nothing is read again. */
export interface EnvSnapshot {
  uri: vscode.Uri
  /** What the program gets, by key: a reference, or a value that stands in the file. Of two with one key the last. */
  entries: ReadonlyMap<string, string>
  environment: string
  /** The server that the file uses; `null` when there is none, or one that is not the user's. */
  server: Endpoint | null
}

/** Values for one run. */
export interface RunEnvironment {
  values: EnvironmentValues
  /** The keys whose values come from a vault. */
  secrets: string[]
}

/**
 * Reads a `.env`, once.
 *
 * @throws {PosternError} `bad_request` with the keys that are asked for and are not in the file.
 */
export function snapshotOf(
  document: vscode.TextDocument,
  { keys, environment }: Omit<Injection, 'envFile'> = {},
): EnvSnapshot {
  const { entries } = parseEnv(document.getText())
  const missing = (keys ?? []).filter((key) => !entries.some((entry) => entry.key === key))
  if (missing.length > 0)
    throw new PosternError('bad_request', vscode.l10n.t('{0} is not in the .env file', missing.join(', ')))
  const wanted = entries.filter(({ key }) => keys?.includes(key) ?? true)
  return {
    uri: document.uri,
    entries: new Map(wanted.map(({ key, value }) => [key, value])),
    environment: environment ?? environmentFor(document.uri),
    server: endpointFor(document.uri),
  }
}

/** The account of each vault that a `.env` refers to, as `vault principal`. A vault without one has no principal. */
export async function accountsOf(
  vaults: Pick<Vaults, 'all'>,
  { entries, environment, server }: EnvSnapshot,
): Promise<string[]> {
  const variables = variablesFor(environment)
  const ids = [...entries.values()].filter(isReference).flatMap((text) => {
    const resolved = resolve(text, variables)
    return 'reference' in resolved ? [resolved.reference.vault] : []
  })
  const all = (await vaults.all()).filter(({ origin }) => origin === server?.origin)
  return [...new Set(ids)].sort().map((id) => `${id} ${all.find((vault) => vault.id === id)?.principal ?? ''}`)
}

/** Whether what stands in a `.env` is a reference to a secret. */
export function isReference(value: string): boolean {
  return value.startsWith('postern://')
}

/**
 * Turns a `.env` into values. All of it or nothing: a program that starts without one of its secrets fails later and
 * worse.
 *
 * @throws {PosternError} naming every key that has no value, and why.
 */
export async function environmentOf(leases: Leases, snapshot: EnvSnapshot): Promise<RunEnvironment> {
  const { uri: scope, entries, environment, server } = snapshot
  const references = [...entries.values()].filter(isReference)
  using held = await leases.of(references, { scope, environment, server })
  const refused = [...entries].flatMap(([key, value]) => {
    const outcome = held.outcomes.get(value)
    return outcome && 'error' in outcome ? [`${key}: ${explain(outcome.error).message}`] : []
  })
  if (refused.length > 0) throw new PosternError('bad_request', refused.join('; '))
  const opened = (text: string) => (isReference(text) ? held.value(text) : new Redacted(text))
  // Each is its own property, also one named as a part of every object is.
  const values = Object.fromEntries([...entries].map(([key, text]) => [key, opened(text)]))
  return { values, secrets: [...entries.keys()].filter((key) => isReference(entries.get(key)!)) }
}

/**
 * Opens the `.env` that a `postern` block names. Only a file of the folder: the block comes with the folder, and must not read
 * elsewhere, also by no link.
 *
 * @throws {PosternError} `bad_request` for a file that is not there or not in the folder.
 */
export async function envFileOf(
  machine: Machine,
  folder: vscode.WorkspaceFolder,
  { envFile = '.env' }: Injection,
): Promise<vscode.TextDocument> {
  const { t } = vscode.l10n
  const uri = vscode.Uri.joinPath(folder.uri, envFile)
  const isInside = uri.path.startsWith(`${folder.uri.path.replace(/\/$/, '')}/`)
  const document = isInside ? await vscode.workspace.openTextDocument(uri).then(undefined, () => null) : null
  if (document === null) throw new PosternError('bad_request', t('this folder has no file {0}', envFile))
  if (await machine.isInside(uri.fsPath, folder.uri.fsPath)) return document
  throw new PosternError('bad_request', t('{0} is a link to a file outside this folder', envFile))
}

/**
 * Reads what a folder says about secrets: hostile input.
 *
 * @param block The name of what is read: `postern` or `args`.
 * @throws {PosternError} `bad_request` naming the field that is wrong.
 */
export function parseInjection(block: string, given: unknown): Injection {
  const { t } = vscode.l10n
  if (typeof given !== 'object' || given === null)
    throw new PosternError('bad_request', t('"{0}" must be an object', block))
  const { envFile, keys, environment } = given as Record<string, unknown>
  const areTexts = Array.isArray(keys) && keys.every((key) => typeof key === 'string')
  if (keys !== undefined && !areTexts)
    throw new PosternError('bad_request', t('"{0}" must be a list of strings', 'keys'))
  return {
    ...(envFile !== undefined && { envFile: parseText('envFile', envFile) }),
    ...(keys !== undefined && { keys: keys as string[] }),
    ...(environment !== undefined && { environment: parseText('environment', environment) }),
  }
}

/**
 * Returns a field that must be a string.
 *
 * @throws {PosternError} `bad_request` naming the field.
 */
export function parseText(field: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new PosternError('bad_request', vscode.l10n.t('"{0}" must be a string', field))
}
