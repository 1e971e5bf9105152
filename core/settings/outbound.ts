/**
 * Settings for requests to other servers.
 *
 * @module
 */
import { PosternError } from '../errors.ts'
import { Redacted } from '../redacted.ts'

/**
 * Parses the URL of a proxy, which may hold credentials.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseProxy(given: string): Redacted<string> {
  // WHATWG URL drops white space, which would hide a damaged credential.
  const url = /^[\x21-\x7e]+$/.test(given) ? URL.parse(given) : null
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search || url.hash) {
    throw new PosternError(
      'bad_request',
      'Must be a URL such as http://proxy.example.com:3128, with nothing after the port',
    )
  }
  if (!decodes(url.username) || !decodes(url.password)) {
    throw new PosternError('bad_request', 'Must have its user name and password percent-encoded')
  }
  return new Redacted(url.origin === url.href.replace(/\/$/, '') ? url.origin : url.href.replace(/\/$/, ''))
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
