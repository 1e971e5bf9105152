/**
 * The laws of the tree: which part may import which, what the vault's side never touches, and that a name means one thing.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')

/** The parts that each part may import from, beside itself. Nothing imports `cli` or `extension`. */
const PARTS: Record<string, readonly string[]> = {
  core: [],
  worker: ['core'],
  cli: ['core', 'worker'],
  extension: ['core'],
}

/** The files that may name a runtime: its entries, what needs a disk, and the commands. */
const RUNTIME_FILES = [
  /^worker\/(?:bun|deno|node|cloudflare|vault_object)\.ts$/,
  /^worker\/(?:local|threads)\//,
  /^cli\//,
  /^extension\/platform\/(?:node|machine|launch)\.ts$/,
  /^extension\/build\//,
]

/** What nothing beneath `core/vault/` may reach: keys, envelopes and the network. */
const OUTSIDE_THE_VAULT = [/^core\/crypto\/(?:keyring|envelope)\.ts$/, /^core\/http\//, /^core\/sealing\//]

/** Base names that once hid what is in a file. */
const BANNED_NAMES = [
  ...['administrable', 'archive', 'attention', 'call', 'desk', 'duties', 'elders', 'facts', 'flights', 'gateway'],
  ...['gauges', 'hindrance', 'helpers', 'keyed', 'misc', 'newer', 'observation', 'oplog', 'publication'],
  ...['standing', 'still_copy', 'upkeep', 'util', 'utils'],
]

interface Source {
  path: string
  part: string
  text: string
  imports: Import[]
}

interface Import {
  specifier: string
  /** Whether nothing of it is left at run time. */
  isType: boolean
}

/** Static imports, re-exports and dynamic imports of a module. */
function importsOf(text: string): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\b([^'"`]*?)from '([^']+)'|^import '([^']+)'|\bimport\(['"`]([^'"`]+)/gm,
  )
  return [...statements].map(([, clause = '', from, bare, dynamic]) => ({
    specifier: (from ?? bare ?? dynamic)!,
    isType: /^\s*type\b/.test(clause),
  }))
}

function sourcesIn(part: string): Source[] {
  return readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/node_modules|^dist/.test(file))
    .map((file) => {
      const path = join(part, file)
      const text = readFileSync(join(ROOT, path), 'utf8')
      return { path, part, text, imports: importsOf(text) }
    })
}

const sources = Object.keys(PARTS).flatMap(sourcesIn)
const byPath = new Map(sources.map((source) => [source.path, source]))
const vaultSources = sources.filter(({ path }) => path.startsWith('core/vault/'))

const targetOf = ({ path }: Source, specifier: string) => relative(ROOT, resolve(ROOT, dirname(path), specifier))
const isRuntimeFile = ({ path }: Source) => RUNTIME_FILES.some((pattern) => pattern.test(path))
const isOutside = (path: string) => OUTSIDE_THE_VAULT.some((pattern) => pattern.test(path))

/** The files that a file imports. */
function fileImports(source: Source, { types }: { types: boolean }): string[] {
  const wanted = source.imports.filter(({ specifier, isType }) => specifier.startsWith('.') && (types || !isType))
  return wanted.map(({ specifier }) => targetOf(source, specifier))
}

/** The code of a file, without comments and texts. */
function codeOf({ text }: Source): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'/g, '')
}

/** The packages of each part, as the table "In a server" of the page lists them. */
function listedPackages(): Map<string, Set<string>> {
  const page = readFileSync(join(ROOT, 'docs/contributing/packages.md'), 'utf8')
  const [, table = ''] = page.split(/^## In a server$/m)
  const listed = new Map<string, Set<string>>()
  for (const [, names = '', parts = ''] of table.split(/^## /m)[0]!.matchAll(/^\| (`[^|]+`) \| ([^|]+) \|/gm)) {
    for (const part of parts.split(',')) {
      const packages = listed.get(part.trim()) ?? new Set()
      for (const [, name] of names.matchAll(/`([^`]+)`/g)) packages.add(name!)
      listed.set(part.trim(), packages)
    }
  }
  return listed
}

/** What a part may import besides: the editor, and the bundler for the build of the extension. */
const UNLISTED: Record<string, (path: string) => readonly string[]> = {
  extension: (path) => (path.startsWith('extension/build/') ? ['vscode', 'esbuild'] : ['vscode']),
}

const packages = listedPackages()

describe('the tree', () => {
  it('is read whole', () => {
    expect(sources.length).toBeGreaterThan(300)
    expect(vaultSources.length).toBeGreaterThan(60)
    expect(fileImports(byPath.get('core/vault/vault.ts')!, { types: false })).toContain('core/vault/migrate.ts')
    expect(packages.get('core')).toContain('@noble/hashes')
  })

  it.each(sources)('$path imports only what its part may', (source) => {
    for (const { specifier } of source.imports) {
      if (specifier.startsWith('.')) {
        expect([source.part, ...PARTS[source.part]!]).toContain(targetOf(source, specifier).split('/')[0])
      } else if (/^(?:node|cloudflare|bun):/.test(specifier)) {
        expect([specifier, isRuntimeFile(source)]).toEqual([specifier, true])
      } else {
        const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
        const allowed = [...(packages.get(source.part) ?? []), ...(UNLISTED[source.part]?.(source.path) ?? [])]
        expect(allowed).toContain(name)
      }
    }
  })

  it.each(sources.filter((source) => !isRuntimeFile(source)))('$path names no runtime', (source) => {
    expect(codeOf(source)).not.toMatch(/\b(?:process|Buffer|Bun|Deno|__dirname|require)\b\s*[.(]/)
  })

  it.each(sources.filter(({ path }) => path.startsWith('core/text/')))('$path needs no package', ({ imports }) => {
    expect(imports.filter(({ specifier }) => !specifier.startsWith('.'))).toEqual([])
  })

  it('has no cycle of files', () => {
    const done = new Set<string>()
    const visit = (path: string, trail: string[]): void => {
      expect(trail.includes(path) ? [...trail, path] : []).toEqual([])
      if (done.has(path)) return
      const source = byPath.get(path)
      for (const next of source === undefined ? [] : fileImports(source, { types: true })) visit(next, [...trail, path])
      done.add(path)
    }
    for (const { path } of sources) visit(path, [])
  })
})

describe("the vault's side", () => {
  it.each(vaultSources)('$path is synchronous', (source) => {
    expect(codeOf(source)).not.toMatch(/\basync\b|\bawait\b|\bPromise\b|\.then\(/)
  })

  it.each(vaultSources)('$path names no key, envelope or network', (source) => {
    expect(fileImports(source, { types: true }).filter(isOutside)).toEqual([])
    expect(codeOf(source)).not.toMatch(/\bcrypto\.subtle\b|\bfetch\(/)
  })

  it('loads no key, envelope or network', () => {
    const trails = new Map<string, string[]>()
    const visit = (path: string, trail: string[]): void => {
      if (trails.has(path)) return
      trails.set(path, [...trail, path])
      const source = byPath.get(path)
      for (const next of source === undefined ? [] : fileImports(source, { types: false }))
        visit(next, [...trail, path])
    }
    for (const { path } of vaultSources) visit(path, [])
    expect([...trails].filter(([path]) => isOutside(path)).map(([, trail]) => trail)).toEqual([])
  })
})

describe('each name', () => {
  it('is exported by one file, if it is a type', () => {
    const files = new Map<string, string[]>()
    for (const { path, text } of sources) {
      for (const [, name] of text.matchAll(/^export (?:abstract )?(?:interface|type|class|enum) (\w+)/gm)) {
        files.set(name!, [...(files.get(name!) ?? []), path])
      }
    }
    expect(files.size).toBeGreaterThan(400)
    expect(Object.fromEntries([...files].filter(([, paths]) => paths.length > 1))).toEqual({})
  })

  it('says what a file holds', () => {
    const named = sources.filter(({ path }) => BANNED_NAMES.includes(basename(path, '.ts')))
    expect(named.map(({ path }) => path)).toEqual([])
  })
})
