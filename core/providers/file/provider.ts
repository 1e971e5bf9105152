/**
 * A file of secrets on the developer's own machine, as `.env` or JSON. For development only: it is neither
 * sealed nor shared, and settings refuse it in production.
 *
 * @module
 */
import { type Bytes, base64, parseBase64, utf8 } from '../../bytes.ts'
import { isJsonType } from '../../content_type.ts'
import { isProgrammingError } from '../../programming_error.ts'
import { Redacted } from '../../redacted.ts'
import { isStageWord } from '../../stages.ts'
import { decodeText } from '../../text/decode_text.ts'
import { envValues, lineOf, parseEnv } from '../../text/dotenv.ts'
import { editEnv } from '../../text/dotenv_edit.ts'
import { type Provider, ProviderFailure, type ProviderPutOptions, type ProviderSecret } from '../provider.ts'
import { UNVERSIONED } from '../request.ts'
import { bytesOfText, checkFit, declaresType, foreignShape, writtenContent } from '../shape.ts'
import { checkStoreName } from '../store_names.ts'
import { editJsonFile, type FileEntry, parseJsonFile } from './json_file.ts'

const MAX_FILE_BYTES = 1024 * 1024

/** The format of a file, and how it is read and written. */
export interface FileConfig {
  format: 'env' | 'json'
  /** Reads the file; `null` when there is none yet. A runtime's file system is not ours to name. */
  read: () => Promise<Bytes | null>
  /** Replaces the file, all of it or nothing. Without it, the store is for reading only. */
  write?: (bytes: Bytes) => Promise<void>
}

/** A file as a store. Writes wait for each other; between processes the last one wins. */
export class FileProvider implements Provider {
  readonly kind = 'file'
  readonly versions = null
  readonly #config: FileConfig
  readonly #format: FileConfig['format']
  /** Ends when the last change that was begun has ended. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(config: FileConfig) {
    this.#config = config
    this.#format = config.format
  }

  async health({ signal }: { signal: AbortSignal }): Promise<void> {
    await this.#load(signal)
  }

  async #readText(signal: AbortSignal): Promise<string> {
    if (signal.aborted) throw new ProviderFailure('timeout')
    const bytes = await this.#config.read().catch(failDisk)
    if (bytes !== null && bytes.length > MAX_FILE_BYTES) throw unreadable('Size')
    const text = decodeText(bytes ?? new Uint8Array())
    // The line, and nothing of its content.
    if (typeof text !== 'string') throw unreadable(text.flaw === 'utf16' ? 'Utf16' : `EncodingLine${text.line}`)
    return text
  }

  #parse(text: string): Map<string, FileEntry> {
    if (this.#format === 'env') return entriesOfEnv(text)
    const entries = parseJsonFile(text)
    if (entries === null) throw unreadable('Format')
    return entries
  }

  async #load(signal: AbortSignal): Promise<Map<string, FileEntry>> {
    return this.#parse(await this.#readText(signal))
  }

  async get(name: string, { version, signal }: { version?: string; signal: AbortSignal }): Promise<ProviderSecret> {
    checkStoreName(this.#format, name)
    if (version !== 'current' && isStageWord(version)) throw new ProviderFailure('no_stage')
    const entry = (await this.#load(signal)).get(name)
    if (entry === undefined || !['current', UNVERSIONED].includes(version ?? 'current'))
      throw new ProviderFailure('not_found')
    return secretOf(entry)
  }

  async list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    const names = [...(await this.#load(signal)).keys()]
      .filter((name) => name.startsWith(prefix) && name > (cursor ?? ''))
      .sort()
    const items = names.slice(0, limit).map((name) => ({ name, updatedAt: null }))
    return { items, cursor: names.length > limit ? items.at(-1)!.name : null }
  }

  /** Changes one entry. What the file was when its turn came is what it is changed from. */
  #change(
    name: string,
    signal: AbortSignal,
    edit: (current: FileEntry | null) => string | object | null,
  ): Promise<void> {
    const { write } = this.#config
    if (write === undefined) return Promise.reject(new ProviderFailure('denied', { code: 'ReadOnly' }))
    const changed = this.#turn.then(async () => {
      const text = await this.#readText(signal)
      const entry = edit(this.#parse(text).get(name) ?? null)
      const edited =
        this.#format === 'env' ? editEnv(text, name, entry as string | null) : editJsonFile(text, name, entry)
      if (edited === null) throw new ProviderFailure('invalid', { code: 'Quoting' })
      await write(utf8(edited)).catch(failDisk)
    })
    this.#turn = changed.catch(() => {})
    return changed
  }

  async put(name: string, value: Redacted<Bytes>, options: ProviderPutOptions) {
    const { signal, expect } = options
    checkStoreName(this.#format, name)
    const { text } = writtenContent(value, options)
    if (this.#format === 'env' && text === null) throw new ProviderFailure('invalid', { code: 'Bytes' })
    await this.#change(name, signal, (current) => {
      if (expect !== undefined && expect !== (current === null ? 'absent' : UNVERSIONED)) {
        throw new ProviderFailure('conflict')
      }
      return this.#format === 'env' ? text : entryFor(value, options, current)
    })
    return { version: UNVERSIONED }
  }

  async remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName(this.#format, name)
    await this.#change(name, signal, (current) => {
      if (current === null) throw new ProviderFailure('not_found')
      return null
    })
  }
}

/** The error of a file system is an outage, without its message: that has the path in it. */
function failDisk(error: unknown): never {
  if (isProgrammingError(error)) throw error
  throw new ProviderFailure('unavailable')
}

function unreadable(code: string): ProviderFailure {
  return new ProviderFailure('unavailable', { code })
}

/** @throws {ProviderFailure} `unavailable`, with the first line that is not an assignment. */
function entriesOfEnv(text: string): Map<string, FileEntry> {
  const file = parseEnv(text)
  const [error] = file.errors
  if (error !== undefined) throw unreadable(`Line${lineOf(text, error.start)}`)
  const about = { encoding: 'utf8', contentType: null, hasOthers: false } as const
  return new Map([...envValues(file)].map(([key, value]) => [key, { text: value, ...about }]))
}

/**
 * Returns the entry for a value: plain text where the file has plain text.
 *
 * @throws {ProviderFailure} `foreign_shape`
 */
function entryFor(value: Redacted<Bytes>, options: ProviderPutOptions, current: FileEntry | null): string | object {
  const { contentType, replace } = options
  const written = writtenContent(value, options)
  if (current !== null && replace === undefined) {
    const present = { text: current.encoding === 'utf8' ? current.text : null, isJson: isJsonType(current.contentType) }
    if (current.hasOthers) throw foreignShape()
    checkFit(present, written)
  }
  const { text } = written
  const typed = current && { typed: current.contentType !== null }
  const isDeclared = declaresType(contentType, text === null ? 'base64' : 'utf8', typed)
  if (text !== null && !isDeclared) return text
  const content = text === null ? { value: base64(value.reveal()), encoding: 'base64' as const } : { value: text }
  return { ...content, ...(isDeclared && { contentType }) }
}

function secretOf({ text, encoding, contentType }: FileEntry): ProviderSecret {
  const bytes = encoding === 'base64' ? parseBase64(text) : bytesOfText(text)
  if (bytes === null) throw new ProviderFailure('invalid', { code: 'Form' })
  const version = { version: UNVERSIONED, createdAt: null, expiresAt: null }
  return { value: new Redacted(bytes), encoding, contentType, ...version }
}
