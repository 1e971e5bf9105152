/**
 * How a bundle is made of the sources.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'

const ROOM = join(import.meta.dirname, '..')

// What `newer.ts` looks for, and the types of the oldest editor do not know.
const NEWER = ['DocumentDropOrPasteEditKind', 'DocumentPasteEdit', 'LanguageModelTextPart', 'LanguageModelToolResult']

/**
 * The editor's API as an ES module, read once. Left to the bundler, each of our files would copy the whole API, name by name,
 * while the editor waits for the start.
 */
const editorApi: Plugin = {
  name: 'editor-api',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^vscode$/ }, ({ namespace }) => ({
      path: 'vscode',
      ...(namespace === 'editor-api' ? { external: true } : { namespace: 'editor-api' }),
    }))
    onLoad({ filter: /./, namespace: 'editor-api' }, () => {
      const types = readFileSync(`${ROOM}/../node_modules/@types/vscode/index.d.ts`, 'utf8')
      const declared = [
        ...types.matchAll(/^\texport (?:abstract )?(?:class|const|enum|function|let|namespace) (\w+)/gm),
      ]
      const names = new Set([...declared.map(([, name]) => name), ...NEWER])
      // Pure, so that what is not used is left out.
      const lines = [...names].map((name) => `export const ${name} = /* @__PURE__ */ (() => api.${name})()`)
      return { contents: `const api = require('vscode')\n${lines.join('\n')}` }
    })
  },
}

/** One file, minified: the extension for one of the two hosts, or the script that programs are started by. */
export function bundling(name: 'node' | 'web' | 'launch') {
  return {
    absWorkingDir: resolve(ROOM, '..'),
    entryPoints: [`${ROOM}/platform/${name}.ts`],
    platform: name === 'web' ? 'browser' : 'node',
    bundle: true,
    minify: true,
    format: 'cjs',
    target: 'es2022',
    plugins: [editorApi],
    legalComments: 'none',
    logLevel: 'warning',
    // A name that the API does not have.
    logOverride: { 'import-is-undefined': 'error' },
    charset: 'utf8',
  } satisfies BuildOptions
}
