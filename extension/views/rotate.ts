/**
 * Rotates a secret from the tree. The command is offered for secrets that the user may rotate, and requires confirmation.
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
/** The pauses before each reload of the names after a rotation. Most rotations end at once, and the list shows the current version. */
const LOOKS_MS = [500, 2000, 8000]

/** The secrets of each vault that its user may rotate, with the time for which an old value remains valid. */
export class RotatableSecrets {
  readonly #services: Services
  readonly #known = new WeakMap<SignedInVault, { at: number; seconds: Map<string, number> }>()

  constructor(services: Services) {
    this.#services = services
  }

  /** Returns the seconds for which the replaced value remains valid, or `undefined` if the user may not rotate the secret. */
  graceOf(vault: SignedInVault, name: string): number | undefined {
    return this.#known.get(vault)?.seconds.get(name)
  }

  /** Loads the list from the server, at most once a minute. If that fails, the vault has no rotatable secrets. */
  async load(vault: SignedInVault, now = Date.now()): Promise<void> {
    if (now - (this.#known.get(vault)?.at ?? Number.NEGATIVE_INFINITY) < FRESH_MS) return
    const items = await this.#services.vaults.call(vault, (client) => client.rotatable()).catch(() => [])
    this.#known.set(vault, { at: now, seconds: new Map(items.map(({ name, graceSeconds }) => [name, graceSeconds])) })
  }
}

/**
 * Registers the command that rotates a secret.
 *
 * @param changed Called after a rotation, when the names have been loaded again.
 */
export function registerRotate(
  services: Services,
  rotatable: RotatableSecrets,
  changed: () => void,
): vscode.Disposable {
  return command(services.log, 'postern.rotate', async (node) => {
    // Any extension can call the command, so it accepts only a vault of the tree, and the user has to confirm.
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

/** Loads the names until they show another version, at most three times. Requests nothing else. */
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
