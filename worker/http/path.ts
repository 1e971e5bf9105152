/**
 * Paths of requests: routed as they were sent, and decoded once where they hold the name of a secret.
 *
 * @module
 */
import { badRequest } from '../../core/errors.ts'
import { parseName } from '../../core/names.ts'

/** The paths that end in the name of a secret, up to the name. */
const OF_NAME = /^\/v1\/vaults\/[^/]+\/(?:secrets|versions|restore|destroy|rotations|rollback)\//

/**
 * The path of a request, undecoded. It is the path as sent, except for what the runtime has resolved: `/./` and `/../`
 * on Bun, Node and Workers, and also `\` on Bun.
 */
export function pathOf({ url }: Pick<Request, 'url'>): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start < 0) return '/'
  const end = url.slice(start).search(/[?#]/)
  return end < 0 ? url.slice(start) : url.slice(start, start + end)
}

/**
 * Checks a path before it is routed: a proxy, a log and a route must not read it differently.
 *
 * @param path From {@link pathOf}. Hostile input.
 * @param parsed The path that a URL parser makes of it (WHATWG URL).
 * @throws {PosternError} `bad_request` for an escape outside of a secret's name, and for a path that the parser changed: a
 *   dot segment, encoded or not, a backslash, a character outside ASCII.
 */
export function checkPath(path: string, parsed: string): void {
  const name = OF_NAME.exec(path)
  const rest = name === null ? path : name[0]
  if (rest.includes('%')) {
    throw badRequest('path', 'Path must have no percent-encoding, except in the name of a secret')
  }
  if (parsed !== path) {
    throw badRequest('path', 'Path must have no dot segment, no backslash, and only characters of ASCII')
  }
}

/**
 * Reads the name of a secret in a path. It is decoded once, so that `prod%2Fdb` is `prod/db`; then the grammar decides. An
 * escaped escape therefore stays a percent sign, which no name has.
 *
 * @param path From {@link pathOf}, of a route with `{name}`. Hostile input.
 * @throws {PosternError} `bad_request`
 */
export function nameIn(path: string): string {
  const escaped = path.slice(OF_NAME.exec(path)?.[0].length ?? 0)
  let name: string
  try {
    name = decodeURIComponent(escaped)
  } catch {
    throw badRequest('name', 'Secret name has a malformed percent-encoding')
  }
  return parseName(name)
}
