/**
 * Verifies a log without trust in its server: from its entries, a public key, and earlier checkpoints.
 *
 * @module
 */
import canonicalize from 'canonicalize'
import { base64, equal, utf8 } from '../bytes.ts'
import { rank } from '../vault/audit/severity.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { type Cosigned, type Cosigner, verifyCosignatures, type WitnessDemand } from './cosignature.ts'
import { GrowingTree, type Hash, leafHash, type Start } from './merkle.ts'
import { verifyInclusion } from './proof.ts'
import { type NoteVerifier, verifierKeyParts } from './signed_note.ts'

export type { Start } from './merkle.ts'

const BEGINNING: Start = { index: 0, frontier: [] }

/** The first flaw of a log, and where it is. */
export interface Flaw {
  kind:
    | 'checkpoint' // no known key signed it, or it is of another log
    | 'missing' // an entry is not where its index belongs: dropped, inserted before, or moved
    | 'edited' // an entry is not what was hashed into the next one, or has not its one canonical form
    | 'truncated' // the log ends before the checkpoint does
    | 'forked' // the entries fit together, and are not those that the checkpoint is of
    | 'rolled_back' // it is smaller than, or not a continuation of, what was seen before
    | 'unwitnessed' // fewer witnesses cosigned it than were demanded
    | 'stale' // enough witnesses cosigned it, and too long ago
    | 'hidden' // the server's filter by severity omits an entry, or shows one that does not match
    | 'gap' // it begins where nothing announced it, or behind what was seen before: that it continues cannot be shown
  /** The index of the flawed entry; `null` for the log as a whole. */
  index: number | null
  message: string
}

/** The keys and earlier checkpoints that a log is verified with. */
export interface VerifyOptions {
  /** The log's checkpoint, a signed note. */
  checkpoint: string
  verifiers: readonly NoteVerifier[]
  /** Where the entries begin, if earlier ones are past their retention. Hostile input. */
  start?: Start
  /** A checkpoint that was verified before, of the same log. */
  remembered?: Checkpoint
  /** The witnesses required, by a checkpoint of the log that they cosigned, which may be an earlier one. */
  witnessed?: WitnessDemand & { note: string }
  /** Called from time to time with the number of entries read. */
  onProgress?: (entries: number, size: number) => void
}

/** A log that is intact up to its checkpoint. */
export interface Verified {
  checkpoint: Checkpoint
  /**
   * The number of entries after the newest checkpoint. They are consistent with each other, but the last of them could
   * be edited, or all of them replaced, without a trace.
   */
  beyond: number
  /** The cosigned checkpoint, if witnesses were required. */
  witnessed?: { size: number; by: Cosigner[] }
  /** Verifier keys that its entries announce, oldest first: the log's key was changed to these. */
  keys: string[]
}

/**
 * Verifies a whole log.
 *
 * Time is linear in its length; memory is that of one entry and log2(size) hashes.
 *
 * @param entries The canonical JSON of each, from the first on. Hostile input.
 * @returns The checkpoint, which may be remembered, new keys of the log, and what the checkpoint does not cover; or the
 *   first flaw.
 */
export async function verifyLog(
  entries: AsyncIterable<string> | Iterable<string>,
  { checkpoint: note, verifiers, start = BEGINNING, remembered, witnessed, onProgress }: VerifyOptions,
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
  const cosigned = witnessed === undefined ? null : await cosignedHead(witnessed, verifiers, { checkpoint, start })
  if (cosigned !== null && 'flaw' in cosigned) return cosigned
  const keys: string[] = []
  let [erased, beyond] = [0, 0]
  let { index } = start
  // The entry before the first one is gone; the hash of the first entry still commits to it.
  let previous: Hash | null | undefined = start.index === 0 ? null : undefined
  const fork = () => forkAt(tree, { remembered, cosigned })
  const early = fork()
  if (early !== null) return early
  for await (const entry of entries) {
    const wrong = flawOf(entry, index, previous)
    if (wrong !== null) return { flaw: wrong }
    index++
    previous = leafHash(utf8(entry))
    // Entries after the checkpoint must be consistent too. Only the next checkpoint vouches for them.
    if (tree.size === checkpoint.size) {
      beyond++
      continue
    }
    tree.add(previous)
    // Only entries under a checkpoint may announce a key, or where the log begins.
    if (entry.includes('"audit.rekey"')) keys.push(...announcedKeys(entry, checkpoint.origin))
    erased = erasedAfter(entry, erased)
    if (tree.size % 1000 === 0) onProgress?.(tree.size, checkpoint.size)
    const forked = fork()
    if (forked !== null) return forked
  }
  onProgress?.(tree.size, checkpoint.size)
  if (tree.size < checkpoint.size) {
    return flaw('truncated', tree.size, `Log ends after ${tree.size} of ${checkpoint.size} entries`)
  }
  if (!equal(tree.root(), checkpoint.root)) {
    // The next entry commits to every entry but the last.
    return flaw(
      'forked',
      null,
      'Entries are not those that the checkpoint is of: the last one was edited, or the log was forked',
    )
  }
  if (start.index % 256 !== 0 || start.index > erased)
    return flaw('gap', null, `Log begins at entry ${start.index}, and no entry announces that`)
  const { size = 0, by = [] } = cosigned ?? {}
  return { checkpoint, beyond, keys, ...(cosigned !== null && { witnessed: { size, by } }) }
}

/** A checkpoint that enough witnesses cosigned. */
interface CosignedHead extends Checkpoint {
  by: Cosigner[]
}

async function cosignedHead(
  { note, ...demand }: WitnessDemand & { note: string },
  verifiers: readonly NoteVerifier[],
  { checkpoint, start }: { checkpoint: Checkpoint; start: Start },
): Promise<CosignedHead | { flaw: Flaw }> {
  const head = await openCheckpoint(note, verifiers).catch(() => null)
  if (head === null || head.origin !== checkpoint.origin)
    return flaw('checkpoint', null, 'Cosigned checkpoint is not signed by the key given')
  const found = await verifyCosignatures(note, demand)
  if (found.kind !== 'met') return flaw(found.kind, null, shortfall(found, head.size))
  if (head.size > checkpoint.size)
    return flaw('rolled_back', null, `Log has ${checkpoint.size} entries, and witnesses cosigned ${head.size}`)
  if (head.size > 0 && head.size < start.index)
    return flaw('gap', null, `Log begins at entry ${start.index}, behind the ${head.size} that witnesses cosigned`)
  return { ...head, by: found.by }
}

function shortfall({ kind, by, quorum }: Exclude<Cosigned, { kind: 'met' }>, size: number): string {
  const who = by.map(({ name, at }) => `${name} at ${new Date(at).toISOString()}`).join(', ') || 'none'
  const of = `Checkpoint of ${size} entries`
  if (kind === 'stale') return `${of} was cosigned too long ago: ${who}`
  return `${of} has the cosignatures of ${by.length} witnesses, and needs ${quorum}: ${who}`
}

/** Whether the tree differs from one of the same size that was seen or cosigned. */
function forkAt(
  tree: GrowingTree,
  { remembered, cosigned }: { remembered: Checkpoint | undefined; cosigned: Checkpoint | null },
): { flaw: Flaw } | null {
  const differs = (head: Checkpoint | null | undefined) => head?.size === tree.size && !equal(tree.root(), head.root)
  if (differs(remembered))
    return flaw('rolled_back', null, `First ${tree.size} entries are not those that were seen before`)
  return differs(cosigned)
    ? flaw('forked', null, `First ${tree.size} entries are not those that witnesses cosigned`)
    : null
}

/**
 * Compares what a server shows of a log by severity with the log itself. That filter is an index, which no hash covers: a
 * row that is taken from it hides an alert from everyone who asks for alerts alone.
 *
 * @param notable The indices of the entries from `notice` on, as {@link isNotable} finds them in the log, in order.
 * @param shown Those that the server shows, in order.
 */
export function compareFilter(notable: readonly number[], shown: readonly number[]): { flaw: Flaw } | null {
  const at = notable.findIndex((index, i) => shown[i] !== index)
  const first = at < 0 ? shown[notable.length] : Math.min(notable[at]!, shown[at] ?? Number.POSITIVE_INFINITY)
  if (first === undefined) return null
  return flaw('hidden', first, `Filter by severity is wrong about entry ${first}: what it shows is not the whole log`)
}

/** Whether an entry is a security event. @param entry Its canonical JSON, which fits the log. */
export function isNotable(entry: string): boolean {
  return rank(JSON.parse(entry).severity) > 0
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

/** Finds a flaw of an entry, in itself or at its index; `null` if there is none. */
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
      message: `Entry ${index} is missing; the next one states its index as ${JSON.stringify(stated)?.slice(0, 20)}`,
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

/** A key of another log, or malformed text, is not passed on: it would end up on a terminal. */
function announcedKeys(entry: string, origin: string): string[] {
  const { operation, outcome, facts } = JSON.parse(entry)
  const key: unknown = facts?.key
  if (operation !== 'audit.rekey' || outcome !== 'ok' || typeof key !== 'string') return []
  return verifierKeyParts(key)?.name === origin ? [key] : []
}

/**
 * How much of a log may be erased after an entry: retention announces that in one which it does not erase, and a hold
 * takes back what was not erased by then (`log_retention.ts`).
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
