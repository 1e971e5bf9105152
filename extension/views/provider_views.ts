/**
 * Two lists that a server may offer: the health of its providers, and the user's recent accesses.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { UserClient } from '../../core/client/user.ts'
import { PosternError } from '../../core/errors.ts'
import { showError } from '../shared/errors.ts'
import { span } from '../values/describe.ts'
import type { SignedInVault, Vaults } from '../vaults/vaults.ts'

interface Services {
  vaults: Vaults
}

type Access = Awaited<ReturnType<UserClient['myEntries']>>['items'][number]
type ProviderHealth = Awaited<ReturnType<UserClient['providers']>>['items'][number]

/** Registers the view of providers and the view of accesses. */
export function registerProviderViews(services: Services): vscode.Disposable {
  return vscode.Disposable.from(
    list(
      services,
      'postern.providers',
      (vault) => services.vaults.call(vault, (client) => orNone(client.providers())),
      providerItem,
    ),
    list(
      services,
      'postern.accesses',
      (vault) => services.vaults.call(vault, (client) => orNone(client.myEntries({ limit: 50 }))),
      accessItem,
    ),
  )
}

/** Registers a flat list of the items of all vaults. It loads when its view is visible, and again on refresh. */
function list<T>(
  services: Services,
  view: string,
  ask: (vault: SignedInVault) => Promise<T[]>,
  itemOf: (one: T, place: number) => vscode.TreeItem,
): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>()
  const provider: vscode.TreeDataProvider<vscode.TreeItem> = {
    onDidChangeTreeData: changed.event,
    getTreeItem: (item) => item,
    async getChildren(parent) {
      if (parent) return []
      try {
        const lists = await Promise.all((await services.vaults.all()).map(ask))
        return lists.flatMap((one) => one.map(itemOf))
      } catch (error) {
        showError(error)
        return []
      }
    },
  }
  return vscode.Disposable.from(
    changed,
    vscode.window.registerTreeDataProvider(view, provider),
    services.vaults.onDidChange(() => changed.fire()),
  )
}

function providerItem({ id, kind, state }: ProviderHealth, place: number): vscode.TreeItem {
  const { t } = vscode.l10n
  const states = { up: t('up'), degraded: t('degraded'), down: t('down') }
  const icons = { up: 'pass', degraded: 'warning', down: 'error' }
  const item = new vscode.TreeItem(`${place + 1}. ${id}`)
  item.description = `${kind} · ${states[state] ?? state}`
  item.iconPath = new vscode.ThemeIcon(icons[state] ?? 'question')
  item.accessibilityInformation = { label: t('Provider {0}, number {1}, {2}', id, place + 1, states[state] ?? state) }
  return item
}

function accessItem({ time, operation, resource, outcome, address, agent }: Access): vscode.TreeItem {
  const { t } = vscode.l10n
  const item = new vscode.TreeItem(resource)
  const age = t('{0} ago', span(Date.now() - Date.parse(time)))
  item.description = [operation, outcome, age].join(' · ')
  item.tooltip = [address, agent].filter(Boolean).join('\n')
  item.iconPath = new vscode.ThemeIcon(outcome === 'ok' ? 'pass' : 'circle-slash')
  item.accessibilityInformation = { label: `${resource}, ${item.description}` }
  return item
}

/** Returns the items of a list, or an empty array if the server has no such list and answers 404. */
async function orNone<T>(answer: Promise<{ items: T[] }>): Promise<T[]> {
  try {
    return (await answer).items
  } catch (error) {
    if (error instanceof PosternError && error.code === 'not_found') return []
    throw error
  }
}
