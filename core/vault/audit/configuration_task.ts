/**
 * The configuration of the server in front of a vault, without secrets: recorded when it changes.
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
 * The settings in a form that is safe to show: without secrets, and with only the origin of each URL, since a path may
 * be a secret.
 *
 * @param settings The typed settings. A secret is a Redacted and writes itself as such.
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

/** Text as it is, other values as JSON, with each URL cut to its origin. */
function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
  return (text ?? '').replace(/\bhttps?:\/\/[^\s"',/?#]*[^\s"',]*/gi, (url) =>
    URL.canParse(url) ? new URL(url).origin : '<address>',
  )
}
