/**
 * How the process of a server ends: with one line if it cannot start, and in order on a signal.
 *
 * @module
 */
import process from 'node:process'
import { PosternError } from '../../core/errors.ts'

/** How long requests in flight may take once the process was told to stop, in milliseconds. */
const SHUTDOWN_MS = 10_000

/**
 * Keeps the process alive after the reader of its output is gone. Node would exit at the next line, since an `error` event
 * without a listener is thrown.
 */
export function ignoreOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

/** Opens the socket of a runtime, or exits if that fails, as with a port that is taken. */
export function listenOrFail<T>(listen: () => T): T {
  try {
    return listen()
  } catch (error) {
    fail(error)
  }
}

/** The setting behind an error of the platform at the start, by its code. Deno has names instead of codes. */
const SETTINGS_BY_CODE: Record<string, string> = {
  EADDRINUSE: 'POSTERN_PORT is taken by another process',
  AddrInUse: 'POSTERN_PORT is taken by another process',
  EACCES: 'POSTERN_DATA cannot be used by this user, or POSTERN_PORT is below 1024',
  EADDRNOTAVAIL: 'POSTERN_HOST is not an address of this machine',
  AddrNotAvailable: 'POSTERN_HOST is not an address of this machine',
  ENOTFOUND: 'POSTERN_HOST is not an address of this machine',
  EEXIST: 'POSTERN_DATA must be a folder',
  ENOTDIR: 'POSTERN_DATA must be a folder',
  ENOENT: 'POSTERN_DATA cannot be created: a folder above it is missing',
  EROFS: 'POSTERN_DATA is on a file system that is read-only',
  ENOSPC: 'POSTERN_DATA is on a disk that is full',
}

/** Exits with one line. It shows only the kind of a platform error, since the message may quote a setting. */
export function fail(error: unknown): never {
  const kind = error instanceof Error ? ((error as { code?: string }).code ?? error.name) : 'unknown'
  const about = SETTINGS_BY_CODE[kind] === undefined ? '' : `. ${SETTINGS_BY_CODE[kind]}`
  process.stderr.write(`${error instanceof PosternError ? error.message : `Server cannot start: ${kind}${about}`}\n`)
  process.exit(1)
}

/** Exits in order at SIGINT or SIGTERM. @param stop Ends the server; it waits for requests in flight. */
export function exitOnSignal(stop: () => Promise<void>): void {
  let stopping = false
  const onSignal = () => {
    if (stopping) return
    stopping = true
    // A request that never ends must not keep a process that was told to go.
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref()
    void stop().then(() => process.exit(0))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
