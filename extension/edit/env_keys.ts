/**
 * Finds a key of a `.env` across the workspace, where it is defined and where it is read, and renames it everywhere.
 *
 * @module
 */
import * as vscode from 'vscode'
import { ACCESSOR_LANGUAGES, findAccessors } from '../../core/text/accessors.ts'
import { isEnvFileName, parseEnv } from '../../core/text/dotenv.ts'
import { isEnvDocument } from '../hydration/documents.ts'
import { ENV_FILES, readText } from '../shared/env_files.ts'

const CODE_FILES =
  '**/*.{js,jsx,cjs,mjs,ts,tsx,mts,cts,vue,svelte,astro,py,rb,java,kt,scala,groovy,rs,go,php,cs,fs,vb,c,h,cc,cpp,hpp,lua,sh,bash,zsh,ps1,pl,ex,exs,dart,swift,r,R,jl}'
const CONFIGURATIONS = '**/.vscode/{launch,tasks}.json'
const SKIPPED = '**/{node_modules,dist,build,out,target,vendor,.git,.venv}/**'
const MAX_FILES = 2000
const KEY = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

const LANGUAGE_OF: Record<string, string> = {
  py: 'python',
  rb: 'ruby',
  java: 'java',
  kt: 'kotlin',
  scala: 'scala',
  groovy: 'groovy',
  rs: 'rust',
  go: 'go',
  php: 'php',
  cs: 'csharp',
  fs: 'fsharp',
  vb: 'vb',
  c: 'c',
  h: 'c',
  cc: 'cpp',
  cpp: 'cpp',
  hpp: 'cpp',
  lua: 'lua',
  sh: 'shellscript',
  bash: 'shellscript',
  zsh: 'shellscript',
  ps1: 'powershell',
  pl: 'perl',
  ex: 'elixir',
  exs: 'elixir',
  dart: 'dart',
  swift: 'swift',
  r: 'r',
  R: 'r',
  jl: 'julia',
}

/** Registers the providers that find the definitions and the uses of a key, and that rename it. */
export function registerEnvKeys(): vscode.Disposable {
  const { registerDefinitionProvider, registerReferenceProvider, registerRenameProvider } = vscode.languages
  const env = [{ language: 'dotenv' }, { pattern: ENV_FILES }]
  const selector = [...env, ...ACCESSOR_LANGUAGES.map((language) => ({ language }))]
  return vscode.Disposable.from(
    registerDefinitionProvider(selector, {
      provideDefinition: async (document, position, token) => {
        const key = keyAt(document, position)
        return key && !isEnvDocument(document) ? placesIn(ENV_FILES, key.name, token) : []
      },
    }),
    registerReferenceProvider(env, {
      provideReferences: async (document, position, _, token) => {
        const key = keyAt(document, position)
        return key ? everywhere(key.name, token) : []
      },
    }),
    registerRenameProvider(env, {
      prepareRename(document, position) {
        const key = keyAt(document, position)
        if (key === null) throw new Error(vscode.l10n.t('Place the cursor on the name of a variable'))
        return key.range
      },
      async provideRenameEdits(document, position, name, token) {
        const key = keyAt(document, position)
        if (key === null) return null
        if (!KEY.test(name))
          throw new Error(vscode.l10n.t('Use letters, digits and "_", and do not start with a digit'))
        const edit = new vscode.WorkspaceEdit()
        for (const { uri, range } of await everywhere(key.name, token)) edit.replace(uri, range, name)
        return edit
      },
    }),
  )
}

async function everywhere(key: string, token: vscode.CancellationToken): Promise<vscode.Location[]> {
  const found = await Promise.all([ENV_FILES, CODE_FILES, CONFIGURATIONS].map((glob) => placesIn(glob, key, token)))
  return found.flat()
}

/** Finds the places of a key in the files that match a glob. Skips large files, and all but the first 2,000 files. */
async function placesIn(glob: string, key: string, token: vscode.CancellationToken): Promise<vscode.Location[]> {
  const files = await vscode.workspace.findFiles(glob, SKIPPED, MAX_FILES, token)
  const places: vscode.Location[] = []
  for (const uri of files) {
    if (token.isCancellationRequested) return []
    const text = await readText(uri)
    if (!text.includes(key)) continue
    let line = 0
    let lineStart = 0
    // The offsets are in order, so one pass over the text finds all line numbers.
    for (const at of offsetsIn(text, uri, key)) {
      for (let end = text.indexOf('\n', lineStart); end >= 0 && end < at; end = text.indexOf('\n', lineStart)) {
        line++
        lineStart = end + 1
      }
      const start = new vscode.Position(line, at - lineStart)
      places.push(new vscode.Location(uri, new vscode.Range(start, start.translate(0, key.length))))
    }
  }
  return places
}

function offsetsIn(text: string, uri: vscode.Uri, key: string): number[] {
  if (isEnvFileName(uri.path.slice(uri.path.lastIndexOf('/') + 1)))
    return parseEnv(text).entries.flatMap((entry) => (entry.key === key ? [entry.keyStart] : []))
  const extension = uri.path.slice(uri.path.lastIndexOf('.') + 1)
  if (extension === 'json') {
    // In a `postern` block, each key is a JSON string.
    const keys = [...text.matchAll(/"keys"\s*:\s*\[([^\]]{0,4000})\]/g)]
    return keys.flatMap(({ 0: whole, index }) => {
      const at = whole.indexOf(`"${key}"`)
      return at < 0 ? [] : [index + at + 1]
    })
  }
  const language = LANGUAGE_OF[extension] ?? 'typescript'
  return findAccessors(text, language).flatMap((found) => (found.key === key ? [found.start] : []))
}

function keyAt(document: vscode.TextDocument, position: vscode.Position): { name: string; range: vscode.Range } | null {
  const line = document.lineAt(position.line)
  const base = document.offsetAt(line.range.start)
  const at = base + position.character
  const found = isEnvDocument(document)
    ? parseEnv(document.getText()).entries.map(({ key, keyStart }) => ({ key, start: keyStart }))
    : findAccessors(line.text, document.languageId).map(({ key, start }) => ({ key, start: base + start }))
  const here = found.find(({ key, start }) => start <= at && at <= start + key.length)
  if (here === undefined) return null
  const start = document.positionAt(here.start)
  return { name: here.key, range: new vscode.Range(start, start.translate(0, here.key.length)) }
}
