/**
 * Builds the extension into `dist`, whole: one file a host, minified, without a dependency at run time; the manifest, its
 * texts and pictures, and nothing else.
 *
 * @module
 */
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import process from 'node:process'
import { type BuildOptions, build, type Plugin } from 'esbuild'

const ROOM = import.meta.dirname
// Of which zod, which checks every answer, has 33, and the shapes of answers 5.
const BUDGET_KB = 150

const TEXTS = ['package.nls.json', 'package.nls.de.json', 'README.md', 'l10n', 'media']

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
      return { contents: ["const api = require('vscode')", ...lines].join('\n') }
    })
  },
}

rmSync(`${ROOM}/dist`, { recursive: true, force: true })

const common = {
  absWorkingDir: resolve(ROOM, '..'),
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

await Promise.all([
  build({ ...common, entryPoints: [`${ROOM}/platform/node.ts`], outfile: `${ROOM}/dist/node.cjs`, platform: 'node' }),
  build({ ...common, entryPoints: [`${ROOM}/platform/web.ts`], outfile: `${ROOM}/dist/web.cjs`, platform: 'browser' }),
  build({
    ...common,
    entryPoints: [`${ROOM}/platform/launch.ts`],
    outfile: `${ROOM}/dist/launch.cjs`,
    platform: 'node',
  }),
])

for (const part of TEXTS) cpSync(`${ROOM}/${part}`, `${ROOM}/dist/${part}`, { recursive: true })
for (const part of ['LICENSE', 'CHANGELOG.md']) cpSync(`${ROOM}/../${part}`, `${ROOM}/dist/${part}`)
// Our sources are ES modules, the bundles are not; a web worker refuses an extension that says otherwise.
const { type: _, private: __, ...manifest } = JSON.parse(readFileSync(`${ROOM}/package.json`, 'utf8'))
writeFileSync(`${ROOM}/dist/package.json`, `${JSON.stringify(manifest, null, 2)}\n`)

const sizes = ['node', 'web', 'launch'].map((name) => ({ name, kb: statSync(`${ROOM}/dist/${name}.cjs`).size / 1000 }))
const within = sizes.every(({ kb }) => kb <= BUDGET_KB)
for (const { name, kb } of sizes) process.stdout.write(`${name}.cjs: ${kb.toFixed(1)} KB, budget ${BUDGET_KB} KB\n`)
process.stdout.write(`${within ? '1 passed, 0 failed' : '0 passed, 1 failed'}\n`)
process.exitCode = within ? 0 : 1
