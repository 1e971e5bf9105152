/**
 * Writes all generated documents: `npm run docs`. With `--check` it fails if one is not current, or the table of attacks is
 * not.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'

const ROOT = join(import.meta.dirname, '..')
const GENERATORS = [
  'scripts/settings_reference.ts',
  'scripts/entry_schema.ts',
  'scripts/openapi.ts',
  'scripts/metrics_reference.ts',
]

const args = process.argv.slice(2)
// The table of attacks is written by running its tests, so it is only checked here.
const programs = args.includes('--check') ? [...GENERATORS, 'test/attacks/run.ts'] : GENERATORS
for (const program of programs) {
  const { status } = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
