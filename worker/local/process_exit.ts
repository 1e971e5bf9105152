/**
 * How the process of a server ends: with one line if it cannot start, and in order on a signal.
 *
 * @module
 */
import process from 'node:process'
import { PosternError } from '../../core/errors.ts'
import { urlHost } from '../../core/loopback.ts'

/** How long requests in flight may take once the process was told to stop, in milliseconds. */
const SHUTDOWN_MS = 10_000

/**
 * Keeps the process alive after the reader of its output is gone. Node would exit at the next line, since an `error` event
 * without a listener is thrown.
 */
export function ignoreOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

/** Where a server was told to listen. */
export interface ListenPlace {
  host: string
  port: number
}

/** Opens the socket of a runtime, or exits if that fails, as with a port that is taken. */
export function listenOrFail<T>(place: ListenPlace, listen: () => T): T {
  try {
    return listen()
  } catch (error) {
    failToListen(error, place)
  }
}

const TAKEN = 'Another process listens there. Stop it, or set POSTERN_PORT'
const FORBIDDEN = 'This user may not listen there: ports below 1024 need a right. Set POSTERN_PORT'
const ELSEWHERE = 'This is not an address of this machine. Set POSTERN_HOST'
/** What to do about a socket that cannot be opened, by the code of the error. Deno has names instead of codes. */
const LISTEN_ADVICE: Record<string, string> = {
  ...{ EADDRINUSE: TAKEN, AddrInUse: TAKEN },
  ...{ EACCES: FORBIDDEN, EPERM: FORBIDDEN, PermissionDenied: FORBIDDEN },
  ...{ EADDRNOTAVAIL: ELSEWHERE, AddrNotAvailable: ELSEWHERE, ENOTFOUND: ELSEWHERE, EAI_AGAIN: ELSEWHERE },
}

/** Exits with one line that says where the server cannot listen, and what to do. */
export function failToListen(error: unknown, { host, port }: ListenPlace): never {
  const kind = kindOf(error)
  const advice = LISTEN_ADVICE[kind] ?? 'Check POSTERN_HOST and POSTERN_PORT'
  process.stderr.write(`Server cannot listen on ${urlHost(host)}:${port} (${kind}). ${advice}\n`)
  process.exit(1)
}

/** The setting behind an error of the platform at the start, by its code. Deno has names instead of codes. */
const SETTINGS_BY_CODE: Record<string, string> = {
  EACCES: 'POSTERN_DATA cannot be used by this user',
  PermissionDenied: 'POSTERN_DATA cannot be used by this user',
  EEXIST: 'POSTERN_DATA must be a folder',
  ENOTDIR: 'POSTERN_DATA must be a folder',
  ENOENT: 'POSTERN_DATA cannot be created: a folder above it is missing',
  EROFS: 'POSTERN_DATA is on a file system that is read-only',
  ENOSPC: 'POSTERN_DATA is on a disk that is full',
}

/** Exits with one line. It shows only the kind of a platform error, since the message may quote a setting. */
export function fail(error: unknown): never {
  const kind = kindOf(error)
  const about = SETTINGS_BY_CODE[kind] === undefined ? '' : `. ${SETTINGS_BY_CODE[kind]}`
  process.stderr.write(`${error instanceof PosternError ? error.message : `Server cannot start: ${kind}${about}`}\n`)
  process.exit(1)
}

/** The code of a platform error, or its name. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? ((error as { code?: string }).code ?? error.name) : 'unknown'
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
