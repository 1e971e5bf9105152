/**
 * Whether files are still where they were opened. A process keeps an open file that was deleted, moved or unmounted, and
 * its writes seem to succeed; a path is what the next start finds.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { VanishedFile } from '../integrity/vanished_file.ts'

/** The files, or the folder, that a process has open. */
export interface OpenFiles {
  /**
   * Costs one `stat` a path, a few microseconds.
   *
   * @throws {VanishedFile} when a path leads nowhere, or to another file.
   */
  check(): void
  isIntact(): boolean
}

/** Remembers what is at these paths now. */
export function placeOf(...paths: string[]): OpenFiles {
  const known = paths.map((path) => [path, identityOf(path)] as const)
  const moved = () => known.find(([path, identity]) => identityOf(path) !== identity)?.[0]
  return {
    check() {
      const path = moved()
      if (path !== undefined) throw new VanishedFile(path)
    },
    isIntact: () => moved() === undefined,
  }
}

/** Device and inode; `null` when there is nothing, or it cannot be told. */
function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path)
    return `${dev}:${ino}`
  } catch {
    return null
  }
}
