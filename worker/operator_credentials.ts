/**
 * Credentials of the operator for servers other than stores: the anchor, the sink of the log, the collector of traces.
 *
 * @module
 */
import { PosternError } from '../core/errors.ts'
import { credentialFile, type ReadFile } from '../core/providers/credential_file.ts'
import { ProviderFailure } from '../core/providers/provider.ts'
import type { Redacted } from '../core/redacted.ts'
import { parseBearerToken, withoutLineEnd } from '../core/settings/reader.ts'
import { logLine } from './telemetry/log.ts'

/** Supplies a credential at each use. */
export type CredentialSource<T = string> = () => Promise<Redacted<T>>

/** A credential of the settings, or the file that has it. */
export interface GivenCredential<T> {
  value: Redacted<T> | undefined
  path: string | undefined
  /** The name of the setting for the file. */
  setting: string
}

/**
 * Makes the source of a credential; `undefined` when none is configured.
 *
 * @param readFile `undefined` where there are no files; the settings are refused there.
 * @param parse Parses the content of a file, without its line end.
 */
export function credentialSource<T>(
  { value, path, setting }: GivenCredential<T>,
  readFile: ReadFile | undefined,
  parse: (text: string) => Redacted<T>,
): CredentialSource<T> | undefined {
  if (value !== undefined) return async () => value
  if (path === undefined || readFile === undefined) return undefined
  const parseFile = (text: string) => parse(withoutLineEnd(text))
  const read = credentialFile(path, { read: readFile, parse: parseFile, setting, report: logLine })
  return async () => {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      throw new PosternError('unavailable', `${setting}: File has no credential that can be used`)
    }
  }
}

/** Makes the source of a bearer token. See {@link credentialSource}. */
export function bearerSource(
  given: GivenCredential<string>,
  readFile: ReadFile | undefined,
): CredentialSource | undefined {
  return credentialSource(given, readFile, parseBearerToken)
}

/** Writes the header of a bearer token. */
export async function bearerHeader(source: CredentialSource | undefined): Promise<Record<string, string>> {
  return source === undefined ? {} : { Authorization: `Bearer ${(await source()).reveal()}` }
}
