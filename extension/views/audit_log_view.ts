/**
 * The view of each vault's audit log, and the alarm for a log with a flaw, such as one that shrank, forked or is withheld.
 *
 * @module
 */
import * as vscode from 'vscode'
import { sleep } from '../../core/sleep.ts'
import { parseWitnessKeys, type WitnessDemand } from '../../core/tlog/cosignature.ts'
import { demandedWitnesses, pinnedLogKey } from '../settings.ts'
import { command } from '../shared/command.ts'
import { ExtensionError, explain, showError } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { SignedInVault, Vaults } from '../vaults/vaults.ts'
import {
  checkLog,
  checkWitnesses,
  isSuperseded,
  type LogFlaw,
  type LogVerdict,
  type RememberedLog,
} from './log_witness.ts'
import type { StatusBar } from './status_bar.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
  globalState: vscode.Memento
}

const OFTEN_MS = 10 * 60_000
/** Longer than a server serves one checkpoint while its log grows. */
const PAUSE_MS = 3000

interface LogCheck {
  at: number
  verdict: LogVerdict | { error: unknown }
}

/** Checks each log when the window gets focus or the user signs in or out, at most every ten minutes. */
export class AuditLogView implements vscode.TreeDataProvider<SignedInVault>, vscode.Disposable {
  readonly #services: Services
  readonly #status: StatusBar
  readonly #changed = new vscode.EventEmitter<void>()
  readonly #looked = new Map<string, LogCheck>()
  /** The flaws that are still open. A later check may find the log intact, or the user may trust the log again. */
  readonly #flaws = new Map<string, LogFlaw>()
  readonly #warned = new Set<string>()
  readonly #subscription: vscode.Disposable

  readonly onDidChangeTreeData = this.#changed.event

  constructor(services: Services, status: StatusBar) {
    this.#services = services
    this.#status = status
    this.#subscription = vscode.Disposable.from(
      this.#changed,
      vscode.window.registerTreeDataProvider('postern.log', this),
      services.vaults.onDidChange(() => void this.checkAll(OFTEN_MS)),
      vscode.window.onDidChangeWindowState(({ focused }) => focused && void this.checkAll(OFTEN_MS)),
      command(services.log, 'postern.verifyLog', () => this.checkAll(0)),
      command(services.log, 'postern.trustLogAnew', () => this.#trustAnew()),
    )
  }

  getChildren(vault?: SignedInVault): Promise<SignedInVault[]> | SignedInVault[] {
    return vault ? [] : this.#services.vaults.all()
  }

  getTreeItem(vault: SignedInVault): vscode.TreeItem {
    const { t } = vscode.l10n
    const item = new vscode.TreeItem(vault.id)
    const looked = this.#looked.get(keyOf(vault))
    const { text, icon } = shown(looked)
    item.description = text
    item.iconPath = new vscode.ThemeIcon(icon)
    item.tooltip = looked ? t('Checked at {0}', new Date(looked.at).toLocaleTimeString()) : ''
    item.accessibilityInformation = { label: t('Log of {0}: {1}', vault.id, text) }
    return item
  }

  /** Checks each log whose last check is older than a duration. */
  async checkAll(olderThanMs: number): Promise<void> {
    const now = Date.now()
    const vaults = await this.#services.vaults.all()
    const due = vaults.filter((vault) => now - (this.#looked.get(keyOf(vault))?.at ?? 0) >= olderThanMs)
    await Promise.all(due.map((vault) => this.#lookAt(vault)))
    this.#changed.fire()
  }

  dispose(): void {
    this.#subscription.dispose()
  }

  async #lookAt(vault: SignedInVault): Promise<void> {
    const key = keyOf(vault)
    const { globalState } = this.#services
    const remembered = globalState.get<RememberedLog>(key) ?? null
    // The time is set before the request, so that no second check starts meanwhile.
    this.#looked.set(key, { at: Date.now(), verdict: this.#looked.get(key)?.verdict ?? { error: null } })
    const { recorded } = vault.network
    const look = () =>
      this.#services.vaults
        .call(vault, async (client) => {
          const demand = await demandFor(vault)
          const seen = await checkLog(client, remembered, pinnedLogKey(vault), recorded)
          return demand === null || 'flaw' in seen ? seen : checkWitnesses(client, seen, demand)
        })
        .catch((error: unknown) => ({ error }))
    let verdict = await look()
    if (isWithheld(verdict)) {
      await sleep(PAUSE_MS)
      verdict = await look()
    }
    this.#looked.set(key, { at: Date.now(), verdict })
    if ('flaw' in verdict) this.#shout(vault, verdict)
    if ('error' in verdict) this.#warn(key, verdict.error)
    if (!('remember' in verdict)) return
    // The log now shows the withheld entries and continues the known checkpoint, so nothing is missing. Witnesses may also
    // cosign again. Other flaws remain until the user trusts the log again.
    if (isPassing(this.#flaws.get(key))) this.#settle([key])
    // Another check may have finished first. Nothing is awaited between this read and the write.
    const kept = globalState.get<RememberedLog>(key) ?? null
    if (!isSuperseded(verdict.checkpoint, remembered, kept)) await globalState.update(key, verdict.remember)
  }

  /** Reports once that a setting for this log cannot be applied, because the user relies on it. */
  #warn(key: string, error: unknown): void {
    const isSetting = error instanceof ExtensionError && ['ambiguous_pin', 'bad_witnesses'].includes(error.kind)
    if (!isSetting || this.#warned.has(key)) return
    this.#warned.add(key)
    showError(error)
  }

  #settle(keys: readonly string[]): void {
    for (const key of keys) this.#flaws.delete(key)
    if (this.#flaws.size === 0) this.#status.alarm(null)
  }

  /** Reports a flaw. The remembered log stays until the user decides to trust another. */
  #shout(vault: SignedInVault, { flaw, before, now }: Extract<LogVerdict, { flaw: string }>): void {
    const { t } = vscode.l10n
    this.#services.log.info('log flaw', { before, now: now ?? -1 })
    const messages = {
      signature: t('The audit log of {0} is not signed with the known key. Another server may be answering', vault.id),
      shrank: t(
        'The audit log of {0} SHRANK from {1} to {2} entries. Entries were removed, or an older state was restored',
        vault.id,
        before,
        now ?? 0,
      ),
      forked: t(
        'The audit log of {0} FORKED: its first {1} entries differ from those verified before',
        vault.id,
        before,
      ),
      withheld: t(
        'The audit log of {0} is WITHHELD: the server’s answers are recorded in {1} entries, but it shows only {2}',
        vault.id,
        before,
        now ?? 0,
      ),
      unwitnessed: t(
        'The audit log of {0} is NOT WITNESSED: you require {1} cosignatures, and its newest cosigned checkpoint has {2}',
        vault.id,
        before,
        now ?? 0,
      ),
      stale: t(
        'The audit log of {0} is STALE: its witnesses last cosigned it too long ago. The server may have stopped asking them',
        vault.id,
      ),
    }
    const message = messages[flaw]
    // A flaw that a later check can clear does not replace one that it cannot.
    if (!isPassing(flaw) || !this.#flaws.has(keyOf(vault))) this.#flaws.set(keyOf(vault), flaw)
    this.#status.alarm({ message, command: 'postern.log.focus' })
    const anew = t('Trust This Log')
    void vscode.window.showErrorMessage(`Postern: ${message}`, t('Show'), anew).then((chosen) => {
      if (chosen === anew) void vscode.commands.executeCommand('postern.trustLogAnew')
      else if (chosen) void vscode.commands.executeCommand('postern.log.focus')
    })
  }

  async #trustAnew(): Promise<void> {
    const { t } = vscode.l10n
    const flawed = (await this.#services.vaults.all()).filter((vault) => this.#flaws.has(keyOf(vault)))
    if (flawed.length === 0) return
    const yes = t('Forget the Known Log')
    const detail = t(
      'Do this only if the operator of the server has told you why. A healthy log grows and never shrinks.',
    )
    const question = t('Trust a different log for {0}?', flawed.map(({ id }) => id).join(', '))
    if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)) !== yes) return
    for (const vault of flawed) {
      vault.network.recorded = -1
      await this.#services.globalState.update(keyOf(vault), undefined)
    }
    this.#settle(flawed.map(keyOf))
    await this.checkAll(0)
  }
}

/** Returns the storage key of a log. It contains the server, because two servers may have vaults with the same name. */
function keyOf({ origin, id }: SignedInVault): string {
  return `log:${origin}/${id}`
}

/**
 * Returns the witnesses that the user requires, or `null`.
 *
 * @throws {ExtensionError} `bad_witnesses`
 */
async function demandFor(vault: SignedInVault): Promise<WitnessDemand | null> {
  const setting = demandedWitnesses(vault)
  if (setting === null) return null
  const { keys, ...rest } = setting
  const witnesses = await parseWitnessKeys(keys).catch(() => {
    throw new ExtensionError('bad_witnesses', `${vault.origin}/${vault.id}`)
  })
  return { witnesses, ...rest, now: Date.now() }
}

/** Whether a later check can clear a flaw. */
function isPassing(flaw: LogFlaw | undefined): boolean {
  return flaw === 'withheld' || flaw === 'unwitnessed' || flaw === 'stale'
}

function isWithheld(verdict: LogCheck['verdict']): boolean {
  return 'flaw' in verdict && verdict.flaw === 'withheld'
}

function shown(looked: LogCheck | undefined): { text: string; icon: string } {
  const { t } = vscode.l10n
  if (looked === undefined) return { text: t('not checked yet'), icon: 'question' }
  const { verdict } = looked
  if ('checkpoint' in verdict)
    return { text: t('{0} entries, verified', verdict.checkpoint.size), icon: 'verified-filled' }
  if ('error' in verdict)
    return { text: verdict.error === null ? '…' : explain(verdict.error).message, icon: 'circle-slash' }
  const texts = {
    signature: t('signed with another key'),
    shrank: t('shrank'),
    forked: t('forked'),
    withheld: t('withheld'),
    unwitnessed: t('not witnessed'),
    stale: t('cosigned too long ago'),
  }
  return { text: texts[verdict.flaw], icon: 'error' }
}
