/**
 * The root keys of a data folder, used if settings have none: `root.key`, and the one it replaced, `root.former.key`.
 *
 * @module
 */
import { existsSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { type Bytes, base64url, randomBytes } from '../../core/bytes.ts'
import { parseRootKey, ROOT_KEY_SIZE } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { Redacted } from '../../core/redacted.ts'
import { VAULT_SUFFIX } from './data_folder.ts'
import { renameDurably, syncToDisk, writeAndClose } from './durable_file.ts'
import { beginVaultList, listsVaults } from './vault_list.ts'

const CURRENT = 'root.key'
const FORMER = 'root.former.key'
/** Exists only during a replacement. */
const NEW = 'root.new.key'

/** The root keys of a data folder. */
export interface RootKeyFiles {
  rootKey: Redacted<Bytes>
  /** The source of the root key, in words for the operator. */
  origin: string
  former: Redacted<Bytes>[]
}

/** Whether the data folder has a root key of its own. */
export function hasRootKeyFile(data: string): boolean {
  return existsSync(join(data, CURRENT))
}

/**
 * Reads the root keys of the data folder. Without any, makes one, unless something shows that there was one.
 *
 * @param findHint Finds a sign of a root key in the settings: see `findRootKeyHint`.
 * @throws {PosternError} `bad_request`, naming the sign.
 */
export function readRootKeyFiles(data: string, findHint: () => string | null = () => null): RootKeyFiles {
  const file = join(data, CURRENT)
  if (existsSync(file)) {
    const rootKey = readKey(file)
    return { rootKey, origin: file, former: formerOf(data, rootKey) }
  }
  if (readdirSync(data).some((name) => name.endsWith(VAULT_SUFFIX)) || listsVaults(data)) {
    throw new PosternError(
      'bad_request',
      `Root key is missing: ${data} has vaults that another key sealed. Set POSTERN_ROOT_KEY, or put ${CURRENT} back`,
    )
  }
  const left = [FORMER, NEW].find((name) => existsSync(join(data, name)))
  const hint = left === undefined ? findHint() : `${join(data, left)} is there`
  if (hint !== null) {
    throw new PosternError(
      'bad_request',
      `Root key is missing: ${hint}. Set POSTERN_ROOT_KEY, or put ${CURRENT} back into ${data}. Postern makes a new root key only without that sign of an earlier one`,
    )
  }
  beginVaultList(data)
  const rootKey = makeKey(file)
  return { rootKey, origin: `${file}, made now. Back it up: without it, nothing can be decrypted`, former: [] }
}

/**
 * Makes a new root key, and keeps the one before it as the former. It may be interrupted anywhere and run again: `root.key`
 * is always one of the two, and no key is lost.
 *
 * @throws {PosternError} `bad_request` when there is no root key, or a former one still exists.
 */
export function replaceRootKeyFile(data: string): { rootKey: Redacted<Bytes>; former: Redacted<Bytes> } {
  const [file, formerFile, newFile] = [join(data, CURRENT), join(data, FORMER), join(data, NEW)]
  if (!existsSync(file))
    throw new PosternError('bad_request', `${file} does not exist: there is no root key to replace`)
  const former = readKey(file)
  if (existsSync(formerFile) && !(existsSync(newFile) && isUnfinished(formerFile, former))) {
    throw new PosternError(
      'bad_request',
      `${formerFile} exists already: finish the earlier replacement and remove this file before the next`,
    )
  }
  rmSync(formerFile, { force: true })
  const rootKey = whole(newFile) ?? makeKey(newFile)
  createDurably(formerFile, `${base64url(former.reveal())}\n`)
  renameDurably(newFile, file)
  return { rootKey, former }
}

/** The former root key, unless a replacement was interrupted before it was one. */
function formerOf(data: string, rootKey: Redacted<Bytes>): Redacted<Bytes>[] {
  const file = join(data, FORMER)
  if (!existsSync(file) || isUnfinished(file, rootKey)) return []
  return [readKey(file)]
}

/** Whether a file is a copy, or a part of one, of the current key: then that was not replaced yet. */
function isUnfinished(file: string, original: Redacted<Bytes>): boolean {
  const text = readFileSync(file, 'utf8').trim()
  return base64url(original.reveal()).startsWith(text)
}

/** The new key of an interrupted replacement; `null` without one. A partial one is removed. */
function whole(file: string): Redacted<Bytes> | null {
  if (!existsSync(file)) return null
  try {
    return readKey(file)
  } catch {
    rmSync(file)
    return null
  }
}

function readKey(file: string): Redacted<Bytes> {
  // As ssh does with a private key: a key that others can read is not a secret.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new PosternError('bad_request', `Root key file ${file} must be readable by its owner only (chmod 600)`)
  }
  return parseRootKey(readFileSync(file, 'utf8').trim(), file)
}

function makeKey(file: string): Redacted<Bytes> {
  const rootKey = randomBytes(ROOT_KEY_SIZE)
  createDurably(file, `${base64url(rootKey)}\n`)
  return new Redacted(rootKey)
}

/** Creates a file on the disk, or leaves none behind: the next start would take a part of a key for a damaged one. */
function createDurably(file: string, text: string): void {
  const handle = makeNew(file)
  try {
    writeAndClose(handle, text)
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  }
  syncToDisk(join(file, '..'))
}

function makeNew(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch {
    throw new PosternError(
      'unavailable',
      `${file} cannot be created: another process did, or the folder cannot be written`,
    )
  }
}
