/**
 * The `Cache-Control` header of a request: how old a cached value the client accepts.
 *
 * @module
 */
import type { RequestContext } from './request_context.ts'

/**
 * Parses `no-cache` and `max-age` (RFC 9111 section 5.2.1), and `Pragma: no-cache` of a client without `Cache-Control`
 * (section 5.4). Other directives say nothing about this cache.
 *
 * @returns The greatest age that the client accepts, in seconds, 0 for none; empty when it accepts any.
 */
export function acceptedAge(c: RequestContext): { maxAgeSeconds?: number } {
  const given = c.req.header('Cache-Control')
  if (given === undefined)
    return /(?:^|,)\s*no-cache\s*(?:,|$)/i.test(c.req.header('Pragma') ?? '') ? { maxAgeSeconds: 0 } : {}
  const ages = given.split(',').flatMap((directive) => {
    const [name = '', value = ''] = directive.split('=', 2).map((part) => part.trim().toLowerCase())
    if (name === 'no-cache') return [0]
    // An age that cannot be read counts as 0: the answer is then as fresh as any could demand.
    return name === 'max-age' ? [Number(/^"?([0-9]{1,10})"?$/.exec(value)?.[1] ?? 0)] : []
  })
  return ages.length === 0 ? {} : { maxAgeSeconds: Math.min(...ages) }
}
