/**
 * Ids, hashes, accessors and cursors from a server's answers, for later requests.
 *
 * A request that is generated before any answer names only the kind of value it needs. The value is filled in when the
 * request is sent.
 *
 * @module
 */
const KINDS = ['accessor', 'cursor', 'hash', 'id', 'name', 'token', 'version'] as const
export type Kind = (typeof KINDS)[number]

/** Placeholders for kinds without a learned value. */
const UNKNOWN: Record<Kind, string> = {
  accessor: '00000000-0000-4000-8000-000000000000',
  cursor: '',
  hash: 'A'.repeat(43),
  id: 'none',
  name: 'open/a',
  token: 'none',
  version: '1',
}
/** So many of a kind are kept, the newest. */
const KEPT = 20

/** A place for something that a server will have said, in a path or a body. */
export function learned(kind: Kind): string {
  return `~${kind}~`
}

/** What one vault said so far. */
export class Learned {
  readonly #said = new Map<string, string[]>()
  #turn = 0

  /** Takes what an answer has under names that are known. */
  note(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    for (const [key, part] of Object.entries(value)) {
      if ((KINDS as readonly string[]).includes(key) && ['string', 'number'].includes(typeof part))
        this.#said.set(key, [...(this.#said.get(key) ?? []), String(part)].slice(-KEPT))
      this.note(part)
    }
  }

  /** One of the kind, another each time. */
  take(kind: Kind): string {
    const all = this.#said.get(kind) ?? [UNKNOWN[kind]]
    return all[this.#turn++ % all.length]!
  }

  /** Puts what is known in its places. */
  fill(text: string): string {
    return text.replaceAll(/~([a-z]+)~/g, (place, kind) => (KINDS.includes(kind) ? this.take(kind) : place))
  }
}
