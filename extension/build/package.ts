/**
 * Packs the extension into a VSIX with `node extension/build/package.ts [OUT] [FROM]`. FROM is the folder of a build.
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
// There is no public repository yet, so links in the texts are not rewritten.
const options = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links']
// git ignores the folder, so a fresh checkout does not have it.
mkdirSync(dirname(out), { recursive: true })
execFileSync('vsce', ['package', ...options, '--out', out], { cwd: from, stdio: 'inherit' })
