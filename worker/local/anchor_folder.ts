import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Anchor } from '../../core/tlog/anchor.ts'

/** An anchor in a folder, one file a vault: on a disk that a restore of the store does not touch. */
export function folderAnchor(folder: string): Anchor {
  const fileOf = (vault: string) => join(folder, `${vault}.checkpoint`)
  return {
    target: 'anchor:folder',
    async read(vault) {
      // A folder that is not there is a disk that is not mounted, not a log without an anchor.
      if (!existsSync(folder)) throw new Error('Folder of anchors is not there')
      const file = fileOf(vault)
      return existsSync(file) ? readFileSync(file, 'utf8') : null
    },
    async write(vault, note) {
      const file = fileOf(vault)
      durably(`${file}.new`, 'w', note)
      renameSync(`${file}.new`, file)
      // The name is in the folder, and has to be on the disk as well.
      durably(folder, 'r')
    },
  }
}

/**
 * Has a file, or the names in a folder, on the disk when it returns. It is closed in any case: a disk that is full must not
 * cost a descriptor each time.
 */
export function durably(path: string, flags: 'r' | 'w', text = ''): void {
  const handle = openSync(path, flags, 0o600)
  try {
    // Not `writeSync`: a disk that becomes full may take a part of it, and no error says so.
    if (text !== '') writeFileSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
