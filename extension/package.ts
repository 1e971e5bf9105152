/**
 * Packs the extension: a VSIX with the bundles, the manifest, the texts and nothing else.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'

const ROOM = import.meta.dirname
const ROOT = resolve(ROOM, '..')
/** What goes into it. Packed from a copy, so that nothing that lies about can slip in. */
const PARTS = ['package.json', 'package.nls.json', 'package.nls.de.json', 'README.md', 'dist', 'l10n', 'media']

const staged = join(ROOT, 'test/output/package')
const out = process.argv[2] ?? join(ROOT, 'test/output/postern.vsix')
rmSync(staged, { recursive: true, force: true })
mkdirSync(staged, { recursive: true })
for (const part of PARTS) cpSync(join(ROOM, part), join(staged, part), { recursive: true })
for (const part of ['LICENSE', 'CHANGELOG.md']) cpSync(join(ROOT, part), join(staged, part))
// Without a public repository yet, links in the texts stay as they are.
const options = ['--no-dependencies', '--skip-license', '--allow-missing-repository', '--no-rewrite-relative-links']
execFileSync('vsce', ['package', ...options, '--out', out], { cwd: staged, stdio: 'inherit' })
