/**
 * A file of secrets on the developer's own machine, as `.env` or JSON. For development only: it is neither
 * sealed nor shared, and settings refuse it in production.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64, parseUtf8, utf8 } from '../bytes.ts'
import { Redacted } from '../redacted.ts'
import { UNVERSIONED } from './ask.ts'
import { editEnv, parseEnv } from './env_file.ts'
import { checkStoreName } from './names.ts'
import { type ProvidedSecret, type Provider, ProviderFailure, type PutOptions } from './provider.ts'

const MAX_FILE_BYTES = 1024 * 1024

export interface FileConfig {
  format: 'env' | 'json'
  /** Reads the file; `null` when there is none yet. A runtime's file system is not ours to name. */
  read: () => Promise<Bytes | null>
  /** Replaces the file, all of it or nothing. Without it, the store is for reading only. */
  write?: (bytes: Bytes) => Promise<void>
}

/** One secret of the file: text, or bytes in base64. */
const Entry = z.union([
  z.string(),
  z.object({ value: z.string(), encoding: z.optional(z.literal('base64')), contentType: z.optional(z.string()) }),
])
type Entry = z.output<typeof Entry>
const Entries = z.record(z.string(), Entry)

/** A file as a store. Writes wait for each other; between processes the last one wins. */
export function fileProvider(config: FileConfig): Provider {
  const { format } = config
  let turn: Promise<unknown> = Promise.resolve()

  async function readText(signal: AbortSignal): Promise<string> {
    if (signal.aborted) throw new ProviderFailure('timeout')
    const bytes = await config.read().catch(() => {
      throw new ProviderFailure('unavailable')
    })
    const text = bytes === null ? '' : bytes.length > MAX_FILE_BYTES ? null : parseUtf8(bytes)
    if (text === null) throw new ProviderFailure('unavailable', { code: 'Format' })
    return text
  }

  function parse(text: string): Map<string, Entry> {
    const entries = format === 'env' ? parseEnv(text) : parseJsonFile(text)
    if (entries === null) throw new ProviderFailure('unavailable', { code: 'Format' })
    return entries
  }

  const load = async (signal: AbortSignal) => parse(await readText(signal))

  async function get(
    name: string,
    { version, signal }: { version?: string; signal: AbortSignal },
  ): Promise<ProvidedSecret> {
    checkStoreName(format, name)
    const entry = (await load(signal)).get(name)
    if (entry === undefined || (version !== undefined && version !== UNVERSIONED))
      throw new ProviderFailure('not_found')
    return secretOf(entry)
  }

  async function list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    const names = [...(await load(signal)).keys()]
      .filter((name) => name.startsWith(prefix) && name > (cursor ?? ''))
      .sort()
    const items = names.slice(0, limit).map((name) => ({ name, updatedAt: null }))
    return { items, cursor: names.length > limit ? items.at(-1)!.name : null }
  }

  /** Changes one entry. What the file was when its turn came is what it is changed from. */
  function change(
    name: string,
    signal: AbortSignal,
    edit: (current: Entry | undefined) => Entry | null,
  ): Promise<void> {
    const { write } = config
    if (write === undefined) return Promise.reject(new ProviderFailure('denied', { code: 'ReadOnly' }))
    const changed = turn.then(async () => {
      const text = await readText(signal)
      const entries = parse(text)
      const entry = edit(entries.get(name))
      await write(utf8(format === 'env' ? editEnv(text, name, textOf(entry)) : editJson(entries, name, entry))).catch(
        () => {
          throw new ProviderFailure('unavailable')
        },
      )
    })
    turn = changed.catch(() => {})
    return changed
  }

  async function put(name: string, value: Redacted<Bytes>, { signal, expect, contentType }: PutOptions) {
    checkStoreName(format, name)
    const entry = entryOf(value, format === 'env' ? undefined : contentType)
    if (format === 'env' && typeof entry !== 'string') throw new ProviderFailure('invalid', { code: 'Bytes' })
    await change(name, signal, (current) => {
      if (expect !== undefined && expect !== (current === undefined ? 'absent' : UNVERSIONED)) {
        throw new ProviderFailure('conflict')
      }
      return entry
    })
    return { version: UNVERSIONED }
  }

  async function remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName(format, name)
    await change(name, signal, (current) => {
      if (current === undefined) throw new ProviderFailure('not_found')
      return null
    })
  }

  const health = async ({ signal }: { signal: AbortSignal }) => void (await load(signal))
  return { kind: 'file', get, list, put, remove, versions: null, health }
}

function textOf(entry: Entry | null): string | null {
  return entry === null || typeof entry === 'string' ? entry : entry.value
}

function editJson(entries: Map<string, Entry>, name: string, entry: Entry | null): string {
  if (entry === null) entries.delete(name)
  else entries.set(name, entry)
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`
}

/** An object of texts. Prototype keys stay keys: all of it goes into a map. */
function parseJsonFile(text: string): Map<string, Entry> | null {
  if (text === '') return new Map()
  try {
    const entries = Entries.safeParse(JSON.parse(text)).data
    return entries === undefined ? null : new Map(Object.entries(entries))
  } catch {
    return null
  }
}

function entryOf(value: Redacted<Bytes>, contentType: string | undefined): Entry {
  const text = parseUtf8(value.reveal())
  if (text !== null && contentType === undefined) return text
  const content = text === null ? { value: base64(value.reveal()), encoding: 'base64' as const } : { value: text }
  return { ...content, ...(contentType === undefined ? {} : { contentType }) }
}

function secretOf(entry: Entry): ProvidedSecret {
  const { value, encoding, contentType } = typeof entry === 'string' ? { value: entry } : entry
  const bytes = encoding === 'base64' ? parseBase64(value) : utf8(value)
  if (bytes === null) throw new ProviderFailure('unavailable', { code: 'Format' })
  return {
    value: new Redacted(bytes),
    encoding: encoding ?? 'utf8',
    version: UNVERSIONED,
    createdAt: null,
    expiresAt: null,
    contentType: contentType ?? null,
  }
}
