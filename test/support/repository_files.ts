/**
 * The files that belong to the repository.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/**
 * Lists the files of the repository, committed or about to be. A copy without git's folder, or one of another user that
 * git does not trust, is walked instead, without what `.gitignore` names.
 *
 * @returns Paths from the root of the repository, sorted.
 */
export function repositoryFiles(): string[] {
  return (listedByGit() ?? walked()).filter((file) => existsSync(join(ROOT, file))).sort()
}

function listedByGit(): string[] | null {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard']
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  return status === 0 ? [...new Set(stdout.split('\n').filter((file) => file !== ''))] : null
}

/** Walks the folders, and descends into none that is ignored. */
export function walked(folder = ROOT): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.name === '.git' || isIgnored(relative(ROOT, path))) return []
    return entry.isDirectory() ? walked(path) : [relative(ROOT, path)]
  })
}

const IGNORED = readFileSync(join(ROOT, '.gitignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.replace(/\/$/, ''))

/** Whether `.gitignore` names a path: from the root with a leading slash, else by its name or its ending. */
function isIgnored(path: string): boolean {
  const name = path.split('/').at(-1)!
  return IGNORED.some((line) => {
    if (line.startsWith('/')) return path === line.slice(1)
    return line.startsWith('*') ? name.endsWith(line.slice(1)) : name === line
  })
}
