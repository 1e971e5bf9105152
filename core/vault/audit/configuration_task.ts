/**
 * What the server in front of a vault is configured to do, as far as it is no secret: recorded when it changed.
 *
 * @module
 */
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'

/** Settings by their dotted names, each as text. */
export type Configuration = Readonly<Record<string, string>>

const KEY = 'configuration'

/** Records what is configured otherwise than when the vault was last opened. */
export const noteConfiguration = task({
  securityEvent: true,
  resource: () => '',
  run({ meta }: Stores, after: Configuration): Outcome<{ changed: number }> {
    const before: Configuration = JSON.parse(meta.find(KEY) ?? '{}')
    const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((name) => before[name] !== after[name])
      .sort()
    if (changed.length === 0) return { value: { changed: 0 }, unrecorded: true }
    meta.put(KEY, JSON.stringify(after))
    const side = (of: Configuration) => Object.fromEntries(changed.map((name) => [name, of[name] ?? null]))
    return { value: { changed: changed.length }, facts: { before: side(before), after: side(after) } }
  },
})

/**
 * Settings as they may be shown: without secrets, and of each address its origin, since a path may be one.
 *
 * @param settings The typed settings; what is secret in them is a Redacted, and says so itself.
 */
export function configurationOf(settings: object): Configuration {
  return Object.fromEntries(flat(settings, ''))
}

function flat(value: object, prefix: string): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]): [string, string][] => {
    const name = prefix + key
    if (inner === undefined) return []
    if (isGroup(inner)) return flat(inner, `${name}.`)
    return [[name, shown(inner)]]
  })
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** JSON, but for text; with every address cut to its origin. */
function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
  return (text ?? '').replace(/\bhttps?:\/\/[^\s"',/?#]*[^\s"',]*/gi, (url) =>
    URL.canParse(url) ? new URL(url).origin : '<address>',
  )
}
