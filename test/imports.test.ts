/** The shape of the house: who may import what, and that nothing runs in a circle. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')

/** Packages that each room may import; core has Web APIs and these. */
const PACKAGES: Record<string, readonly string[]> = {
  core: [
    ...[
      '@noble/hashes',
      '@scure/bip39',
      'canonicalize',
      'cockatiel',
      'ipaddr.js',
      'jose',
      'lru-cache',
      'otpauth',
      'qr',
      'zod',
    ],
  ],
  worker: ['@hono/node-server', 'hono', 'zod'],
  cli: [],
  extension: ['vscode'],
}
/** Rooms that each room may import from, beside itself. */
const ROOMS: Record<string, readonly string[]> = {
  core: [],
  worker: ['core'],
  cli: ['core', 'worker'],
  extension: ['core'],
}
/** The only files that may name a runtime, beside the commands. */
const RUNTIME_FILES = /^(?:worker\/(?:bun|deno|node|cloudflare|vault_object)\.ts$|worker\/local\/|cli\/)/

/** The editor's side of a runtime is in one folder; the build is no part of what is built. */
const EDITOR_RUNTIME = /^extension\/(?:platform\/(?:node|machine|launch)\.ts$|build\/)/

interface Source {
  path: string
  room: string
  text: string
  imports: string[]
}

function sourcesIn(room: string): Source[] {
  return readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/node_modules|^dist/.test(file))
    .map((file) => {
      const path = join(room, file)
      const text = readFileSync(join(ROOT, path), 'utf8')
      // Static imports, re-exports, and dynamic ones.
      const found = text.matchAll(
        /^(?:import|export)\b[^'"`]*?from '([^']+)'|^import '([^']+)'|\bimport\(['"`]([^'"`]+)/gm,
      )
      const imports = [...found].map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!)
      return { path, room, text, imports }
    })
}

const sources = ['core', 'worker', 'cli', 'extension'].flatMap(sourcesIn)
const targetOf = (source: Source, specifier: string) => relative(ROOT, resolve(ROOT, dirname(source.path), specifier))
const isRuntimeFile = ({ path }: Source) => EDITOR_RUNTIME.test(path) || RUNTIME_FILES.test(path)

describe('the house', () => {
  it('is read whole: this test can see', () => {
    expect(sources.length).toBeGreaterThan(40)
    expect(sources.find(({ path }) => path === 'core/vault/vault.ts')?.imports).toContain('./migrate.ts')
  })

  it.each(sources)('$path imports only what its room may', (source) => {
    for (const specifier of source.imports) {
      if (specifier.startsWith('.')) {
        const room = targetOf(source, specifier).split('/')[0]!
        expect([source.room, ...ROOMS[source.room]!]).toContain(room)
      } else if (/^(?:node|cloudflare|bun):/.test(specifier)) {
        expect(isRuntimeFile(source)).toBe(true)
      } else if (/^extension\/build\/(?:build|bundling)\.ts$/.test(source.path)) {
        expect(specifier).toBe('esbuild')
      } else {
        const name = specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/')
        expect(PACKAGES[source.room]).toContain(name)
      }
    }
  })

  it.each(sources.filter((source) => !isRuntimeFile(source)))('$path names no runtime', ({ text }) => {
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'/g, '')
    expect(code).not.toMatch(/\b(?:process|Buffer|Bun|Deno|__dirname|require)\b\s*[.(]/)
  })

  it.each(sources.filter(({ path }) => path.startsWith('core/text/')))('$path knows no editor', ({ imports }) => {
    expect(imports.filter((specifier) => !specifier.startsWith('.'))).toEqual([])
  })

  it('has no circle of imports', () => {
    const graph = new Map(sources.map((source) => [source.path, fileImports(source)]))
    const done = new Set<string>()
    const visit = (path: string, trail: string[]): void => {
      expect(trail.includes(path) ? [...trail, path] : []).toEqual([])
      if (done.has(path)) return
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
  })
})

/** All imports of files, of types as well: a circle of types is a circle of thoughts. */
function fileImports(source: Source): string[] {
  return source.imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => targetOf(source, specifier))
}
