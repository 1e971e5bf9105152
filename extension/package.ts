/**
 * Packs the extension as it was built into a VSIX.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import process from 'node:process'

const ROOM = import.meta.dirname
const out = process.argv[2] ?? resolve(ROOM, '../test/output/postern.vsix')
// Without a public repository yet, links in the texts stay as they are.
const options = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links']
execFileSync('vsce', ['package', ...options, '--out', out], { cwd: join(ROOM, 'dist'), stdio: 'inherit' })
