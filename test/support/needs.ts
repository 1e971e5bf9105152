/**
 * What some tests need and npm does not bring. A test that lacks it is skipped, and `skip_reporter.ts` names it at the
 * end of the run, with what to do.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestOptions } from 'vitest'

declare module '@vitest/runner' {
  interface TaskMeta {
    /** What to do so that a skipped test runs: `install zzuf`. */
    remedy?: string
  }
}

/** A condition that the machine may not meet. */
export interface Need {
  met: boolean
  /** What to do where it is not met, in the imperative: `install zzuf`. */
  remedy: string
}

/**
 * Options of a test or a suite that is skipped where one of its needs is not met: `it('…', needs(program('zzuf')), …)`.
 * Every skip goes through here.
 */
export function needs(...all: Need[]): Pick<TestOptions, 'skip' | 'meta'> {
  const remedies = new Set(all.filter(({ met }) => !met).map(({ remedy }) => remedy))
  return remedies.size === 0 ? {} : { skip: true, meta: { remedy: [...remedies].join(', ') } }
}

/**
 * A program on the path.
 *
 * @param from The Debian package that has it, where its name is another.
 */
export function program(name: string, from = name): Need {
  // Looked up and not started: some programs take any unknown option for work to do.
  const folders = (process.env.PATH ?? '').split(delimiter)
  const met = folders.some((folder) => existsSync(join(folder, name)) || existsSync(join(folder, `${name}.exe`)))
  return { met, remedy: `install ${from}` }
}

/** The kernel that the editor's launchers and libfaketime are for. */
export const ON_LINUX: Need = { met: process.platform === 'linux', remedy: 'run on Linux' }

/** A user whom file modes bind: root may read and write what its mode forbids. */
export const UNPRIVILEGED: Need = { met: process.getuid?.() !== 0, remedy: 'run as another user than root' }
