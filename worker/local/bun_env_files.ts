/**
 * Reports `.env` files that Bun has read itself, before this code runs. Bun expands `$` even in single quotes, and reads more
 * files, so the values can differ from those in `.env`. `npm start` switches that off.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { logLine } from '../telemetry/log.ts'

/** The files that Bun reads in its working folder without `--no-env-file`. */
const FILES = /^\.env(?:\.local|\.(?:development|production|test)(?:\.local)?)?$/

/** Writes a line to the operational log if Bun has read `.env` files of the working folder. */
export function reportBunEnvFiles(files: readonly string[] = readdirSync('.'), flags = process.execArgv): void {
  if (process.versions.bun === undefined || flags.some((flag) => /^--(?:no-)?env-file\b/.test(flag))) return
  const read = files.filter((file) => FILES.test(file)).sort()
  if (read.length > 0) logLine('warn', 'env_files_read_by_bun', { files: read, advice: 'Start Bun with --no-env-file' })
}
