/**
 * Has the server that runs over these settings back up all of its vaults now: `npm run backup`.
 *
 * It waits until there is a new backup of each, and prints their files.
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

/** A server looks once a second. */
const TAKEN_MS = 15_000
/** A vault that is not served has none; one that is large takes a while. */
const MADE_MS = 30 * 60_000
const LOOK_MS = 100

async function run(): Promise<string> {
  const settings = readLocalSettings()
  const [data, folder] = [resolve(settings.data), resolve(settings.backup.folder ?? '')]
  if (settings.backup.folder === undefined || !existsSync(folder)) {
    throw new PosternError('bad_request', 'POSTERN_BACKUP__FOLDER: Must be a folder that is there')
  }
  const before = new Set(readdirSync(folder))
  const request = requestBackups(folder, serverOf(data))
  const deadline = Date.now() + TAKEN_MS
  while (!request.taken()) {
    if (Date.now() > deadline) {
      request.withdraw()
      const message = 'No server took the request. Does one run, with this POSTERN_BACKUP__FOLDER?'
      throw new PosternError('unavailable', message)
    }
    await sleep(LOOK_MS)
  }
  return (await made(folder, vaultsIn(data), before)).join('\n')
}

/** Waits for a backup of each vault that was not there before. */
async function made(folder: string, vaults: string[], before: ReadonlySet<string>): Promise<string[]> {
  const deadline = Date.now() + MADE_MS
  for (;;) {
    const found = vaults.map((vault) => backupsIn(folder, vault).find(({ file }) => !before.has(file)))
    if (!found.includes(undefined)) return found.map((one) => join(folder, one!.file))
    if (Date.now() > deadline) {
      const missing = vaults.filter((_, i) => found[i] === undefined)
      throw new PosternError(
        'unavailable',
        `No backup was made of ${missing.join(', ')}: the server's own log says why`,
      )
    }
    await sleep(LOOK_MS)
  }
}

await runCommand({
  help: `
npm run backup

Has the server that runs over these settings back up all of its vaults into POSTERN_BACKUP__FOLDER, and prints the files
once they are complete.`,
  run,
  failure: 'Backup failed',
})
