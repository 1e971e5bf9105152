/**
 * The sources of `npm run audit:verify`: a server, or a file that it saved.
 *
 * @module
 */
import { appendFileSync, createReadStream, writeFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { base64, parseBase64 } from '../core/bytes.ts'
import { type Client, connect } from '../core/client/client.ts'
import { PosternError } from '../core/errors.ts'
import { sleep } from '../core/sleep.ts'
import { parseCheckpoint } from '../core/tlog/checkpoint.ts'
import { parseNote } from '../core/tlog/signed_note.ts'
import type { Start } from '../core/tlog/verify_log.ts'
import { readCheckpointFile } from './checkpoint_file.ts'
import { tokenFrom } from './command.ts'

const PAGE = 1000
/** How many times a server is asked for a checkpoint over all entries that it showed, one second apart. */
const MAX_TRIES = 10

/** A log to verify. */
export interface LogSource {
  checkpoint: string
  /** The newest checkpoint that witnesses cosigned; equal to `checkpoint` if there is none. */
  cosigned: string
  start: Start
  entries: AsyncIterable<string>
  /** The indices below a size that the server lists as security events; `null` for a file. */
  shown: ((size: number) => Promise<number[]>) | null
}

/** Reads a log from a server, and saves it meanwhile. The token is read from the environment. */
export async function logOfServer(
  { url, vault }: { url: string; vault: string },
  save: string | undefined,
): Promise<LogSource> {
  const client = connect({ endpoint: url, vault, token: tokenFrom(process.env) })
  const first = await client.auditEntries({ from: 0, limit: PAGE })
  const checkpoint = await checkpointOver(client, first.size)
  const cosigned = await cosignedOf(client)
  const start = startOf(first.min, first.frontier ?? [])
  if (save !== undefined) writeFileSync(unfinished(save), headerOf(start, { checkpoint, cosigned }))
  return {
    ...{ checkpoint, cosigned: cosigned ?? checkpoint, start },
    entries: pages(client, first, { size: sizeOf(checkpoint), save }),
    shown: (size) => shownBy(client, first.min, size),
  }
}

/** Reads a log that was saved to a file. */
export async function logOfFile(file: string, checkpointFile: string | undefined): Promise<LogSource> {
  const lines = linesOf(file)
  const first = await lines.next()
  const header = first.done ? null : parseHeader(first.value)
  const { start = startOf(0, []), checkpoint: saved, cosigned } = header ?? {}
  const entries = header === null && !first.done ? withFirst(first.value, lines) : lines
  const checkpoint = checkpointFile === undefined ? saved : readCheckpointFile(checkpointFile, '--checkpoint')
  if (checkpoint === undefined) throw new PosternError('bad_request', '--checkpoint must be given')
  return { checkpoint, cosigned: cosigned ?? checkpoint, shown: null, start, entries }
}

/** The name of an export until it is complete: an earlier one stays until then. */
export function unfinished(file: string): string {
  return `${file}.unfinished`
}

/**
 * A checkpoint over at least the entries that the log had when the verification began. A server returns an earlier one for
 * a moment, and entries beyond it could be edited.
 */
async function checkpointOver(client: Client, size: number): Promise<string> {
  for (let tries = 1; ; tries++) {
    const note = await client.checkpoint()
    if (sizeOf(note) >= size || tries === MAX_TRIES) return note
    await sleep(1000)
  }
}

function sizeOf(note: string): number {
  return parseCheckpoint(parseNote(note, 'checkpoint').text).size
}

/** The newest cosigned checkpoint; `undefined` without one, and for a server that does not know the parameter. */
async function cosignedOf(client: Client): Promise<string | undefined> {
  try {
    return await client.checkpoint({ cosigned: true })
  } catch (error) {
    if (error instanceof PosternError && (error.code === 'not_found' || error.code === 'bad_request')) return undefined
    throw error
  }
}

/** The indices below `end` that the server lists as security events. */
async function shownBy(client: Client, min: number, end: number): Promise<number[]> {
  const shown: number[] = []
  for (let from = min; from < end; ) {
    const page = await client.auditEntries({ from, limit: PAGE, severity: 'notice' })
    shown.push(...page.entries.map(({ index }) => index).filter((index) => index < end))
    if (page.next === undefined || page.next <= from) break
    from = page.next
  }
  return shown
}

type Page = Awaited<ReturnType<Client['auditEntries']>>

/** The entries up to the checkpoint. Later ones are not signed, and a log may grow for ever. */
async function* pages(
  client: Client,
  first: Page,
  { size, save }: { size: number; save: string | undefined },
): AsyncGenerator<string> {
  for (let page = first, from = 0; ; page = await client.auditEntries({ from, limit: PAGE })) {
    for (const { index, body } of page.entries) {
      if (index >= size) return
      if (save !== undefined) appendFileSync(unfinished(save), `${body}\n`)
      yield body
    }
    // Each request is recorded, so the checkpoint may cover entries that are newer than this page.
    const end = (page.entries.at(-1)?.index ?? -1) + 1
    if (end <= from || end >= size) return
    from = end
  }
}

/** The checkpoints in a saved log. */
interface Notes {
  checkpoint?: string | undefined
  cosigned?: string | undefined
}

/**
 * The header line of a saved log: its start, and its checkpoints. Empty for a whole log without cosignatures, whose lines are
 * its entries alone.
 */
function headerOf({ index, frontier }: Start, { checkpoint, cosigned }: Notes): string {
  if (index === 0 && cosigned === undefined) return ''
  const notes = cosigned === undefined ? {} : { checkpoint, cosigned }
  return `${JSON.stringify({ min: index, frontier: frontier.map(base64), ...notes })}\n`
}

/** Reads the first line, if it is a header. Version 0.1 wrote one without notes, and only for a log that retention shortened. */
function parseHeader(line: string): ({ start: Start } & Notes) | null {
  if (!line.startsWith('{"min":')) return null
  let header: Record<string, unknown>
  try {
    header = JSON.parse(line)
  } catch {
    return null
  }
  const { min, frontier, checkpoint, cosigned } = header
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (typeof min !== 'number' || !Array.isArray(frontier) || !frontier.every(isText)) return null
  return {
    start: startOf(min, frontier),
    ...(isText(checkpoint) && { checkpoint }),
    ...(isText(cosigned) && { cosigned }),
  }
}

function startOf(index: number, frontier: readonly string[]): Start {
  return { index, frontier: frontier.map((hash) => parseBase64(hash) ?? new Uint8Array()) }
}

async function* withFirst(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first
  yield* rest
}

/** The lines of a file, which is opened when the first is read: `readline` loses lines that are not read yet. */
async function* linesOf(file: string): AsyncGenerator<string, void> {
  yield* createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
}
