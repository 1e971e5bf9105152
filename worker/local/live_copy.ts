/**
 * Copies a SQLite file while it is written. SQLite's own backup blocks the whole process on Bun and Deno until it is done,
 * and a second connection cannot pass the exclusive lock.
 *
 * In WAL mode commits go to the journal, and reach the file only by a checkpoint. So this checkpoints once, and not again
 * until the file is copied: the copy is the database as it was at that checkpoint.
 *
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'

const CHUNK_BYTES = 1024 * 1024

/** Copies the file of one open database. */
export class LiveCopy {
  readonly #db: DatabaseSync
  readonly #path: string
  // Never closed before the database: closing any descriptor of a file drops the locks of the process on it (POSIX).
  #source: FileHandle | null = null
  #copying = false
  #closed = false

  constructor(db: DatabaseSync, path: string) {
    this.#db = db
    this.#path = path
  }

  /** Empties the journal into the file; during a copy, its end does that. */
  scrub(): void {
    if (!this.#copying) this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  /**
   * Copies the database as it is when this begins to a new file, for its owner only, and onto the disk. Meanwhile the
   * journal grows by what is written.
   *
   * @throws when a copy is under way, when the database is closed meanwhile, and an error of the platform.
   */
  async copyTo(target: string): Promise<void> {
    if (this.#copying) throw new Error('Database is being copied')
    this.#copying = true
    try {
      this.#source ??= await open(this.#path, 'r')
      const release = this.#holdStill()
      try {
        await this.#copy(this.#source, target)
      } finally {
        release()
      }
    } finally {
      this.#copying = false
      if (this.#closed) void this.#source?.close()
    }
  }

  /** Must be called before the database is closed, which writes to its file. */
  closing(): void {
    this.#closed = true
  }

  /** Must be called when the database is closed. A copy under way notices before it reads from a closed file. */
  closed(): void {
    if (!this.#copying) void this.#source?.close()
  }

  #pragma(name: string): number[] {
    return Object.values(this.#db.prepare(`PRAGMA ${name}`).get() ?? {}).map(Number)
  }

  #holdStill(): () => void {
    this.#checkOpen()
    const [usual = 0] = this.#pragma('wal_autocheckpoint')
    const [busy] = this.#pragma('wal_checkpoint(TRUNCATE)')
    if (busy !== 0) throw new Error('Journal cannot be emptied')
    this.#db.exec('PRAGMA wal_autocheckpoint = 0')
    return () => {
      if (this.#closed) return
      this.#db.exec(`PRAGMA wal_autocheckpoint = ${usual}`)
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    }
  }

  async #copy(source: FileHandle, target: string): Promise<void> {
    const copy = await open(target, 'wx', 0o600)
    try {
      const chunk = new Uint8Array(CHUNK_BYTES)
      for (let at = 0; ; ) {
        const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, at)
        this.#checkOpen()
        if (bytesRead === 0) break
        for (let done = 0; done < bytesRead; ) {
          done += (await copy.write(chunk, done, bytesRead - done, at + done)).bytesWritten
        }
        at += bytesRead
      }
      await copy.sync()
    } finally {
      await copy.close()
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('Database was closed')
  }
}
