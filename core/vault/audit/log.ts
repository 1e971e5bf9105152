/**
 * The log: entries in an RFC 6962 Merkle tree.
 *
 * @module
 */
import { equal } from '../../bytes.ts'
import {
  type Hash,
  hashesFor,
  leafHash,
  position,
  type ReadHashes,
  type Sha256,
  subtrees,
  type TreeHead,
  treeHash,
} from '../../tlog/merkle.ts'
import type { Sql } from '../sql.ts'
import { rank, type Severity } from './severity.ts'

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

/** The most bytes that one page of entries has, and how many are read at once. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
const CHUNK = 64

/** The indexed facts of an entry. */
interface About {
  severity?: Severity
  principal?: string | null
}

/** The severity and the size of a page of entries. */
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

/**
 * An append-only log of audit entries, kept as an RFC 6962 Merkle tree.
 *
 * Every method is synchronous, so an append shares a transaction with the decision it records,
 * and no other request can come between reading the tree and writing to it.
 */
export class Log {
  readonly #sql: Sql
  // The edge as of the last append. Valid only for that size: the append may have been rolled back.
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

  /**
   * Entries from index `from` on, at most `limit` and at most so many bytes of them, but one in any case: all, or those
   * of a severity and above.
   */
  entries(from: number, limit: number, { severity = 'info', maxBytes = MAX_PAGE_BYTES }: Which = {}): Entry[] {
    const found: Entry[] = []
    let bytes = 0
    // Reads a chunk at a time: rows beyond the limit must not be read into memory first.
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

  /** The entries of a principal, newest first. */
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

  /** Corrects the index columns of an entry. */
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

  /** The hashes that stand for all entries below an index, left to right: what a root is made of without them. */
  frontier(size: number): Hash[] {
    return this.#read(subtrees(size))
  }

  // A tree of 2^53 leaves reads 53 positions at once: under the limit of 100 parameters.
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
