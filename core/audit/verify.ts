/**
 * Verifying a log without trusting whoever kept it: from its entries, a public key, and what was seen of
 * it before.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import { base64, equal, utf8 } from '../bytes.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { type Hash, leafHash, nodeHash } from './merkle.ts'
import { type NoteVerifier, verifierKeyParts } from './note.ts'
import { verifyInclusion } from './proof.ts'

const BEGINNING: Start = { index: 0, frontier: [] }

/** The first thing that is wrong with a log, and where. */
export interface Flaw {
  kind:
    | 'checkpoint' // no known key signed it, or it is of another log
    | 'missing' // an entry is not where its index belongs: dropped, inserted before, or moved
    | 'edited' // an entry is not what was hashed into the next one, or has not its one canonical form
    | 'truncated' // the log ends before the checkpoint does
    | 'forked' // the entries fit together, and are not those that the checkpoint is of
    | 'rolled_back' // it is smaller than, or not a continuation of, what was seen before
    | 'gap' // it begins where nothing announced it, or behind what was seen before: that it continues cannot be shown
  /** The index of the entry that is wrong; `null` for the log as a whole. */
  index: number | null
  message: string
}

/** The first entry of a log that has forgotten what was before it. */
export interface Start {
  index: number
  /** The hashes of the full subtrees that cover the entries before, left to right. */
  frontier: readonly Hash[]
}

export interface VerifyOptions {
  /** The log's checkpoint, a signed note. */
  checkpoint: string
  verifiers: readonly NoteVerifier[]
  /** Where the entries begin, when those before are past their retention. Hostile input. */
  start?: Start
  /** A checkpoint that was verified before, of the same log. */
  remembered?: Checkpoint
  /** Told now and then how many entries were read. */
  onProgress?: (entries: number, size: number) => void
}

/** A log that is whole. */
export interface Verified {
  checkpoint: Checkpoint
  /** Verifier keys that its entries announce, oldest first: the log's key was changed to these. */
  keys: string[]
}

/**
 * Verifies a whole log.
 *
 * Time is linear in its length; memory is that of one entry and log2(size) hashes.
 *
 * @param entries The canonical JSON of each, from the first on. Hostile input.
 * @returns The checkpoint, which may be remembered, and new keys of the log; or the first flaw.
 */
export async function verifyLog(
  entries: AsyncIterable<string> | Iterable<string>,
  { checkpoint: note, verifiers, start = BEGINNING, remembered, onProgress }: VerifyOptions,
): Promise<Verified | { flaw: Flaw }> {
  const checkpoint = await openCheckpoint(note, verifiers).catch(() => null)
  if (checkpoint === null) return flaw('checkpoint', null, 'Checkpoint is not signed by the key given')
  if (remembered && (remembered.origin !== checkpoint.origin || remembered.size > checkpoint.size)) {
    return flaw('rolled_back', null, `Log had ${remembered.size} entries before and has ${checkpoint.size} now`)
  }
  if (remembered && remembered.size > 0 && remembered.size < start.index) {
    return flaw(
      'gap',
      null,
      `Log begins at entry ${start.index} now, behind the ${remembered.size} that were seen before`,
    )
  }
  const tree = GrowingTree.from(start)
  if (tree === null) return flaw('forked', null, 'Log does not say what its first entry follows')
  const keys: string[] = []
  let erased = 0
  let { index } = start
  // What the first entry was written after is not there any more; its own hash holds it.
  let previous: Hash | null | undefined = start.index === 0 ? null : undefined
  if (remembered?.size === tree.size && !equal(tree.root(), remembered.root)) {
    return flaw('rolled_back', null, `First ${tree.size} entries are not those that were seen before`)
  }
  for await (const entry of entries) {
    const wrong = flawOf(entry, index, previous)
    if (wrong !== null) return { flaw: wrong }
    index++
    previous = leafHash(utf8(entry))
    // What came after the checkpoint has to fit too, and is vouched for by the next one only.
    if (tree.size === checkpoint.size) continue
    tree.add(previous)
    // Only what a checkpoint vouches for may name a key, or where the log begins.
    if (entry.includes('"audit.rekey"')) keys.push(...announcedKeys(entry, checkpoint.origin))
    erased = erasedAfter(entry, erased)
    if (tree.size % 1000 === 0) onProgress?.(tree.size, checkpoint.size)
    if (tree.size === remembered?.size && !equal(tree.root(), remembered.root)) {
      return flaw('rolled_back', null, `First ${tree.size} entries are not those that were seen before`)
    }
  }
  onProgress?.(tree.size, checkpoint.size)
  if (tree.size < checkpoint.size) {
    return flaw('truncated', tree.size, `Log ends after ${tree.size} of ${checkpoint.size} entries`)
  }
  if (!equal(tree.root(), checkpoint.root)) {
    // Every entry but the last is held by the next one.
    return flaw(
      'forked',
      null,
      'Entries are not those that the checkpoint is of: the last one was edited, or the log was forked',
    )
  }
  if (start.index % 256 !== 0 || start.index > erased)
    return flaw('gap', null, `Log begins at entry ${start.index}, and no entry announces that`)
  return { checkpoint, keys }
}

/**
 * Verifies a proof file (C2SP tlog-proof): that one entry is in the log.
 *
 * @param proof Hostile input.
 * @param entry The canonical JSON of the entry.
 * @returns The checkpoint that it is proven against, or `null`.
 */
export async function verifyProofFile(
  proof: string,
  entry: string,
  verifiers: readonly NoteVerifier[],
): Promise<Checkpoint | null> {
  const match =
    /^c2sp\.org\/tlog-proof@v1\nindex (0|[1-9][0-9]{0,14})\n((?:[A-Za-z0-9+/]{43}=\n){0,64})\n([\s\S]*)$/.exec(proof)
  if (match === null) return null
  const [, index, hashes = '', note = ''] = match
  const checkpoint = await openCheckpoint(note, verifiers).catch(() => null)
  if (checkpoint === null) return null
  const path = hashes.split('\n').filter(Boolean).map(hashOf)
  const { size, root } = checkpoint
  return verifyInclusion(path, { index: Number(index), size, leaf: leafHash(utf8(entry)), root }) ? checkpoint : null
}

/** What is wrong with an entry, by itself and in its place. */
function flawOf(entry: string, index: number, previous: Hash | null | undefined): Flaw | null {
  let event: unknown
  try {
    event = JSON.parse(entry)
  } catch {
    return { kind: 'edited', index, message: `Entry ${index} is not JSON` }
  }
  const { index: stated, previous: link } = Object(event) as { index?: unknown; previous?: unknown }
  if (stated !== index) {
    return {
      kind: 'missing',
      index,
      message: `Entry ${index} is not there; the next one says that it is ${JSON.stringify(stated)?.slice(0, 20)}`,
    }
  }
  if (canonical(event) !== entry)
    return { kind: 'edited', index, message: `Entry ${index} is not in its canonical form` }
  if (previous === undefined || link === (previous === null ? null : base64(previous))) return null
  // Either this entry's link was changed, or what it links to: the one before is the likelier.
  const before = Math.max(0, index - 1)
  return {
    kind: 'edited',
    index: before,
    message: `Entry ${before} is not the one that entry ${index} was written after`,
  }
}

/** A key of another log, or what is none, is not passed on: it would end up on somebody's terminal. */
function announcedKeys(entry: string, origin: string): string[] {
  const { operation, outcome, facts } = JSON.parse(entry)
  const key: unknown = facts?.key
  if (operation !== 'audit.rekey' || outcome !== 'ok' || typeof key !== 'string') return []
  return verifierKeyParts(key)?.name === origin ? [key] : []
}

/**
 * How much of a log may be erased after an entry: retention announces that in one which it does not erase, and a hold
 * takes back what was not erased by then (`retention.ts`).
 */
function erasedAfter(entry: string, before: number): number {
  if (!entry.includes('"retention.announce"') && !entry.includes('"audit.hold"')) return before
  const { operation, principal, outcome, facts } = JSON.parse(entry)
  if (outcome !== 'ok') return before
  if (operation === 'retention.announce' && principal === null) return Math.max(before, wholeNumber(facts?.to))
  return operation === 'audit.hold' && facts?.after !== null ? Math.min(before, wholeNumber(facts?.min)) : before
}

function wholeNumber(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : 0
}

function canonical(event: unknown): string | undefined {
  try {
    return canonicalize(event)
  } catch {
    return undefined
  }
}

function flaw(kind: Flaw['kind'], index: number | null, message: string): { flaw: Flaw } {
  return { flaw: { kind, index, message } }
}

function hashOf(text: string): Hash {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}

/** The roots of the full subtrees that the leaves so far make, largest first: all that a root needs. */
class GrowingTree {
  #size = 0
  readonly #subtrees: Hash[] = []

  /** A tree that has leaves already; `null` when the hashes are not as many as its subtrees. */
  static from({ index, frontier }: Start): GrowingTree | null {
    const ones = Number.isSafeInteger(index) && index >= 0 ? index.toString(2).replaceAll('0', '').length : -1
    if (frontier.length !== ones || frontier.some((hash) => hash.length !== 32)) return null
    const tree = new GrowingTree()
    tree.#size = index
    tree.#subtrees.push(...frontier)
    return tree
  }

  get size(): number {
    return this.#size
  }

  add(leaf: Hash): void {
    this.#subtrees.push(leaf)
    // Each trailing 1 bit of the old size joins two subtrees of one size.
    for (let n = this.#size; n % 2 === 1; n = (n - 1) / 2) {
      const right = this.#subtrees.pop()!
      this.#subtrees.push(nodeHash(this.#subtrees.pop()!, right))
    }
    this.#size++
  }

  root(): Hash {
    if (this.#size === 0) return sha256(new Uint8Array()) as Hash
    return this.#subtrees.reduceRight((right, left) => nodeHash(left, right))
  }
}
