/**
 * The environment of a run, which is the entries of a `.env` with values in place of references.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { Redacted } from '../../core/redacted.ts'
import { parseEnv } from '../../core/text/dotenv.ts'
import { type EntryValue, type ExpansionProblem, expandEntries, neededEntries } from '../../core/text/expand_entries.ts'
import { resolve } from '../../core/text/find_references.ts'
import type { EnvironmentValues, Machine } from '../platform/platform.ts'
import { type Endpoint, endpointFor, environmentFor, variablesFor } from '../settings.ts'
import { explain, explainEnvErrors } from '../shared/errors.ts'
import type { Leases } from '../values/lease.ts'
import type { Vaults } from '../vaults/vaults.ts'

/** The `postern` block of a task or a launch configuration, which selects the secrets. */
export interface Injection {
  /** The path of the `.env`, relative to the folder. Default: `.env`. */
  envFile?: string
  /** The keys to pass on. Default: all keys of the file. */
  keys?: string[]
  environment?: string
}

/** A `.env` at one moment. The file is not read again, so the program receives exactly the entries that the user agreed to. */
export interface EnvSnapshot {
  uri: vscode.Uri
  /** The entries by key, each a reference or a plain value. The last of several entries with one key wins. */
  entries: ReadonlyMap<string, string>
  /** The keys to pass on. Other entries are there because these name them in variables. */
  keys: ReadonlySet<string>
  /** The keys whose values are in single quotes, in which nothing is expanded. */
  literals: ReadonlySet<string>
  environment: string
  /** The server of the file; `null` without a server, or if the folder selects one that is not in the user's settings. */
  server: Endpoint | null
}

/** Values for one run. */
export interface RunEnvironment {
  values: EnvironmentValues
  /** The keys whose values come from a vault. */
  secrets: string[]
}

/**
 * Reads the selected entries of a `.env`.
 *
 * @throws {PosternError} `bad_request` naming the unreadable lines of the file, since each may be the entry that the program
 *   needs, or the requested keys that are missing from it.
 */
export function snapshotOf(
  document: vscode.TextDocument,
  { keys, environment }: Omit<Injection, 'envFile'> = {},
): EnvSnapshot {
  const { entries, errors } = parseEnv(document.getText())
  if (errors.length > 0) throw new PosternError('bad_request', explainEnvErrors(document, errors))
  const missing = (keys ?? []).filter((key) => !entries.some((entry) => entry.key === key))
  if (missing.length > 0)
    throw new PosternError('bad_request', vscode.l10n.t('{0} is not in the .env file', missing.join(', ')))
  // The last of several entries with one key wins.
  const last = new Map(entries.map((entry) => [entry.key, entry]))
  const literals = new Set([...last.values()].filter(({ quote }) => quote === "'").map(({ key }) => key))
  const texts = new Map([...last].map(([key, { value }]) => [key, value]))
  const passed = new Set(keys ?? texts.keys())
  const needed = neededEntries(entryValues(texts, literals), passed)
  return {
    uri: document.uri,
    entries: new Map([...texts].filter(([key]) => needed.has(key))),
    keys: passed,
    literals,
    environment: environment ?? environmentFor(document.uri),
    server: endpointFor(document.uri),
  }
}

/** Lists the account for each vault that a `.env` refers to, as `vault principal`. The principal is empty without an account. */
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

/** Whether the value of an entry is a reference to a secret. */
export function isReference(value: string): boolean {
  return value.startsWith('postern://')
}

/**
 * Resolves all references of a `.env` to values. One failure fails the call, because a program that starts without one of its
 * secrets fails later and less clearly.
 *
 * @throws {PosternError} `bad_request` naming every key that has no value, with the reason.
 */
export async function environmentOf(leases: Leases, snapshot: EnvSnapshot): Promise<RunEnvironment> {
  const { uri: scope, entries, environment, server } = snapshot
  const references = [...entries.values()].filter(isReference)
  using held = await leases.of(references, { scope, environment, server })
  const refused = [...entries].flatMap(([key, value]) => {
    const outcome = held.outcomes.get(value)
    if (outcome && 'error' in outcome) return [`${key}: ${explain(outcome.error).message}`]
    // A variable is text. The base64 of the bytes would be another value than the secret.
    const isBytes = outcome?.secret.encoding === 'base64'
    return isBytes ? [vscode.l10n.t('{0}: the secret is bytes, and a variable is text. Store it as text', key)] : []
  })
  if (refused.length > 0) throw new PosternError('bad_request', refused.join('; '))
  const opened = (text: string) => (isReference(text) ? held.value(text) : new Redacted(text))
  // `Object.fromEntries` defines own properties, so a key such as `__proto__` is an entry like any other.
  const values = Object.fromEntries([...entries].map(([key, text]) => [key, opened(text)]))
  return { values, secrets: [...entries.keys()].filter((key) => isReference(entries.get(key)!)) }
}

/**
 * Resolves all references of a `.env` to values, and expands the variables of the other entries, for a program.
 *
 * @throws {PosternError} `bad_request` naming every key that has no value, with the reason.
 */
export async function runEnvironmentOf(
  leases: Leases,
  snapshot: EnvSnapshot,
  machine: Pick<Machine, 'variable'>,
): Promise<RunEnvironment> {
  const { values, secrets } = await environmentOf(leases, snapshot)
  const texts = new Map(Object.entries(values).map(([key, value]) => [key, value.reveal()]))
  const literals = new Set([...snapshot.literals, ...secrets])
  const expanded = expandEntries(entryValues(texts, literals), machine.variable)
  if (Array.isArray(expanded)) throw new PosternError('bad_request', explainProblems(expanded))
  const passed = [...expanded].filter(([key]) => snapshot.keys.has(key))
  // An entry that contains a secret is as secret.
  const plain = entryValues(snapshot.entries, literals)
  const isSecret = (key: string) => [...neededEntries(plain, [key])].some((needed) => secrets.includes(needed))
  return {
    values: Object.fromEntries(passed.map(([key, value]) => [key, new Redacted(value)])),
    secrets: passed.map(([key]) => key).filter(isSecret),
  }
}

/** References are literal: their own variables select the environment. */
function entryValues(texts: ReadonlyMap<string, string>, literals: ReadonlySet<string>): Map<string, EntryValue> {
  return new Map([...texts].map(([key, text]) => [key, { text, isLiteral: literals.has(key) || isReference(text) }]))
}

function explainProblems(problems: readonly ExpansionProblem[]): string {
  const { t } = vscode.l10n
  const words: Record<ExpansionProblem['kind'], (name: string) => string> = {
    unset: (name) => t('the variable {0} is not set', name),
    cycle: (name) => t('the variable {0} contains itself', name),
    nested: (name) => t('the default of the variable {0} must not contain another variable', name),
    too_large: () => t('the expanded value is too large'),
  }
  return [...new Set(problems.map(({ kind, key, name }) => `${key}: ${words[kind](name)}`))].join('; ')
}

/**
 * Opens the `.env` that a `postern` block names. The block comes with the folder, so it may only name a file inside the folder,
 * after all links are followed.
 *
 * @throws {PosternError} `bad_request` if the file is missing or outside the folder.
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
 * Parses the block of a folder's configuration that selects secrets. It is hostile input.
 *
 * @param block The name of the block for error messages, such as `postern` or `args`.
 * @throws {PosternError} `bad_request` naming the invalid field.
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
