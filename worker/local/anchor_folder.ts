/**
 * An anchor in a folder.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { renameDurably, writeDurably } from './durable_file.ts'

/** Keeps the newest checkpoint of each vault in a file: on a disk that a restore of the store does not touch. */
export function folderAnchor(folder: string): Anchor {
  const fileOf = (vault: string) => join(folder, `${vault}.checkpoint`)
  return {
    target: 'anchor:folder',
    async read(vault) {
      // A missing folder is an unmounted disk, not a log without an anchor.
      if (!existsSync(folder)) throw new Error('Folder of anchors does not exist')
      const file = fileOf(vault)
      return existsSync(file) ? readFileSync(file, 'utf8') : null
    },
    async write(vault, note) {
      const file = fileOf(vault)
      writeDurably(`${file}.new`, note)
      renameDurably(`${file}.new`, file)
    },
  }
}
