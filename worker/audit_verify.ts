/**
 * Verifies a vault's log, or one proof of it, without trusting the server.
 *
 * ```text
 * npm run audit:verify -- --url https://host --vault acme --key VKEY [--remember FILE] [--save FILE]
 * npm run audit:verify -- --file export.jsonl --checkpoint checkpoint.txt --key VKEY [--remember FILE]
 * npm run audit:verify -- --proof proof.txt --entry entry.json --key VKEY
 * ```
 *
 * The token for `--url` is read from TOKEN. `--remember` names a file that keeps the last checkpoint that
 * was verified: the next run demands that the log goes on from there.
 *
 * @module
 */
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { type Checkpoint, openCheckpoint } from '../core/audit/checkpoint.ts'
import { type NoteVerifier, parseVerifierKey } from '../core/audit/note.ts'
import { verifyLog, verifyProofFile } from '../core/audit/verify.ts'
import { connect } from '../core/client.ts'
import { PosternError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'

const text = { type: 'string' } as const
const { values: given } = parseArgs({
  options: {
    url: text,
    vault: text,
    key: text,
    file: text,
    checkpoint: text,
    proof: text,
    entry: text,
    remember: text,
    save: text,
  },
})

/** A log to verify. */
interface Source {
  checkpoint: string
  entries: AsyncIterable<string>
}

function wanted(name: keyof typeof given): string {
  const value = given[name]
  if (value === undefined) throw new PosternError('bad_request', `--${name} must be given`)
  return value
}

function fromServer(): Promise<Source> {
  const client = connect({
    endpoint: wanted('url'),
    vault: wanted('vault'),
    token: new Redacted(process.env.TOKEN ?? ''),
  })
  return client.checkpoint().then((checkpoint) => ({ checkpoint, entries: pages(client) }))
}

async function* pages(client: ReturnType<typeof connect>): AsyncGenerator<string> {
  for (let from = 0; ; ) {
    const { entries } = await client.auditEntries({ from, limit: 1000 })
    for (const { body } of entries) {
      if (given.save !== undefined)
        writeFileSync(given.save, `${body}\n`, { flag: from === 0 && body === entries[0]?.body ? 'w' : 'a' })
      yield body
    }
    if (entries.length < 1000) return
    from += entries.length
  }
}

async function fromFile(): Promise<Source> {
  return { checkpoint: readFileSync(wanted('checkpoint'), 'utf8'), entries: linesOf(wanted('file')) }
}

/** Opens the file when it is first asked for a line: an interface that nobody reads yet loses its lines. */
async function* linesOf(file: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
}

async function remembered(verifiers: NoteVerifier[]): Promise<Checkpoint | null> {
  const { remember } = given
  if (remember === undefined || !existsSync(remember)) return null
  const checkpoint = await openCheckpoint(readFileSync(remember, 'utf8'), verifiers)
  if (checkpoint === null)
    throw new PosternError('bad_request', `--remember: ${remember} is not signed by the key given`)
  return checkpoint
}

/** Draws over one line, where somebody looks on. */
function showProgress(entries: number, size: number): void {
  if (!process.stderr.isTTY) return
  const done = Math.floor((40 * entries) / Math.max(1, size))
  process.stderr.write(
    `\r[${'#'.repeat(done)}${'.'.repeat(40 - done)}] ${entries} of ${size}${entries >= size ? '\n' : ''}`,
  )
}

async function verify(): Promise<string> {
  const verifiers = [await parseVerifierKey(wanted('key').trim())]
  if (given.proof !== undefined) {
    const entry = readFileSync(wanted('entry'), 'utf8').replace(/\r?\n$/, '')
    const checkpoint = await verifyProofFile(readFileSync(given.proof, 'utf8'), entry, verifiers)
    if (checkpoint === null) throw new PosternError('tampered', 'Entry is not proven to be in the log')
    return `Entry is in ${checkpoint.origin}, among its first ${checkpoint.size}`
  }
  const before = await remembered(verifiers)
  const { checkpoint, entries } = await (given.url === undefined ? fromFile() : fromServer())
  const about = { checkpoint, verifiers, onProgress: showProgress, ...(before && { remembered: before }) }
  const result = await verifyLog(entries, about)
  if ('flaw' in result) throw new PosternError('tampered', `${result.flaw.kind}: ${result.flaw.message}`)
  if (given.remember !== undefined) writeFileSync(given.remember, checkpoint)
  return `${result.checkpoint.origin}: ${result.checkpoint.size} entries are whole and in order`
}

try {
  process.stdout.write(`${await verify()}\n`)
} catch (error) {
  // A file that is not there says so by itself, and holds nothing of ours.
  const known = error instanceof PosternError ? error : null
  process.stderr.write(`${known?.message ?? (error as Error).message}\n`)
  process.exitCode = known?.code === 'tampered' ? 2 : 1
}
