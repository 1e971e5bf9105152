/**
 * The picker that selects a secret by name.
 *
 * @module
 */
import * as vscode from 'vscode'
import { formatReference } from '../../core/reference.ts'
import { ExtensionError, showError } from '../shared/errors.ts'
import type { SecretMetadata } from '../vaults/secret_list.ts'
import type { SignedInVault, Vaults } from '../vaults/vaults.ts'
import { describe } from './describe.ts'

/** The secret that the user picked. */
export interface PickedSecret {
  vault: SignedInVault
  name: string
  reference: string
}

type Item = vscode.QuickPickItem & { secret?: PickedSecret }

const SHOWN = 300
const SEARCH_PAUSE_MS = 150

/**
 * Prompts for a secret. The list shows names without values, with buttons to peek and copy.
 *
 * @throws {ExtensionError} `signed_out`
 * @throws {vscode.CancellationError} if the user closes the picker.
 */
export async function pickSecret(from: Vaults, title: string, scope?: vscode.Uri): Promise<PickedSecret> {
  const vaults = await from.at(scope)
  if (vaults.length === 0) throw new ExtensionError('signed_out')
  const { t } = vscode.l10n
  const peek = { iconPath: new vscode.ThemeIcon('eye'), tooltip: t('Peek') }
  const copy = { iconPath: new vscode.ThemeIcon('clippy'), tooltip: t('Copy Temporarily') }
  const pick = vscode.window.createQuickPick<Item>()
  pick.title = title
  pick.placeholder = t('Type part of the name')
  pick.matchOnDescription = true
  pick.busy = true
  pick.show()
  const search = searcher(vaults, [peek, copy])
  let asked = 0
  const update = async () => {
    const mine = ++asked
    pick.busy = true
    const items = await search(pick.value).catch((error) => {
      pick.hide()
      showError(error)
      return []
    })
    // The results of an earlier search may arrive after a later one has started.
    if (mine !== asked) return
    pick.items =
      items.length > 0 ? items : [{ label: t('No matching secret, or none that you may list'), alwaysShow: true }]
    pick.busy = false
  }
  const { promise, resolve, reject } = Promise.withResolvers<PickedSecret>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const subscriptions = [
    pick.onDidChangeValue(() => {
      clearTimeout(timer)
      timer = setTimeout(() => void update(), SEARCH_PAUSE_MS)
    }),
    pick.onDidTriggerItemButton(({ item, button }) => {
      const target = { reference: item.secret?.reference, scope }
      void vscode.commands.executeCommand(button === peek ? 'postern.peek' : 'postern.copy', target)
    }),
    pick.onDidAccept(() => {
      const picked = pick.selectedItems[0]?.secret
      if (picked) resolve(picked)
      pick.hide()
    }),
    pick.onDidHide(() => reject(new vscode.CancellationError())),
  ]
  void update()
  return promise.finally(() => {
    clearTimeout(timer)
    asked++
    for (const one of [...subscriptions, pick]) one.dispose()
  })
}

function searcher(vaults: readonly SignedInVault[], buttons: vscode.QuickInputButton[]) {
  return async (text: string): Promise<Item[]> => {
    const wanted = text.trim().toLowerCase()
    const found = await Promise.all(
      vaults.map(async (vault) => {
        const index = await vault.names.names().catch((error) => Promise.reject(vault.network.refine(error)))
        return index
          .startingWith('')
          .filter(({ name }) => name.toLowerCase().includes(wanted))
          .slice(0, SHOWN)
          .map((metadata) => itemOf(vault, metadata, { other: index.differingInCase(metadata.name)?.name, buttons }))
      }),
    )
    return found.flat()
  }
}

function itemOf(
  vault: SignedInVault,
  metadata: SecretMetadata,
  { other, buttons }: { other: string | undefined; buttons: vscode.QuickInputButton[] },
): Item {
  const { name } = metadata
  // Two names that differ in case alone look alike, and are two secrets.
  const notice = other === undefined ? [] : [vscode.l10n.t('not {0}', other)]
  return {
    label: name,
    description: vault.id,
    detail: [describe(metadata), ...notice].join(' · '),
    buttons,
    secret: { vault, name, reference: formatReference({ vault: vault.id, name }) },
  }
}
