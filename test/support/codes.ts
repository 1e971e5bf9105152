/**
 * How a call ended, in one word.
 *
 * @module
 */
import { PosternError } from '../../core/errors.ts'
import { ProviderFailure } from '../../core/providers/provider.ts'

/** `ok`, or the code of the error that a call was refused with; any other error as a text. */
export function codeOf(call: Promise<unknown>): Promise<string> {
  return wordFor(call, (error) => (error instanceof PosternError ? error.code : String(error)))
}

/** `ok`, or the kind of the failure that a provider's answer ended in; any other error as a text. */
export function kindOf(call: Promise<unknown>): Promise<string> {
  return wordFor(call, (error) => (error instanceof ProviderFailure ? error.kind : String(error)))
}

function wordFor(call: Promise<unknown>, failed: (error: unknown) => string): Promise<string> {
  return call.then(() => 'ok', failed)
}
