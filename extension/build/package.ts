/**
 * Packs the extension into a VSIX: `node extension/build/package.ts [OUT] [FROM]`. FROM is the folder of a build.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'

const ROOM = join(import.meta.dirname, '..')
const [out = join(ROOM, '../test/output/postern.vsix'), from = join(ROOM, 'dist')] = process.argv
  .slice(2)
  .map((path) => resolve(path))
// Without a public repository yet, links in the texts stay as they are.
const options = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links']
// git ignores the folder, so a fresh checkout has none.
mkdirSync(dirname(out), { recursive: true })
execFileSync('vsce', ['package', ...options, '--out', out], { cwd: from, stdio: 'inherit' })
