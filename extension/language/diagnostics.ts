/**
 * Reports the problems of a document: references that do not resolve, unreadable lines, and secrets in plain text.
 *
 * Diagnostics fetch only names, at most once a minute.
 *
 * @module
 */
import * as vscode from 'vscode'
import { detect, MAX_SCANNED_CHARS } from '../../core/text/detect.ts'
import { type EnvError, type EnvWarning, parseEnv } from '../../core/text/dotenv.ts'
import { type FoundReference, findReferences, resolve } from '../../core/text/find_references.ts'
import type { NameIndex } from '../../core/text/names.ts'
import { HYDRATED, type HydratedDocuments, isEnvDocument } from '../hydration/documents.ts'
import type { Platform } from '../platform/platform.ts'
import { environmentFor, isDetecting, variablesFor } from '../settings.ts'
import { command } from '../shared/command.ts'
import { explain, explainEnvError, explainMalformed } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import { expiryOf } from '../values/describe.ts'
import type { SecretMetadata } from '../vaults/secret_list.ts'
import type { Vaults } from '../vaults/vaults.ts'
import type { IgnoredFindings } from './ignored_findings.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
  platform: Platform
}

/** The code of a diagnostic for a secret in plain text. */
export const IN_THE_CLEAR = 'in-the-clear'
const PAUSE_MS = 300
/** The provider of a secret in the vault's own store. */
const SEALED = 'sealed'
const SCHEMES = ['file', 'untitled', 'vscode-remote', 'vscode-vfs', 'vscode-notebook-cell', 'vscode-test-web', 'memfs']

/** Registers the diagnostics of all open documents, and the command that ignores a finding. */
export function registerDiagnostics(
  services: Services,
  hydrations: HydratedDocuments,
  ignored: IgnoredFindings,
): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection('postern')
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  const later = (document: vscode.TextDocument) => {
    if (!SCHEMES.includes(document.uri.scheme)) return
    const key = document.uri.toString()
    clearTimeout(timers.get(key))
    timers.set(
      key,
      setTimeout(() => void look(document), PAUSE_MS),
    )
  }
  const look = async (document: vscode.TextDocument) => {
    timers.delete(document.uri.toString())
    const { version } = document
    const found = await diagnosticsOf(services, hydrations, ignored, document).catch((error) => {
      services.log.failed('diagnose', error)
      return []
    })
    // Findings in an older text would point at the wrong positions.
    if (!document.isClosed && document.version === version) collection.set(document.uri, found)
  }
  const all = () => vscode.workspace.textDocuments.forEach((document) => void later(document))
  all()
  return vscode.Disposable.from(
    collection,
    vscode.workspace.onDidOpenTextDocument(later),
    vscode.workspace.onDidChangeTextDocument(({ document }) => later(document)),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => collection.delete(uri)),
    vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration('postern') && all()),
    services.vaults.onDidChange(all),
    services.vaults.onDidLoadNames(all),
    hydrations.onDidChange(all),
    // The arguments are a location instead of the text, because others can read the arguments of a command.
    command(services.log, 'postern.ignoreAt', async (uri, range) => {
      if (!(uri instanceof vscode.Uri) || !(range instanceof vscode.Range)) return
      await ignored.add((await vscode.workspace.openTextDocument(uri)).getText(range))
      all()
    }),
    new vscode.Disposable(() => timers.forEach((timer) => void clearTimeout(timer))),
  )
}

async function diagnosticsOf(
  services: Services,
  hydrations: HydratedDocuments,
  ignored: IgnoredFindings,
  document: vscode.TextDocument,
): Promise<vscode.Diagnostic[]> {
  const text = document.getText()
  if (document.uri.scheme === HYDRATED) return []
  const isEnv = isEnvDocument(document)
  return [
    ...(isEnv ? envProblems(document) : []),
    ...(await referenceProblems(services, hydrations, document, findReferences(text.slice(0, MAX_SCANNED_CHARS)))),
    ...(isDetecting(document.uri) ? await secretsInTheClear(services, ignored, document, isEnv) : []),
  ]
}

async function referenceProblems(
  services: Services,
  hydrations: HydratedDocuments,
  document: vscode.TextDocument,
  references: FoundReference[],
): Promise<vscode.Diagnostic[]> {
  const { t } = vscode.l10n
  if (references.length === 0) return []
  const { Error: Broken, Warning } = vscode.DiagnosticSeverity
  const variables = variablesFor(environmentFor(document.uri))
  const indexes = new Map<string, NameIndex<SecretMetadata>>()
  for (const vault of await services.vaults.at(document.uri)) indexes.set(vault.id, await vault.names.namesQuietly())
  return references.flatMap((found) => {
    const say = (message: string, severity: vscode.DiagnosticSeverity, code: string) => [
      diagnostic(document, found, { message, severity, code }),
    ]
    const resolved = resolve(found.text, variables)
    if ('missing' in resolved) return say(t('The variable {0} is not set', resolved.missing), Warning, 'no-variable')
    if ('malformed' in resolved) return say(explainMalformed(resolved.malformed), Broken, 'malformed')
    const outcome = hydrations.outcomeOf(document.uri, found.text)
    if (outcome && 'error' in outcome) return say(explain(outcome.error).message, Broken, 'refused')
    // Lists do not contain the secrets that a provider stores.
    if (outcome && outcome.secret.provider !== SEALED) return []
    const { vault, name, version } = resolved.reference
    const index = indexes.get(vault)
    // Without the names of a vault, such as when the user is signed out, a missing name proves nothing.
    if (index === undefined || index.size === 0) return []
    const metadata = index.find(name)
    const other = index.differingInCase(name)
    if (metadata === undefined && other !== undefined)
      return say(t('Not listed, but {0} is. Case counts in names', other.name), Warning, 'missing')
    if (metadata === undefined)
      return say(t('Not listed. It may be in a provider, hidden from you, or missing'), Warning, 'missing')
    const expiry = expiryOf(metadata)
    if (expiry === 'expired') return say(t('This secret has expired'), Broken, 'expired')
    if (expiry === 'soon') return say(t('This secret expires soon'), vscode.DiagnosticSeverity.Information, 'expires')
    if (version !== undefined && version < metadata.version) {
      return say(
        t('Version {0} is current. This reference is pinned to version {1}', metadata.version, version),
        vscode.DiagnosticSeverity.Information,
        'stale',
      )
    }
    return []
  })
}

async function secretsInTheClear(
  services: Services,
  ignored: IgnoredFindings,
  document: vscode.TextDocument,
  isEnv: boolean,
): Promise<vscode.Diagnostic[]> {
  const { t } = vscode.l10n
  const text = document.getText()
  const findings = detect(text, { env: isEnv })
  if (findings.length === 0) return []
  const { Hint, Warning } = vscode.DiagnosticSeverity
  // A file that git ignores is expected to contain secrets, but they are still on disk, so they get a hint.
  // No program runs in an untrusted folder, not even git.
  const machine = vscode.workspace.isTrusted ? services.platform.machine : null
  const isIgnored = document.uri.scheme === 'file' && (await machine?.isIgnored(document.uri.fsPath)) === true
  const found: vscode.Diagnostic[] = []
  for (const finding of findings) {
    if (await ignored.has(text.slice(finding.start, finding.end))) continue
    const message = t('This looks like a plain-text secret ({0})', finding.kind)
    found.push(diagnostic(document, finding, { message, severity: isIgnored ? Hint : Warning, code: IN_THE_CLEAR }))
  }
  return found
}

/** Reports the errors and the warnings of a `.env`. A `#` that cuts a value gets a hint, because it may be a comment. */
function envProblems(document: vscode.TextDocument): vscode.Diagnostic[] {
  const { Error: Broken, Warning, Information } = vscode.DiagnosticSeverity
  const { errors, warnings } = parseEnv(document.getText())
  const report = (problem: EnvError | EnvWarning, message: string, severity: vscode.DiagnosticSeverity) =>
    diagnostic(document, problem, { message, severity, code: problem.kind })
  return [
    ...errors.map((error) => report(error, explainEnvError(error.kind), Broken)),
    ...warnings.map((warning) => {
      const severity = warning.kind === 'cut_at_hash' ? Information : Warning
      return report(warning, explainEnvWarning(warning.kind), severity)
    }),
  ]
}

function explainEnvWarning(kind: EnvWarning['kind']): string {
  const { t } = vscode.l10n
  const words: Record<EnvWarning['kind'], string> = {
    repeated_key: t('Duplicate name: the last value is used'),
    cut_at_hash: t('The value ends before "#". If "#" is a part of it, put the value in quotes'),
    value_on_next_line: t('The value is on a later line than the name'),
  }
  return words[kind]
}

function diagnostic(
  document: vscode.TextDocument,
  { start, end }: { start: number; end: number },
  { message, severity, code }: { message: string; severity: vscode.DiagnosticSeverity; code: string },
): vscode.Diagnostic {
  const range = new vscode.Range(document.positionAt(start), document.positionAt(end))
  const made = new vscode.Diagnostic(range, message, severity)
  made.source = 'postern'
  made.code = code
  return made
}
