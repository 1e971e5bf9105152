/**
 * Inlay hints and code lenses, which describe each secret beside its mask or its reference.
 *
 * @module
 */
import * as vscode from 'vscode'
import { parseEnv } from '../../core/text/dotenv.ts'
import { resolve } from '../../core/text/find_references.ts'
import { environmentFor, variablesFor } from '../settings.ts'
import { ENV_FILES } from '../shared/env_files.ts'
import { describe, describeOutcome, reasonsOf } from '../values/describe.ts'
import type { RevealTarget } from '../values/reveal.ts'
import type { SecretMetadata } from '../vaults/secret_list.ts'
import type { Vaults } from '../vaults/vaults.ts'
import { HYDRATED, type HydratedDocuments, isEnvDocument, referencesIn } from './documents.ts'

interface Services {
  vaults: Vaults
}

/** Registers the inlay hints and the code lenses of `.env` files and hydrated documents. */
export function registerInlayHints(services: Services, hydrations: HydratedDocuments): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>()
  const provider: vscode.InlayHintsProvider = {
    onDidChangeInlayHints: changed.event,
    provideInlayHints: (document, range) =>
      (document.uri.scheme === HYDRATED
        ? hydratedHints(services, hydrations, document)
        : sourceHints(services, hydrations, document)
      ).filter(({ position }) => range.contains(position)),
  }
  const lenses: vscode.CodeLensProvider = {
    provideCodeLenses: (document) => (isEnvDocument(document) ? lensesOf(document) : []),
  }
  const documents = [{ scheme: HYDRATED }, { language: 'dotenv' }, { pattern: ENV_FILES }]
  return vscode.Disposable.from(
    changed,
    hydrations.onDidChange(() => changed.fire()),
    services.vaults.onDidChange(() => changed.fire()),
    services.vaults.onDidLoadNames(() => changed.fire()),
    vscode.languages.registerInlayHintsProvider(documents, provider),
    vscode.languages.registerCodeLensProvider(documents, lenses),
  )
}

function hydratedHints(
  services: Services,
  hydrations: HydratedDocuments,
  document: vscode.TextDocument,
): vscode.InlayHint[] {
  const hydration = hydrations.of(document.uri)
  return (hydration?.rows ?? []).flatMap(({ reference, line }) => {
    const outcome = reference === null ? undefined : hydration?.outcomes.get(reference)
    if (reference === null || outcome === undefined || line >= document.lineCount) return []
    // The text itself shows the reason in place of the mask.
    if ('error' in outcome) return []
    const target = { reference, scope: hydration!.source, environment: hydration!.environment }
    const label = describeOutcome(outcome, listedFor(services, target))
    return [hint(document.lineAt(line).range.end, label, { target, about: reasonsOf(outcome.secret) })]
  })
}

/** Makes the hints of a `.env` from the cached list of names and earlier outcomes. A hint sends no request. */
function sourceHints(
  services: Services,
  hydrations: HydratedDocuments,
  document: vscode.TextDocument,
): vscode.InlayHint[] {
  const scope = document.uri
  const environment = environmentFor(scope)
  return parseEnv(document.getText()).entries.flatMap(({ value, valueEnd }) => {
    if (!value.startsWith('postern://')) return []
    const position = document.positionAt(valueEnd)
    const outcome = hydrations.outcomeOf(scope, value)
    const listed = listedFor(services, { reference: value, scope, environment })
    if (outcome) return [hint(position, describeOutcome(outcome, listed))]
    return listed ? [hint(position, describe(listed))] : []
  })
}

/** Finds a reference in the list of names; `undefined` for a reference to a fixed version, because the list has the current one. */
function listedFor(
  { vaults }: Services,
  { reference, scope, environment = '' }: RevealTarget,
): SecretMetadata | undefined {
  const resolved = resolve(reference, variablesFor(environment))
  if (!('reference' in resolved) || resolved.reference.version !== undefined) return undefined
  return vaults.listed(resolved.reference, scope)
}

function hint(
  position: vscode.Position,
  label: string,
  more?: { target: RevealTarget; about: readonly string[] },
): vscode.InlayHint {
  const { t } = vscode.l10n
  const part = new vscode.InlayHintLabelPart(label)
  if (more) {
    part.tooltip = [t('Peek at the value'), ...more.about].join('\n')
    part.command = { title: t('Peek'), command: 'postern.peek', arguments: [more.target] }
  }
  const made = new vscode.InlayHint(position, [part])
  made.paddingLeft = true
  return made
}

function lensesOf(document: vscode.TextDocument): vscode.CodeLens[] {
  const { t } = vscode.l10n
  const count = referencesIn(document).length
  if (count === 0) return []
  const top = new vscode.Range(0, 0, 0, 0)
  const args = [document.uri]
  const hydrate = t('$(shield) Open hydrated: {0} references, masked', count)
  return [
    new vscode.CodeLens(top, { title: hydrate, command: 'postern.openHydratedEnv', arguments: args }),
    new vscode.CodeLens(top, {
      title: t('$(play) Run with secrets'),
      command: 'postern.runInTerminal',
      arguments: args,
    }),
    new vscode.CodeLens(top, {
      title: t('$(diff) Compare environments'),
      command: 'postern.compareEnvironments',
      arguments: args,
    }),
  ]
}
