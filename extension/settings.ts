/**
 * Reads the settings. Servers come from the user's own settings only. A workspace can select one of them, but not add one.
 *
 * @module
 */

import * as vscode from 'vscode'
import { HOUR_MS } from '../core/durations.ts'
import { isLoopbackHostname } from '../core/loopback.ts'
import { VAULT } from '../core/names.ts'
import { ExtensionError } from './shared/errors.ts'

/** A server in the user's settings. */
export interface Endpoint {
  alias: string
  origin: string
}

/** The form in which the editor inserts a secret. */
export type InsertMode = 'auto' | 'reference' | 'accessor' | 'value'

const SECTION = 'postern'

/** Lists the servers in the user's settings, in order, except those that would receive a token in plain text. */
export function endpoints(): Endpoint[] {
  // The merged value would include the settings of a folder, which must not add servers.
  const own = vscode.workspace.getConfiguration(SECTION).inspect<Record<string, unknown>>('endpoints')?.globalValue
  return Object.entries(own ?? {}).flatMap(([alias, url]) => {
    const origin = originOf(String(url))
    return origin === null ? [] : [{ alias, origin }]
  })
}

/** Returns the origin of a server's URL, or `null` if a token must not be sent there. */
export function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, hostname, origin } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHostname(hostname)) ? origin : null
}

/** Adds a server to the user's settings, or changes the origin of an alias. */
export async function addEndpoint(alias: string, origin: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION)
  const own = settings.inspect<Record<string, string>>('endpoints')?.globalValue ?? {}
  await settings.update('endpoints', { ...own, [alias]: origin }, vscode.ConfigurationTarget.Global)
}

/**
 * Returns the server for a resource. It is the selected one or, without a selection, the first.
 *
 * @returns `null` without servers, or if the selected one is not in the user's settings.
 */
export function endpointFor(scope?: vscode.Uri): Endpoint | null {
  const all = endpoints()
  const chosen = text('endpoint', scope)
  return (chosen === '' ? all[0] : all.find(({ alias }) => alias === chosen)) ?? null
}

/** Returns the environment that replaces `${POSTERN_ENV}`; empty if none is set. */
export function environmentFor(scope?: vscode.Uri): string {
  return text('environment', scope)
}

/** Lists the environments that the user can choose from. */
export function environments(scope?: vscode.Uri): string[] {
  const all = vscode.workspace.getConfiguration(SECTION, scope ?? null).get<unknown[]>('environments', [])
  return all.filter((one): one is string => typeof one === 'string' && VAULT.test(one))
}

/** Returns the variables that references can contain, with their values. */
export function variablesFor(environment: string): Map<string, string> {
  return new Map(environment === '' ? [] : [['POSTERN_ENV', environment]])
}

/** Returns how long a value is shown, in seconds. */
export function revealSeconds(): number {
  return number('reveal.seconds', 1, 60)
}

/** Returns the time after which a copied value is cleared from the clipboard, in seconds. */
export function clipboardSeconds(): number {
  return number('clipboard.clearSeconds', 1, 600)
}

/** Returns the time after which a written `.env` is deleted, in minutes. */
export function leaseMinutes(): number {
  return number('write.leaseMinutes', 1, 480)
}

/** Returns the form in which to insert a secret. */
export function insertMode(scope?: vscode.Uri): InsertMode {
  const mode = text('insert.mode', scope)
  return mode === 'reference' || mode === 'accessor' || mode === 'value' ? mode : 'auto'
}

/** Whether values may be written to the disk. Only the user's own setting counts, not the setting of a folder. */
export function mayWriteToDisk(): boolean {
  return vscode.workspace.getConfiguration(SECTION).inspect<boolean>('allowWriteToDisk')?.globalValue === true
}

/** Whether presentation mode is on, which hides values. */
export function isPresenting(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('presentationMode', false)
}

/** Turns presentation mode on or off in the user's settings. */
export async function setPresenting(on: boolean): Promise<void> {
  const { Global } = vscode.ConfigurationTarget
  await vscode.workspace.getConfiguration(SECTION).update('presentationMode', on, Global)
}

/** Whether the editor looks for secrets in plain text. */
export function isDetecting(scope?: vscode.Uri): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope ?? null).get('detection.enabled', true)
}

/**
 * Returns the verifier key that the user has pinned for a log, or `null` without one.
 *
 * The setting has a key for each `https://server/vault`. A key for the name of a vault alone, as in 0.1, applies only while the
 * settings have a single server.
 *
 * @throws {ExtensionError} `ambiguous_pin` for the name of a vault alone with several servers, which may each have such a vault.
 */
export function pinnedLogKey({ origin, id }: { origin: string; id: string }): string | null {
  const own = vscode.workspace.getConfiguration(SECTION).inspect<Record<string, unknown>>('logKeys')?.globalValue
  const pins = Object.entries(own ?? {}).filter((pin): pin is [string, string] => typeof pin[1] === 'string')
  const ofServer = pins.find(([log]) => logOf(log) === `${origin}/${id}`)
  const ofVault = pins.find(([log]) => log === id)
  if (ofServer === undefined && ofVault !== undefined && new Set(endpoints().map((one) => one.origin)).size > 1)
    throw new ExtensionError('ambiguous_pin', `${origin}/${id}`)
  return (ofServer ?? ofVault)?.[1].trim() ?? null
}

/** The witnesses that the user requires for a log. */
export interface WitnessSetting {
  /** Their verifier keys. */
  keys: string[]
  /** The number of witnesses that must cosign. Default: all. */
  quorum?: number
  /** The maximum age of a cosignature, in milliseconds. Default: no limit. */
  freshMs?: number
}

/**
 * Returns the witnesses that the user requires for a log, or `null` if there are none. The setting is for one
 * `https://server/vault`, or for all vaults of `https://server`.
 *
 * @throws {ExtensionError} `bad_witnesses` for an invalid setting, which must not mean that no witness is required.
 */
export function demandedWitnesses({ origin, id }: { origin: string; id: string }): WitnessSetting | null {
  const own = vscode.workspace.getConfiguration(SECTION).inspect<Record<string, unknown>>('witnesses')?.globalValue
  const entries = Object.entries(own ?? {})
  const log = `${origin}/${id}`
  const found = entries.find(([text]) => logOf(text) === log) ?? entries.find(([text]) => logOf(text) === `${origin}/`)
  if (found === undefined) return null
  const { keys, quorum, freshHours } = Object(found[1]) as Record<string, unknown>
  const isAmount = (value: unknown, most: number) =>
    value === undefined || (typeof value === 'number' && value > 0 && value <= most)
  const areKeys = Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === 'string')
  if (!areKeys || !isAmount(quorum, keys.length) || !Number.isInteger(quorum ?? 1) || !isAmount(freshHours, 8760))
    throw new ExtensionError('bad_witnesses', log)
  return {
    keys: keys.map((key) => key.trim()),
    ...(quorum !== undefined && { quorum: quorum as number }),
    ...(freshHours !== undefined && { freshMs: (freshHours as number) * HOUR_MS }),
  }
}

/** Normalizes `https://server/vault`; `null` if a token must not be sent there. */
function logOf(text: string): string | null {
  const origin = originOf(text)
  return origin === null ? null : `${origin}/${new URL(text).pathname.replace(/^\/|\/$/g, '')}`
}

function text(key: string, scope?: vscode.Uri): string {
  const value = vscode.workspace.getConfiguration(SECTION, scope ?? null).get<unknown>(key, '')
  return typeof value === 'string' ? value : ''
}

function number(key: string, min: number, max: number): number {
  const value = vscode.workspace.getConfiguration(SECTION).get<unknown>(key)
  return typeof value === 'number' ? Math.min(max, Math.max(min, value)) : min
}
