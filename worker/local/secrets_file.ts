/**
 * A file of secrets on a developer's machine, for the file provider.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import process from 'node:process'
import type { LocalFiles } from '../../core/provider_registry/from_settings.ts'
import { type FileConfig, FileProvider } from '../../core/providers/file/provider.ts'

/** The files of this machine, and the variables of its platform. */
export const LOCAL_FILES: LocalFiles = {
  variable: (name) => process.env[name],
  read: (path) => secretsFile(path).read(),
  store: (path) => new FileProvider(secretsFile(path)),
}

/**
 * Reads and replaces a file. A new file is readable by its owner only; an existing one keeps its mode. A write is durable
 * and whole, or leaves the file as it was.
 *
 * @param path A path that ends in `.json`; any other is a `.env` file.
 */
export function secretsFile(path: string): Required<FileConfig> {
  return {
    format: path.endsWith('.json') ? 'json' : 'env',
    async read() {
      try {
        return Uint8Array.from(await readFile(path))
      } catch (error) {
        if (Object(error).code === 'ENOENT') return null
        throw error
      }
    },
    write: (bytes) => replace(path, bytes),
  }
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  // For a link, the file it leads to: a rename over the link would part the two.
  const target = await realpath(path).catch(() => path)
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', await modeOf(target))
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function modeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null)
  return found === null ? 0o600 : found.mode & 0o777
}
