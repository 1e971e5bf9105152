/**
 * The folder that `POSTERN_VECTORS` names: test suites of other projects, which this repository does not hold.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Stops the run before its first test when there is no folder: Vitest's global setup of the project `vectors`.
 *
 * @throws {Error} when `POSTERN_VECTORS` is not set.
 */
export function setup(): void {
  folder()
}

/**
 * Reads a file of the folder as JSON.
 *
 * @throws {Error} when `POSTERN_VECTORS` is not set, or the file is missing, empty or no JSON.
 */
export function readSuite<T>(file: string): T {
  return JSON.parse(readFileSync(join(folder(), file), 'utf8'))
}

function folder(): string {
  const path = process.env.POSTERN_VECTORS
  if (path) return path
  throw new Error('Set POSTERN_VECTORS to the folder that holds the files which test/vectors/README.md lists')
}
