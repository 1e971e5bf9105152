import { equal } from '../../bytes.ts'
import {
  type Hash,
  hashesFor,
  leafHash,
  position,
  type ReadHashes,
  type Sha256,
  subtrees,
  treeHash,
} from '../../tlog/merkle.ts'
import { looksCosigned, parseNote } from '../../tlog/signed_note.ts'
import type { Sql } from '../sql.ts'
import { rank, type Severity } from './severity.ts'

/** Size and root of the tree: what a checkpoint signs. */
export interface TreeHead {
  size: number
  root: Hash
}

/** An entry of the log: its index, and the canonical bytes that its leaf hash covers. */
export interface Entry {
  index: number
  body: Uint8Array
}

/** An entry, and the columns that it is found by. */
export interface IndexedEntry extends Entry {
  principal: string | null
  /** The rank of its severity; `null` for `info`. */
  severity: number | null
}

/** A checkpoint as it was signed: see `checkpoint.ts`. */
export interface SignedCheckpoint {
  size: number
  note: string
  signedAt: number
}

/** How far back the log goes, and what is to go next: see `retention.ts`. */
export interface Retention {
  /** The first entry that is kept; a multiple of 256. */
  min: number
  /** The first that will be kept after the next erasure; the same as `min` when none is announced. */
  announced: number
  /** The entry that announces it, and when that was. */
  announcedAt: number
  announcedWhen: number
  /** Why nothing may be erased; `null` when it may. */
  hold: string | null
  heldAt: number | null
  heldBy: string | null
}

/** The verifier key of a term of the log's key. */
export interface LogKey {
  term: number
  key: string
  /** The root key that it derives from. */
  root: string | null
}

/** What is announced and not erased yet. */
export type Announced = Pick<Retention, 'announced' | 'announcedAt' | 'announcedWhen'>

const MAX_CHECKPOINTS = 1000
/** The most bytes that one page of entries has, and how many are read at once. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
const CHUNK = 64

/** By what an entry can be found. */
interface About {
  severity?: Severity
  principal?: string | null
}

/** Which entries are asked for, and how much of them. */
interface Which {
  severity?: Severity
  maxBytes?: number
}

/** The right edge of the tree: all that the next entry is joined with. */
interface Edge {
  size: number
  /** The leaf hash of the last entry; `null` for an empty log. */
  leaf: Hash | null
  /** The hashes of the full subtrees, left to right and so the largest first. */
  subtrees: readonly Hash[]
}

/** A bundle is the leaves of one full tile. Of the hashes that it makes, the last of the first 511 is the tile's own. */
const BUNDLE = 256
const BUNDLE_HASHES = 2 * BUNDLE - 1

/**
 * An append-only log of audit entries, kept as an RFC 6962 Merkle tree.
 *
 * Every method is synchronous, so an append shares a transaction with the decision it records,
 * and no other request can come between reading the tree and writing to it.
 */
export class Log {
  readonly #sql: Sql
  // As of the last append, and only good for the size that it has: that append may have been rolled back.
  #edge: Edge | null = null

  readonly #sha256: Sha256 | undefined

  /** @param sha256 The runtime's own, where it has one. */
  constructor(sql: Sql, sha256?: Sha256) {
    this.#sql = sql
    this.#sha256 = sha256
  }

  /** Number of entries. Read from storage each time: an append that was rolled back must not count. */
  get size(): number {
    return this.#sql.all<{ size: number }>('SELECT COALESCE(MAX(n) + 1, 0) AS size FROM entry')[0]!.size
  }

  /** The newest time of the last entries, in milliseconds since the Unix epoch. Those of 0.1 need not be in order. */
  newestTime(): number | null {
    const last = 'SELECT CAST(body AS TEXT) AS body FROM entry ORDER BY n DESC LIMIT 100'
    const query = `SELECT MAX(json_extract(body, '$.time')) AS time FROM (${last}) WHERE json_valid(body)`
    const time = Date.parse(this.#sql.all<{ time: string | null }>(query)[0]?.time ?? '')
    return Number.isNaN(time) ? null : time
  }

  /**
   * Appends the entry that `write` makes for its index and for the leaf hash of the entry before
   * it (`null` for the first). Call inside `sql.atomic`. About two hashes are stored.
   *
   * @returns The index.
   */
  append(write: (index: number, previous: Hash | null) => Uint8Array, { severity, principal }: About = {}): number {
    const n = this.size
    const { leaf, subtrees: full } = this.#edge?.size === n ? this.#edge : this.#edgeAt(n)
    const body = write(n, leaf)
    this.#sql.all('INSERT INTO entry VALUES (?, ?, ?)', n, body, principal ?? null)
    // The subtrees that a leaf completes are the smallest, and so the last.
    const joined: ReadHashes = ({ length }) => full.slice(full.length - length).reverse()
    const hashes = hashesFor(n, leafHash(body, this.#sha256), joined, this.#sha256)
    // Below 2^49 entries, which no store holds, that is at most 50 rows: the limit of 100 parameters.
    const rows = hashes.flatMap((hash, i) => [position(0, n) + i, hash])
    this.#sql.all(`INSERT INTO hash VALUES ${hashes.map(() => '(?, ?)').join()}`, ...rows)
    const untouched = full.slice(0, full.length + 1 - hashes.length)
    this.#edge = { size: n + 1, leaf: hashes[0]!, subtrees: [...untouched, hashes.at(-1)!] }
    if (severity !== undefined && severity !== 'info')
      this.#sql.all('INSERT INTO notable VALUES (?, ?)', n, rank(severity))
    return n
  }

  #edgeAt(size: number): Edge {
    return { size, leaf: size === 0 ? null : this.leafAt(size - 1), subtrees: this.frontier(size) }
  }

  /** The tree head over every entry. At most 1 + log2(size) hashes are read. */
  head(): TreeHead {
    const size = this.size
    return { size, root: treeHash(size, this.#read) }
  }

  /** The root of the tree as it was with `size` entries. */
  rootAt(size: number): Hash {
    return treeHash(size, this.#read)
  }

  /** The leaf hash of an entry. It requires 0 <= index < size. */
  leafAt(index: number): Hash {
    return this.#read([position(0, index)])[0]!
  }

  /** Reads hashes of the tree by position, for proofs and tiles. */
  get read(): ReadHashes {
    return this.#read
  }

  /** The term of the key that signs checkpoints now. */
  term(): number {
    return this.#sql.all<{ term: number }>('SELECT COALESCE(MAX(term), 1) AS term FROM log_key')[0]!.term
  }

  /** The verifier keys of terms, newest first; of the first only once its root key was replaced. */
  keys(): LogKey[] {
    return this.#sql.all<LogKey>('SELECT term, key, root FROM log_key ORDER BY term DESC')
  }

  /** Begins the next term of the key; or keeps the verifier key of the first. */
  addTerm({ term, key, root }: LogKey, now: number): void {
    const row = [term, key, now, root]
    this.#sql.all('INSERT INTO log_key (term, key, created_at, root) VALUES (?, ?, ?, ?)', ...row)
  }

  /** The newest checkpoint that was signed. */
  checkpoint(): SignedCheckpoint | null {
    const query = 'SELECT size, note, signed_at AS signedAt FROM checkpoint ORDER BY size DESC LIMIT 1'
    return this.#sql.all<SignedCheckpoint>(query)[0] ?? null
  }

  /** The newest checkpoint that a witness cosigned. Reads back through those that are kept. */
  cosigned(): SignedCheckpoint | null {
    const query = `SELECT size, note, signed_at AS signedAt FROM checkpoint WHERE size < ? ORDER BY size DESC LIMIT ?`
    for (let before = Number.MAX_SAFE_INTEGER; ; ) {
      const page = this.#sql.all<SignedCheckpoint>(query, before, CHUNK)
      const found = page.find(({ note }) => looksCosigned(parseNote(note)))
      if (found !== undefined || page.length < CHUNK) return found ?? null
      before = page.at(-1)!.size
    }
  }

  /** Keeps a checkpoint, or one with more signatures in its place, and forgets the oldest of many. */
  keepCheckpoint(size: number, note: string, now: number): void {
    const longer = 'ON CONFLICT DO UPDATE SET note = excluded.note WHERE length(excluded.note) > length(note)'
    this.#sql.all(`INSERT INTO checkpoint VALUES (?, ?, ?) ${longer}`, size, note, now)
    const query = `DELETE FROM checkpoint WHERE size <
      (SELECT MIN(size) FROM (SELECT size FROM checkpoint ORDER BY size DESC LIMIT ?))`
    this.#sql.all(query, MAX_CHECKPOINTS)
  }

  /**
   * Entries from index `from` on, at most `limit` and at most so many bytes of them, but one in any case: all, or those
   * of a severity and above.
   */
  entries(from: number, limit: number, { severity = 'info', maxBytes = MAX_PAGE_BYTES }: Which = {}): Entry[] {
    const found: Entry[] = []
    let bytes = 0
    // Some at a time: what does not fit any more must not be read into memory first.
    for (let next = from; found.length < limit; ) {
      const rows = this.#page(next, Math.min(CHUNK, limit - found.length), severity)
      for (const row of rows) {
        bytes += row.body.length
        if (found.length > 0 && bytes > maxBytes) return found
        found.push(row)
      }
      if (rows.length < CHUNK) return found
      next = rows.at(-1)!.index + 1
    }
    return found
  }

  #page(from: number, limit: number, severity: Severity): Entry[] {
    const columns = 'SELECT n AS "index", body FROM entry'
    const page = 'ORDER BY n LIMIT ?'
    if (severity === 'info') return this.#sql.all<Entry>(`${columns} WHERE n >= ? ${page}`, from, limit)
    const which = 'JOIN notable USING (n) WHERE n >= ? AND severity >= ?'
    return this.#sql.all<Entry>(`${columns} ${which} ${page}`, from, rank(severity), limit)
  }

  /** What a principal did, newest first. */
  entriesOf(principal: string, limit: number): Entry[] {
    const query = `SELECT n AS "index", body FROM entry WHERE principal = ? ORDER BY n DESC LIMIT ?`
    return this.#sql.all<Entry>(query, principal, limit)
  }

  /** Entries from index `from` on, at most `limit`, with the columns that they are found by. */
  indexed(from: number, limit: number): IndexedEntry[] {
    return this.#sql.all<IndexedEntry>(
      `SELECT entry.n AS "index", body, principal, severity FROM entry LEFT JOIN notable ON notable.n = entry.n
       WHERE entry.n >= ? ORDER BY entry.n LIMIT ?`,
      ...[from, limit],
    )
  }

  /** Puts the columns of an entry right. */
  index({ index, principal, severity }: IndexedEntry): void {
    this.#sql.all('UPDATE entry SET principal = ? WHERE n = ?', principal, index)
    if (severity === 0) this.#sql.all('DELETE FROM notable WHERE n = ?', index)
    else this.#sql.all('INSERT OR REPLACE INTO notable VALUES (?, ?)', index, severity)
  }

  /** Drops what points to entries that there are none of. @returns How many. */
  dropStrays(): number {
    return this.#sql.all('DELETE FROM notable WHERE n NOT IN (SELECT n FROM entry) RETURNING n').length
  }

  /** The leaf hash of an entry's bytes. */
  hashOf(body: Uint8Array): Hash {
    return leafHash(body, this.#sha256)
  }

  /**
   * Whether the tree ends where the entries do, and with the last of them: what a log that was cut, or lengthened, without
   * its tree is not. A few reads, however long the log is.
   */
  isSound(): boolean {
    const { size } = this
    const last = this.#sql.all<{ p: number | null }>('SELECT MAX(p) AS p FROM hash')[0]?.p ?? -1
    if (last !== position(0, size) - 1) return false
    if (size === 0) return true
    try {
      this.frontier(size)
      const [entry] = this.#sql.all<{ body: Uint8Array }>('SELECT body FROM entry WHERE n = ?', size - 1)
      return entry !== undefined && equal(this.hashOf(entry.body), this.leafAt(size - 1))
    } catch {
      return false
    }
  }

  retention(): Retention {
    const query = `SELECT min, announced, announced_at AS announcedAt,
      announced_when AS announcedWhen, hold, held_at AS heldAt, held_by AS heldBy
      FROM retention`
    return this.#sql.all<Retention>(query)[0]!
  }

  /**
   * How far retention may go: the largest multiple of 256 up to `most` below which every entry is older than
   * `cutoff`. It looks at a bounded number of entries, and may be asked again.
   */
  expired(cutoff: number, most: number): number {
    const query = `SELECT COUNT(*) AS count, MAX(json_extract(CAST(body AS TEXT), '$.time')) AS newest
      FROM entry WHERE n >= ? AND n < ?`
    let { min } = this.retention()
    for (const last = min + 64 * BUNDLE; min < last && min + BUNDLE <= most; min += BUNDLE) {
      const [row] = this.#sql.all<{ count: number; newest: string }>(query, min, min + BUNDLE)
      // By their own times, of which the last need not be the newest: a clock may have been set back.
      if (row?.count !== BUNDLE || Date.parse(row.newest) >= cutoff) break
    }
    return min
  }

  announce({ announced, announcedAt, announcedWhen }: Announced): void {
    const query = 'UPDATE retention SET announced = ?, announced_at = ?, announced_when = ?'
    this.#sql.all(query, announced, announcedAt, announcedWhen)
  }

  /** Erases at most `bundles` of what was announced. @returns The new minimum. */
  prune(bundles: number): number {
    const { min, announced } = this.retention()
    const to = Math.min(announced, min + bundles * BUNDLE)
    this.#sql.all('DELETE FROM entry WHERE n >= ? AND n < ?', min, to)
    this.#sql.all('DELETE FROM notable WHERE n < ?', to)
    for (let n = min; n < to; n += BUNDLE) {
      const start = position(0, n)
      this.#sql.all('DELETE FROM hash WHERE p >= ? AND p < ?', start, start + BUNDLE_HASHES - 1)
    }
    this.#sql.all('UPDATE retention SET min = ?', to)
    return to
  }

  /** Sets a hold, or ends it (`null`). A hold takes back what was announced. */
  hold(reason: string | null, by: string, now: number): void {
    const held = reason === null ? [null, null, null] : [reason, now, by]
    this.#sql.all('UPDATE retention SET hold = ?, held_at = ?, held_by = ?', ...held)
    if (reason !== null) this.#sql.all('UPDATE retention SET announced = min')
  }

  /** The hashes that stand for all entries below an index, left to right: what a root is made of without them. */
  frontier(size: number): Hash[] {
    return this.#read(subtrees(size))
  }

  // A tree of 2^53 leaves asks for 53 positions at once: under the limit of 100 parameters.
  readonly #read: ReadHashes = (positions) => {
    if (positions.length === 0) return []
    const marks = positions.map(() => '?').join()
    const rows = this.#sql.all<{ p: number; h: Hash }>(`SELECT p, h FROM hash WHERE p IN (${marks})`, ...positions)
    const byPosition = new Map(rows.map(({ p, h }) => [p, h]))
    return positions.map((p) => {
      const h = byPosition.get(p)
      if (!h) throw new RangeError(`No hash at position ${p}`)
      return h
    })
  }
}
