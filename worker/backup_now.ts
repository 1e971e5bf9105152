/**
 * Has the server that runs over these settings back up all of its vaults now: `npm run backup`.
 *
 * It waits until there is a new backup of each, and prints their files.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { PosternError } from '../core/errors.ts'
import { backupsIn, requestBackups } from './archive_folder.ts'
import { vaultsIn } from './data.ts'
import { readLocalSettings } from './local.ts'

/** A server looks once a second. */
const TAKEN_MS = 15_000
const LOOK_MS = 100

async function run(): Promise<string> {
  const settings = readLocalSettings()
  const [data, folder] = [resolve(settings.data), resolve(settings.backup.folder ?? '')]
  if (settings.backup.folder === undefined || !existsSync(folder)) {
    throw new PosternError('bad_request', 'POSTERN_BACKUP__FOLDER: Must be a folder that is there')
  }
  const before = new Set(readdirSync(folder))
  const vaults = vaultsIn(data)
  const request = requestBackups(folder)
  const deadline = Date.now() + TAKEN_MS
  while (!request.taken()) {
    if (Date.now() > deadline) {
      request.withdraw()
      const message = 'No server took the request. Does one run, with this POSTERN_BACKUP__FOLDER?'
      throw new PosternError('unavailable', message)
    }
    await pause()
  }
  const made: string[] = []
  for (const vault of vaults) {
    let file: string | undefined
    // As long as it takes: the server says in its log what is in the way, and tries again.
    while (file === undefined) {
      file = backupsIn(folder, vault).find((one) => !before.has(one.file))?.file
      if (file === undefined) await pause()
    }
    made.push(join(folder, file))
  }
  return made.join('\n')
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, LOOK_MS))
}

try {
  process.stdout.write(`${await run()}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof PosternError ? error.message : 'Backup failed: folder cannot be used'}\n`)
  process.exitCode = 1
}
