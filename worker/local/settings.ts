/**
 * The settings of this process: from the environment, then `.env`, then a folder of secrets. The server and all commands
 * read them here.
 *
 * @module
 */
import { lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { PosternError } from '../../core/errors.ts'
import { firstGiven, type Sources } from '../../core/settings/reader.ts'
import { parseSettings, type Settings } from '../../core/settings/settings.ts'
import { envValues, lineOf } from '../../core/text/dotenv.ts'
import { readSettingsDotenv, readSettingsFile } from './settings_files.ts'

const DOTENV = '.env'
const DATA = 'POSTERN_DATA'
const SECRETS_DIR = 'POSTERN_SECRETS_DIR'
const DEFAULT_SECRETS_DIR = './secrets'
/** Settings that have no effect without a root key. */
const WITH_ROOT_KEY = ['POSTERN_FORMER_ROOT_KEYS', 'POSTERN_NEXT_ROOT_KEY']

/**
 * Reads the settings of this process.
 *
 * @throws {PosternError} `bad_request`, naming the source: a file that cannot be read or is not UTF-8, a line of `.env`
 *   that is not a setting, or invalid settings.
 */
export function readLocalSettings(): Settings {
  return parseSettings(readSources())
}

/** A value of `.env` that ends before a `#`, which may be a part of it. */
export interface CutValue {
  file: string
  line: number
  name: string
}

/** Lists the values of `.env` that end before a `#` without white space in front, for the operator: names, and no values. */
export function findCutValues(): CutValue[] {
  if (!isThere(DOTENV)) return []
  const { text, warnings } = readSettingsDotenv(DOTENV)
  const cut = warnings.filter(({ kind }) => kind === 'cut_at_hash')
  return cut.map(({ key, start }) => ({ file: DOTENV, line: lineOf(text, start), name: key }))
}

/**
 * A sign that there should be a root key although no source has one, such as an empty variable or a file whose name is
 * slightly wrong; `null` without one.
 */
export function findRootKeyHint(): string | null {
  const sources = readSources()
  const { environment, dotenv, secrets, lookalikes } = sources
  // An empty POSTERN_DATA: the folder in use is not the one that was meant.
  const folders = [SECRETS_DIR, ...(firstGiven(sources, DATA) === undefined ? [DATA] : [])]
  for (const [place, values] of Object.entries({ 'the environment': environment, [DOTENV]: dotenv, secrets })) {
    const empty = folders.find((name) => values[name]?.trim() === '')
    if (empty !== undefined) return `${empty} is empty in ${place}`
    const name = Object.keys(values).find(isRootKey)
    if (name === undefined) continue
    const isEmpty = values[name]?.trim() === ''
    return isEmpty ? `${name} is empty in ${place}` : `${name} in ${place} is not read under this name`
  }
  if (lookalikes[0] !== undefined) return `${lookalikes[0]} is not read under this name`
  const other = WITH_ROOT_KEY.find((name) => firstGiven(sources, name) !== undefined)
  return other === undefined ? null : `${other} is set`
}

/** Whether a name is that of the root key, or close to it. */
function isRootKey(name: string): boolean {
  return /^POSTERNROOTKEY/i.test(name.replaceAll(/[^A-Za-z0-9]/g, ''))
}

/** The sources of settings, and the files of the secrets folder that look like the root key and are not read. */
interface LocalSources extends Required<Sources> {
  lookalikes: string[]
}

function readSources(): LocalSources {
  const environment = process.env
  const dotenv = readDotenv()
  const named = firstGiven({ environment, dotenv }, SECRETS_DIR)
  return { environment, dotenv, ...readSecrets(named ?? DEFAULT_SECRETS_DIR, named !== undefined) }
}

function readDotenv(): Record<string, string> {
  return isThere(DOTENV) ? Object.fromEntries(envValues(readSettingsDotenv(DOTENV))) : {}
}

/**
 * Reads the files of a secrets folder that are named like settings.
 *
 * @param isNamed Whether a setting names the folder: then it must exist.
 * @throws {PosternError} `bad_request` for a file that is named nearly like a setting: it would be ignored.
 */
function readSecrets(folder: string, isNamed: boolean): Pick<LocalSources, 'secrets' | 'lookalikes'> {
  if (!isNamed && !isThere(folder)) return { secrets: {}, lookalikes: [] }
  const all = listOrRefuse(folder, isNamed ? SECRETS_DIR : folder)
  const names = all.filter((name) => /^postern[^a-z0-9]/i.test(name))
  const near = names.filter((name) => !/^postern_\w+$/i.test(name)).map((name) => join(folder, name))
  if (near.length > 0) {
    const advice = 'Must have the name of a setting, such as postern_root_key, or be removed'
    throw new PosternError('bad_request', near.map((file) => `${file}: ${advice}`).join('\n'))
  }
  const texts = names.map((name) => [name, readSettingsFile(join(folder, name))])
  const lookalikes = all.filter((name) => isRootKey(name) && !names.includes(name)).map((name) => join(folder, name))
  return { secrets: Object.fromEntries(texts), lookalikes }
}

function listOrRefuse(folder: string, source: string): string[] {
  try {
    if (statSync(folder).isDirectory()) return readdirSync(folder)
  } catch {}
  throw new PosternError('bad_request', `${source}: Must be an existing folder that can be read`)
}

/** Whether a path exists, even as a link that leads nowhere. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
