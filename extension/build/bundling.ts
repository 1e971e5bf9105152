/**
 * The esbuild options that make a bundle from the sources.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'

const ROOM = join(import.meta.dirname, '..')

// The names that `optional_api.ts` checks for. The types of the oldest supported editor lack them.
const NEWER = ['DocumentDropOrPasteEditKind', 'DocumentPasteEdit', 'LanguageModelTextPart', 'LanguageModelToolResult']

/**
 * Provides the editor's API as an ES module that reads each name once. By default, the bundler would make each source file copy the
 * whole API, name by name, while the editor waits for the extension to start.
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
      // The annotation lets the bundler drop unused names.
      const lines = [...names].map((name) => `export const ${name} = /* @__PURE__ */ (() => api.${name})()`)
      return { contents: `const api = require('vscode')\n${lines.join('\n')}` }
    })
  },
}

/** Makes the options for one minified file, which is the extension for one of the two hosts or the script that starts programs. */
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
    // Fails the build on a name that the API does not have.
    logOverride: { 'import-is-undefined': 'error' },
    charset: 'utf8',
  } satisfies BuildOptions
}
