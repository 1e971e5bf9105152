/**
 * What the user set. Servers come from the user's own settings alone; a workspace only chooses among them.
 *
 * @module
 */

import * as vscode from 'vscode'
import { isLoopback } from '../core/loopback.ts'
import { ExtensionError } from './shared/errors.ts'

/** A server that the user named. */
export interface Endpoint {
  alias: string
  origin: string
}

export type InsertMode = 'auto' | 'reference' | 'accessor' | 'value'

const SECTION = 'postern'

/** The servers in the user's settings, in order, without those that would receive a token in plain text. */
export function endpoints(): Endpoint[] {
  // Not the merged value: whatever a folder says about it must not count.
  const own = vscode.workspace.getConfiguration(SECTION).inspect<Record<string, unknown>>('endpoints')?.globalValue
  return Object.entries(own ?? {}).flatMap(([alias, url]) => {
    const origin = originOf(String(url))
    return origin === null ? [] : [{ alias, origin }]
  })
}

/** The origin of a server's address, or `null` when a token must not be sent there. */
export function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, hostname, origin } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)) ? origin : null
}

/** Names a server in the user's settings. */
export async function addEndpoint(alias: string, origin: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION)
  const own = settings.inspect<Record<string, string>>('endpoints')?.globalValue ?? {}
  await settings.update('endpoints', { ...own, [alias]: origin }, vscode.ConfigurationTarget.Global)
}

/** The server that a resource uses: the one that is chosen there, else the first. */
export function endpointFor(scope?: vscode.Uri): Endpoint | null {
  const all = endpoints()
  const chosen = text('endpoint', scope)
  return (chosen === '' ? all[0] : all.find(({ alias }) => alias === chosen)) ?? null
}

/** The environment that `${POSTERN_ENV}` stands for. */
export function environmentFor(scope?: vscode.Uri): string {
  return text('environment', scope)
}

/** The environments to choose among. */
export function environments(scope?: vscode.Uri): string[] {
  const all = vscode.workspace.getConfiguration(SECTION, scope ?? null).get<unknown[]>('environments', [])
  return all.filter((one): one is string => typeof one === 'string' && /^[a-z0-9-]{1,32}$/.test(one))
}

/** The variables that references may hold. */
export function variablesFor(environment: string): Map<string, string> {
  return new Map(environment === '' ? [] : [['POSTERN_ENV', environment]])
}

/** How long a value is shown, in seconds. */
export function revealSeconds(): number {
  return number('reveal.seconds', 1, 60)
}

/** After how many seconds a copied value is taken from the clipboard. */
export function clipboardSeconds(): number {
  return number('clipboard.clearSeconds', 1, 600)
}

/** How long a `.env` that was written stays, in minutes. */
export function leaseMinutes(): number {
  return number('write.leaseMinutes', 1, 480)
}

export function insertMode(scope?: vscode.Uri): InsertMode {
  const mode = text('insert.mode', scope)
  return mode === 'reference' || mode === 'accessor' || mode === 'value' ? mode : 'auto'
}

export function mayWriteToDisk(): boolean {
  return vscode.workspace.getConfiguration(SECTION).inspect<boolean>('allowWriteToDisk')?.globalValue === true
}

export function isPresenting(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('presentationMode', false)
}

export async function setPresenting(on: boolean): Promise<void> {
  const { Global } = vscode.ConfigurationTarget
  await vscode.workspace.getConfiguration(SECTION).update('presentationMode', on, Global)
}

export function isDetecting(scope?: vscode.Uri): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope ?? null).get('detection.enabled', true)
}

/**
 * The verifier key that a log is pinned to, when the user was given one.
 *
 * A key is set for `https://server/vault`. One that is set for a vault alone, as 0.1 had them, counts while the user names one server only.
 *
 * @throws {ExtensionError} `ambiguous_pin` for a vault alone beside several servers: two of them may have a vault of that name.
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

/** The witnesses that the user demands for a log. */
export interface WitnessSetting {
  /** Their verifier keys. */
  keys: string[]
  /** How many of them have to cosign; all when not given. */
  quorum?: number
  /** How old a cosignature may be, in milliseconds; any age when not given. */
  freshMs?: number
}

/**
 * The witnesses that are demanded for a log: set for `https://server/vault`, or for all vaults of `https://server`. `null` when
 * none are.
 *
 * @throws {ExtensionError} `bad_witnesses` for a setting that cannot be read: it must not count as none.
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
    ...(freshHours !== undefined && { freshMs: (freshHours as number) * 3_600_000 }),
  }
}

/** The one spelling of `https://server/vault`. */
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
