/**
 * Marks the secrets that need attention in the tree, and counts them on its view: expired, about to expire, stale, denied.
 *
 * Decorations use only data that is already loaded, and fetch nothing.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import { resolve } from '../../core/text/find_references.ts'
import type { HydratedDocuments } from '../hydration/documents.ts'
import { variablesFor } from '../settings.ts'
import { expiryOf } from '../values/describe.ts'
import type { LeaseOutcome } from '../values/lease.ts'
import type { Vaults } from '../vaults/vaults.ts'
import type { TreeNode } from './tree_nodes.ts'

interface Services {
  vaults: Vaults
}

/** The scheme of the addresses that place decorations in the tree. No document has such an address. */
const SCHEME = 'postern-secret'

// The largest number of names for each state in the tooltip.
const NAMED = 5

type SecretState = 'expired' | 'soon' | 'stale' | 'denied'

/** Returns the address of a node. A folder's address is a parent of its children's, so that it shows their decorations too. */
export function decorationUri({ vault, name }: TreeNode): vscode.Uri {
  const path = `/${vault.principal}/${vault.id}/${name}`.replace(/\/$/, '')
  return vscode.Uri.from({ scheme: SCHEME, authority: new URL(vault.origin).host, path })
}

/** Registers the decorations of the tree and the badge of its view. */
export function registerDecorations(
  services: Services,
  hydrations: HydratedDocuments,
  view: vscode.TreeView<TreeNode>,
): vscode.Disposable {
  const changed = new vscode.EventEmitter<undefined>()
  let states = new Map<string, SecretState>()
  const update = () => {
    const before = states
    states = new Map(statesOf(services, hydrations))
    view.badge = badgeFor(states)
    if (before.size > 0 || states.size > 0) changed.fire(undefined)
  }
  return vscode.Disposable.from(
    changed,
    vscode.window.registerFileDecorationProvider({
      onDidChangeFileDecorations: changed.event,
      provideFileDecoration: (uri) => (uri.scheme === SCHEME ? decorationOf(states.get(uri.toString())) : undefined),
    }),
    hydrations.onDidChange(update),
    services.vaults.onDidChange(update),
    services.vaults.onDidLoadNames(update),
  )
}

function* statesOf({ vaults }: Services, hydrations: HydratedDocuments): Generator<[string, SecretState]> {
  const at = (vault: TreeNode['vault'], name: string) =>
    decorationUri({ vault, name, label: '', isFolder: false }).toString()
  for (const vault of vaults.known) {
    for (const metadata of vault.names.known?.startingWith('') ?? []) {
      const expiry = expiryOf(metadata)
      if (expiry !== null) yield [at(vault, metadata.name), expiry]
    }
  }
  // The outcome of a read overrides the state from a list.
  for (const { outcomes, environment } of hydrations.all) {
    for (const [written, outcome] of outcomes) {
      const state = stateOf(outcome)
      const resolved = resolve(written, variablesFor(environment))
      if (state === null || !('reference' in resolved)) continue
      const { vault: id, name } = resolved.reference
      for (const vault of vaults.known) if (vault.id === id) yield [at(vault, name), state]
    }
  }
}

function stateOf(outcome: LeaseOutcome): SecretState | null {
  if ('secret' in outcome) return outcome.secret.cached?.stale ? 'stale' : null
  const { error } = outcome
  if (!(error instanceof PosternError)) return null
  return error.code === 'denied' ? 'denied' : error.detail.reason === 'expired' ? 'expired' : null
}

function decorationOf(state: SecretState | undefined): vscode.FileDecoration | undefined {
  if (state === undefined) return undefined
  const [badge, color] = {
    expired: ['!', 'list.errorForeground'],
    denied: ['✗', 'list.errorForeground'],
    stale: ['~', 'list.warningForeground'],
    soon: ['…', 'list.warningForeground'],
  }[state] as [string, string]
  const mark = new vscode.FileDecoration(badge, stateLabels()[state], new vscode.ThemeColor(color))
  mark.propagate = true
  return mark
}

function badgeFor(states: ReadonlyMap<string, SecretState>): vscode.ViewBadge | undefined {
  if (states.size === 0) return undefined
  // The tooltip names the secrets, because the tree has no node for a secret in a provider or one that is hidden from lists.
  const lines = (Object.entries(stateLabels()) as [SecretState, string][]).flatMap(([state, word]) => {
    const names = [...states].filter(([, one]) => one === state).map(([at]) => nameAt(at))
    return names.length === 0
      ? []
      : [`${word}: ${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ', …' : ''}`]
  })
  return { value: states.size, tooltip: lines.join('\n') }
}

function nameAt(address: string): string {
  return vscode.Uri.parse(address).path.split('/').slice(3).join('/')
}

function stateLabels(): Record<SecretState, string> {
  const { t } = vscode.l10n
  return { expired: t('expired'), soon: t('expires soon'), stale: t('stale'), denied: t('denied') }
}
