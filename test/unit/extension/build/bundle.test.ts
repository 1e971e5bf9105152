/** What the editor waits for at the start: the bundles do next to nothing when they are loaded, and little when they are activated. */
import { createRequire } from 'node:module'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { bundling } from '../../../../extension/build/bundling.ts'

const ORIGIN = 'http://127.0.0.1:1'
const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const session = {
  origin: ORIGIN,
  vault: 'default',
  principal: 'admin',
  accessor: 'a',
  token: 't',
  expiresAt: '2099-01-01T00:00:00.000Z',
  key: await crypto.subtle.exportKey('jwk', privateKey),
}

/** Creates a stub of any value in the editor's API, which does nothing. */
function anything(): unknown {
  const known = new Map<unknown, unknown>()
  const get = (_: unknown, key: unknown) => {
    if (key === 'then') return undefined
    if (key === Symbol.toPrimitive) return () => ''
    if (!known.has(key)) known.set(key, anything())
    return known.get(key)
  }
  const make = () => anything() as object
  return new Proxy(class {}, { get, set: () => true, apply: make, construct: make })
}

/** Loads a bundle as an extension host does, and notes what it is asked for. */
async function load(host: 'node' | 'web') {
  const { outputFiles } = await build({ ...bundling(host), outfile: 'bundle.cjs', write: false })
  const asked: string[] = []
  const reads = new Map<string, number>()
  const inner: Record<string, unknown> = {
    l10n: { t: String },
    workspace: new Proxy(anything() as object, {
      get: (api, key) => (key === 'getConfiguration' ? () => settings : Reflect.get(api, key)),
    }),
  }
  const settings = {
    get: (_: string, or: unknown) => or,
    inspect: (key: string) => (key === 'endpoints' ? { globalValue: { here: ORIGIN } } : undefined),
  }
  const api = new Proxy(inner, {
    get(_, name: string) {
      reads.set(name, (reads.get(name) ?? 0) + 1)
      inner[name] ??= anything()
      return inner[name]
    },
  })
  const subtle = new Proxy(crypto.subtle, {
    get(of, name: keyof SubtleCrypto) {
      asked.push(`crypto.${name}`)
      return (of[name] as () => unknown).bind(of)
    },
  })
  const context = createContext({
    ...{ AbortSignal, TextDecoder, TextEncoder, URL, atob, btoa, clearTimeout, performance, setTimeout },
    crypto: { subtle, randomUUID: () => crypto.randomUUID(), getRandomValues: crypto.getRandomValues.bind(crypto) },
    fetch: () => asked.push('fetch'),
  })
  const source = `(function (exports, require, module) {${outputFiles[0]!.text}\n})`
  const module: { exports: { activate?: (context: unknown) => void } } = { exports: {} }
  const ours = createRequire(import.meta.url)
  runInContext(source, context)(module.exports, (id: string) => (id === 'vscode' ? api : ours(id)), module)
  const memory = { get: (_: string, or: unknown) => or, update: async () => {} }
  const activate = () =>
    module.exports.activate!({
      subscriptions: [],
      extension: { extensionKind: 1 },
      extensionPath: '/',
      globalState: memory,
      workspaceState: memory,
      secrets: {
        onDidChange: () => ({ dispose() {} }),
        async get(key: string) {
          asked.push('secrets')
          return key.endsWith(ORIGIN) ? JSON.stringify([session]) : undefined
        },
      },
    })
  return { activate, asked, reads, context }
}

describe.each(['node', 'web'] as const)('the bundle for %s', (host) => {
  it('reads each name of the editor once, and only names that it uses', async () => {
    const { reads } = await load(host)
    expect([...reads].filter(([, times]) => times > 1)).toEqual([])
    expect(reads.size).toBeGreaterThan(30)
    expect(reads.size).toBeLessThan(120)
    // No name of the API that nothing here is about: it is not taken as a whole.
    expect(reads.has('NotebookCellStatusBarItem')).toBe(false)
  })

  it('registers and returns: storage, keys, the network and the shapes of answers come after', async () => {
    const { activate, asked, context } = await load(host)
    // What zod leaves where it was loaded.
    const isLoaded = () => '__zod_globalConfig' in context
    activate()
    expect(asked).toEqual([])
    expect(isLoaded()).toBe(false)
    // An account is signed in, so the extension creates a client.
    await expect.poll(isLoaded).toBe(true)
    expect(asked).toContain('secrets')
  })
})
