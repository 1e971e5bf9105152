/**
 * Rotating a secret from the tree: offered for those that the caller may rotate, and asked for once more.
 *
 * @module
 */
import * as vscode from 'vscode'
import { sleep } from '../../core/sleep.ts'
import { command } from '../shared/command.ts'
import type { OutputLog } from '../shared/output_log.ts'
import { span } from '../values/describe.ts'
import type { SignedInVault, Vaults } from '../vaults/vaults.ts'
import type { TreeNode } from './tree_nodes.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
}

const FRESH_MS = 60_000
/** When to look at the list of names again after a rotation has begun: most are over at once, and it says which version is current. */
const LOOKS_MS = [500, 2000, 8000]

/** Which secrets of which vault may be rotated, by whoever is signed in to it; with how long an old value stays good. */
export class RotatableSecrets {
  readonly #services: Services
  readonly #known = new WeakMap<SignedInVault, { at: number; seconds: Map<string, number> }>()

  constructor(services: Services) {
    this.#services = services
  }

  /** How many seconds the value that is replaced stays good; `undefined` when the secret may not be rotated. */
  graceOf(vault: SignedInVault, name: string): number | undefined {
    return this.#known.get(vault)?.seconds.get(name)
  }

  /** Asks the server, once a minute. A vault that does not say has none. */
  async load(vault: SignedInVault, now = Date.now()): Promise<void> {
    if (now - (this.#known.get(vault)?.at ?? Number.NEGATIVE_INFINITY) < FRESH_MS) return
    const items = await this.#services.vaults.call(vault, (client) => client.rotatable()).catch(() => [])
    this.#known.set(vault, { at: now, seconds: new Map(items.map(({ name, graceSeconds }) => [name, graceSeconds])) })
  }
}

export function registerRotate(
  services: Services,
  rotatable: RotatableSecrets,
  changed: () => void,
): vscode.Disposable {
  return command(services.log, 'postern.rotate', async (node) => {
    // Any extension can call it: only a secret of the tree counts, and the user has to confirm.
    const { vault, name } = Object(node) as Partial<TreeNode>
    const known = services.vaults.known.find((one) => one === vault)
    if (known === undefined || typeof name !== 'string') throw new vscode.CancellationError()
    await rotate(services, known, name, rotatable)
    await lookAgain(known, name, changed)
  })
}

async function rotate(
  { vaults }: Services,
  vault: SignedInVault,
  name: string,
  rotatable: RotatableSecrets,
): Promise<void> {
  const { t } = vscode.l10n
  await rotatable.load(vault)
  const grace = rotatable.graceOf(vault, name) ?? 0
  const stays =
    grace > 0
      ? t('The old value keeps working for {0}.', span(grace * 1000))
      : t('The old value stops working at once.')
  const detail = `${t('Everyone who reads this secret gets the new value.')} ${stays}`
  const yes = t('Rotate')
  const question = t('Rotate {0} in the vault {1} now?', name, vault.id)
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
  await vaults.call(vault, (client) => client.rotate(name))
  const message = t('Rotation of {0} has started', name)
  void vscode.window.showInformationMessage(`Postern: ${message}`)
}

/** Until the list of names tells of another version. Nothing but that list is asked for, three times at the most. */
async function lookAgain({ names }: SignedInVault, name: string, changed: () => void): Promise<void> {
  const before = names.known?.find(name)?.version
  for (const ms of LOOKS_MS) {
    await sleep(ms)
    names.forget()
    const { version } = (await names.namesQuietly()).find(name) ?? {}
    if (version !== before) break
  }
  changed()
}
