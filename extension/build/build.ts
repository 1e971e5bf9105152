/**
 * Builds the extension into `dist`. It contains one minified file for each host, without dependencies at run time, and the
 * manifest with its texts and pictures.
 *
 * @module
 */
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'
import { bundling } from './bundling.ts'

const ROOM = join(import.meta.dirname, '..')
// Zod, which validates every response, takes 33 KB of it, and the schemas of the responses 5 KB.
const BUDGET_KB = 200

const TEXTS = ['package.nls.json', 'package.nls.de.json', 'README.md', 'l10n', 'media']

rmSync(`${ROOM}/dist`, { recursive: true, force: true })

await Promise.all(
  (['node', 'web', 'launch'] as const).map((name) => build({ ...bundling(name), outfile: `${ROOM}/dist/${name}.cjs` })),
)

for (const part of TEXTS) cpSync(`${ROOM}/${part}`, `${ROOM}/dist/${part}`, { recursive: true })
for (const part of ['LICENSE', 'CHANGELOG.md']) cpSync(`${ROOM}/../${part}`, `${ROOM}/dist/${part}`)
// The bundles are CommonJS, unlike the sources. A web worker rejects an extension whose manifest declares ES modules.
const { type: _, private: __, ...manifest } = JSON.parse(readFileSync(`${ROOM}/package.json`, 'utf8'))
writeFileSync(`${ROOM}/dist/package.json`, `${JSON.stringify(manifest, null, 2)}\n`)

const sizes = ['node', 'web', 'launch'].map((name) => ({ name, kb: statSync(`${ROOM}/dist/${name}.cjs`).size / 1000 }))
const within = sizes.every(({ kb }) => kb <= BUDGET_KB)
for (const { name, kb } of sizes) process.stdout.write(`${name}.cjs: ${kb.toFixed(1)} KB, budget ${BUDGET_KB} KB\n`)
process.stdout.write(`${within ? '1 passed, 0 failed' : '0 passed, 1 failed'}\n`)
process.exitCode = within ? 0 : 1
