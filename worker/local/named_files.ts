/**
 * The folders that settings name: anchors and backups.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { PosternError } from '../../core/errors.ts'
import type { Settings } from '../../core/settings/settings.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { httpAnchors } from '../compose.ts'
import type { Sender } from '../outbound.ts'
import { folderAnchor } from './anchor_folder.ts'
import { LOCAL_FILES } from './secrets_file.ts'

/**
 * The anchors of a log.
 *
 * @throws {PosternError} `bad_request` when the folder of anchors does not exist: its disk may not be mounted.
 */
export function anchorsOf(sender: Sender): Anchor[] {
  const { anchor } = sender.settings.audit
  const inFolder = anchor !== undefined && !/^https?:/i.test(anchor)
  if (inFolder && !existsSync(anchor)) {
    throw new PosternError('bad_request', 'POSTERN_AUDIT__ANCHOR: Must be an existing folder, or an https URL')
  }
  return inFolder ? [folderAnchor(anchor)] : httpAnchors(sender, LOCAL_FILES.read)
}

/**
 * Checks the folder of backups.
 *
 * @throws {PosternError} `bad_request` when it does not exist, since its disk may not be mounted, or is the data folder.
 */
export function checkBackupFolder({ backup: { folder } }: Settings, data: string): void {
  if (folder === undefined || (existsSync(folder) && resolve(folder) !== data)) return
  throw new PosternError('bad_request', 'POSTERN_BACKUP__FOLDER: Must be an existing folder other than the data folder')
}
