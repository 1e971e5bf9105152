/**
 * Whether files are still where they were opened. A process keeps a file open that was deleted, moved or unmounted, and its
 * writes seem to succeed; the next start goes by the path.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { VanishedFile } from '../integrity/vanished_file.ts'

/** Files or a folder that a process has open. */
export interface OpenFiles {
  /**
   * Checks each path. Cost: one `stat` a path, a few microseconds.
   *
   * @throws {VanishedFile} when a path leads nowhere, or to another file.
   */
  check(): void
  isIntact(): boolean
}

/** Remembers the files at these paths. */
export function rememberFiles(...paths: string[]): OpenFiles {
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

/** Device and inode; `null` when the file does not exist or cannot be read. */
function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path)
    return `${dev}:${ino}`
  } catch {
    return null
  }
}
