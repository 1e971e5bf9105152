import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/** Writes a generated document, or with `--check` fails when it is not current. */
export function generated(file: string, text: string, command = 'npm run docs'): void {
  const path = join(import.meta.dirname, '..', file)
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    process.stderr.write(`${file} is not current: ${command}\n`)
    process.exitCode = 1
  }
}
