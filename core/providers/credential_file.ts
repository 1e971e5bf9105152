/**
 * A credential in a file that another program replaces while the server runs.
 *
 * @module
 */
import { type Bytes, parseUtf8 } from '../bytes.ts'
import { isProgrammingError } from '../programming_error.ts'
import type { Redacted } from '../redacted.ts'
import { sleep } from '../sleep.ts'
import type { ReportEvent } from './condition.ts'
import { ProviderFailure } from './provider.ts'

/** How long after a failure the file is read once more: its writer may have emptied it first. In milliseconds. */
const AGAIN_MS = 100

/** Reads a file; `null` when it is missing. */
export type ReadFile = (path: string) => Promise<Bytes | null>

/** How a file is read, and what its setting is called. */
export interface CredentialFileOptions<T> {
  read: ReadFile
  /** Parses the content, without a message that quotes it. */
  parse: (text: string) => Redacted<T>
  /** For the operational log: the field of an adapter, or the name of the setting. */
  setting: string
  report?: ReportEvent | undefined
}

/** `NoFile`: there is none. `File`: it cannot be read, or holds no credential. */
type Content<T> = { credential: Redacted<T> } | { code: 'NoFile' | 'File' }

/**
 * Makes a source that reads the file at each use, so that a new credential needs no restart. A file without a usable credential fails the request; the last one is not used again, since it
 * may have been withdrawn.
 *
 * @returns A source that throws {@link ProviderFailure} `credentials` with the code of the flaw, which is reported once.
 */
export function credentialFile<T>(
  path: string,
  { read, parse, setting, report }: CredentialFileOptions<T>,
): () => Promise<Redacted<T>> {
  let reported: string | null = null
  return async () => {
    let content = await contentOf(path, { read, parse })
    if ('code' in content) {
      await sleep(AGAIN_MS)
      content = await contentOf(path, { read, parse })
    }
    const code = 'code' in content ? content.code : null
    if (code !== reported) {
      if (code === null) report?.('info', 'credential_file_usable', { setting })
      else report?.('error', 'credential_file_unusable', { setting, code })
      reported = code
    }
    if ('code' in content) throw new ProviderFailure('credentials', { code: content.code })
    return content.credential
  }
}

async function contentOf<T>(
  path: string,
  { read, parse }: Pick<CredentialFileOptions<T>, 'read' | 'parse'>,
): Promise<Content<T>> {
  let bytes: Bytes | null
  try {
    bytes = await read(path)
  } catch (error) {
    if (isProgrammingError(error)) throw error
    return { code: 'File' }
  }
  if (bytes === null) return { code: 'NoFile' }
  const text = parseUtf8(bytes)
  try {
    return text === null ? { code: 'File' } : { credential: parse(text) }
  } catch (error) {
    if (isProgrammingError(error)) throw error
    return { code: 'File' }
  }
}
