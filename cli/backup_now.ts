/**
 * Requests backups of all vaults from the server with these settings, and waits for them: `npm run backup`.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PosternError } from '../core/errors.ts'
import { sleep } from '../core/sleep.ts'
import { backupsIn, requestBackups } from '../worker/local/backup_folder.ts'
import { vaultsIn } from '../worker/local/data_folder.ts'
import { readLocalSettings } from '../worker/local/settings.ts'
import { serverOf } from '../worker/local/vault_list.ts'
import { runCommand } from './command.ts'

/** How long a server may take to notice the request: it checks once a second. */
const TAKEN_MS = 15_000
/** How long the backups may take: a vault that is not served never gets one, and a large one takes a while. */
const MADE_MS = 30 * 60_000
const LOOK_MS = 100

async function run(): Promise<string> {
  const settings = readLocalSettings()
  const [data, folder] = [resolve(settings.data), resolve(settings.backup.folder ?? '')]
  if (settings.backup.folder === undefined || !existsSync(folder)) {
    throw new PosternError('bad_request', 'POSTERN_BACKUP__FOLDER: Must be an existing folder')
  }
  const before = new Set(readdirSync(folder))
  const request = requestBackups(folder, serverOf(data))
  const deadline = Date.now() + TAKEN_MS
  while (!request.taken()) {
    if (Date.now() > deadline) {
      request.withdraw()
      const message = 'No server took the request. Check that one runs with this POSTERN_BACKUP__FOLDER'
      throw new PosternError('unavailable', message)
    }
    await sleep(LOOK_MS)
  }
  return (await made(folder, vaultsIn(data), before)).join('\n')
}

/** Waits for a new backup of each vault. @param before The files that existed before. */
async function made(folder: string, vaults: string[], before: ReadonlySet<string>): Promise<string[]> {
  const deadline = Date.now() + MADE_MS
  for (;;) {
    const found = vaults.map((vault) => backupsIn(folder, vault).find(({ file }) => !before.has(file)))
    if (!found.includes(undefined)) return found.map((one) => join(folder, one!.file))
    if (Date.now() > deadline) {
      const missing = vaults.filter((_, i) => found[i] === undefined)
      throw new PosternError(
        'unavailable',
        `No backup of ${missing.join(', ')} was made. The reason is in the server's log`,
      )
    }
    await sleep(LOOK_MS)
  }
}

await runCommand({
  help: `
npm run backup

Requests backups of all vaults from the server with these settings. Waits until they are complete in
POSTERN_BACKUP__FOLDER, and prints their files.`,
  run,
  failure: 'Backup failed',
})
