/**
 * Small disks in memory, to be filled or taken away. They need to be mounted, and so Linux and root.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Need } from '../../support/needs.ts'

/** Mounts 3 MiB of memory at a new folder; `null` where that is not allowed. */
export function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'postern-disk-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder])
  if (status === 0) return folder
  rmSync(folder, { recursive: true })
  return null
}

/** That this machine lets the tests mount a disk. */
export function mounting(): Need {
  const folder = smallDisk()
  if (folder !== null) removeDisk(folder)
  return { met: folder !== null, remedy: 'run as root on Linux, where tmpfs can be mounted' }
}

export function removeDisk(folder: string): void {
  spawnSync('umount', [folder])
  rmSync(folder, { recursive: true, force: true })
}

/** Takes away that anything can be written to a disk that nothing is open on, or gives it back. */
export function remount(folder: string, how: 'ro' | 'rw'): boolean {
  return spawnSync('mount', ['-o', `remount,${how}`, folder]).status === 0
}
