/**
 * Files that survive a power cut: their bytes, and their names in the folder, are synced to the disk.
 *
 * @module
 */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file for its owner only, and syncs its bytes. Its name is durable once the folder is synced as well: see
 * {@link syncToDisk}.
 *
 * @throws an error of the platform.
 */
export function writeDurably(file: string, text: string): void {
  writeAndClose(openSync(file, 'w', 0o600), text)
}

/**
 * Writes to an open file, syncs it, and closes it in any case: a full disk must not cost a descriptor each time.
 *
 * @throws an error of the platform.
 */
export function writeAndClose(handle: number, text: string): void {
  try {
    // Not `writeSync`: on a disk that fills up it may write a part, and report no error.
    if (text !== '') writeFileSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Syncs a file that exists, or the names in a folder.
 *
 * @throws an error of the platform.
 */
export function syncToDisk(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Renames a file, replacing what has the name, and syncs the folder.
 *
 * @throws an error of the platform.
 */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to)
  syncToDisk(dirname(to))
}
