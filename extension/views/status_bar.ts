/**
 * The item in the status bar, and the context keys for `when` clauses.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { LocalMachine } from '../run/local_machine.ts'
import { environmentFor, isPresenting } from '../settings.ts'
import { afterStart } from '../shared/after_start.ts'
import type { Vaults } from '../vaults/vaults.ts'

interface Services {
  vaults: Vaults
  localMachine: LocalMachine
}

/** A problem that the user must not overlook, such as a log that shrank. */
export interface StatusAlarm {
  message: string
  command: string
}

/** Shows the accounts, the environment and presentation mode. An alarm takes precedence. */
export class StatusBar implements vscode.Disposable {
  readonly #services: Services
  readonly #item = vscode.window.createStatusBarItem('postern.status', vscode.StatusBarAlignment.Left, 2)
  readonly #subscription: vscode.Disposable
  #alarm: StatusAlarm | null = null

  constructor(services: Services) {
    this.#services = services
    this.#item.name = 'Postern'
    this.#subscription = vscode.Disposable.from(
      this.#item,
      afterStart(() => void this.#update()),
      services.vaults.onDidChange(() => void this.#update()),
      vscode.window.onDidChangeActiveTextEditor(() => void this.#update()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.#update()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('postern')) void this.#update()
      }),
    )
    this.#item.show()
  }

  /** Raises an alarm. `null` clears it. */
  alarm(alarm: StatusAlarm | null): void {
    this.#alarm = alarm
    void this.#update()
  }

  dispose(): void {
    this.#subscription.dispose()
  }

  async #update(): Promise<void> {
    const { t } = vscode.l10n
    const vaults = await this.#services.vaults.all()
    const presenting = isPresenting()
    const environment = environmentFor(vscode.window.activeTextEditor?.document.uri)
    this.#item.backgroundColor = this.#alarm ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined
    if (this.#alarm) this.#show(`$(warning) Postern`, this.#alarm.message, this.#alarm.command)
    else if (vaults.length === 0)
      this.#show('$(shield) Postern', t('Not signed in. Click to sign in'), 'postern.signIn')
    else if (presenting) {
      this.#show('$(eye-closed) Postern', t('Presentation mode: values are hidden'), 'postern.togglePresentationMode')
    } else {
      const who = vaults.map(({ principal, id }) => `${principal} · ${id}`).join(', ')
      this.#show(
        `$(shield) ${environment || 'Postern'}`,
        t('Signed in: {0}. Click to choose the environment', who),
        'postern.selectEnvironment',
      )
    }
    const context = { signedIn: vaults.length > 0, presenting, canRun: this.#services.localMachine.canRun() }
    for (const [key, value] of Object.entries(context)) {
      void vscode.commands.executeCommand('setContext', `postern.${key}`, value)
    }
  }

  #show(text: string, tooltip: string, command: string): void {
    this.#item.text = text
    this.#item.tooltip = tooltip
    this.#item.command = command
    this.#item.accessibilityInformation = { label: `Postern: ${tooltip}` }
  }
}
