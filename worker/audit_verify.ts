/**
 * Verifies a vault's log, or one proof of it, without trusting the server.
 *
 * ```text
 * npm run audit:verify -- --url https://host --vault acme --key VKEY [--remember FILE] [--save FILE]
 * npm run audit:verify -- --file export.jsonl --checkpoint checkpoint.txt --key VKEY [--remember FILE]
 * npm run audit:verify -- --proof proof.txt --entry entry.json --key VKEY
 * ```
 *
 * The token for `--url` is read from TOKEN. `--key` may be given more than once: a log whose key was changed has
 * several. `--remember` names a file that keeps the last checkpoint that was verified: the next run demands that the
 * log goes on from there.
 *
 * @module
 */
import { appendFileSync, createReadStream, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { type Checkpoint, openCheckpoint } from '../core/audit/checkpoint.ts'
import { type NoteVerifier, parseVerifierKey } from '../core/audit/note.ts'
import { type Start, verifyLog, verifyProofFile } from '../core/audit/verify.ts'
import { base64, parseBase64 } from '../core/bytes.ts'
import { connect } from '../core/client.ts'
import { PosternError } from '../core/errors.ts'
import { readCheckpointFile } from './checkpoint_file.ts'
import { runCommand, tokenFrom } from './command.ts'

const PAGE = 1000

/** The options that name one thing each. */
type Option = 'url' | 'vault' | 'file' | 'checkpoint' | 'proof' | 'entry' | 'remember' | 'save'
type Options = { [name in Option]?: string } & { key?: string[] }

/** A log to verify. */
interface Source {
  checkpoint: string
  start: Start
  entries: AsyncIterable<string>
}

function wanted(given: Options, name: Option): string {
  const value = given[name]
  if (value === undefined) throw new PosternError('bad_request', `--${name} must be given`)
  return value
}

async function fromServer(given: Options): Promise<Source> {
  const client = connect({
    endpoint: wanted(given, 'url'),
    vault: wanted(given, 'vault'),
    token: tokenFrom(process.env),
  })
  // Before the entries: asking for those is recorded, and would be in the tree but not among them.
  const checkpoint = await client.checkpoint()
  const first = await client.auditEntries({ from: 0, limit: PAGE })
  const start = startOf(first.min, first.frontier ?? [])
  if (given.save !== undefined)
    writeFileSync(unfinished(given.save), start.index === 0 ? '' : `${JSON.stringify(headerOf(start))}\n`)
  return {
    checkpoint,
    start,
    entries: pages(client, first, { size: Number(checkpoint.split('\n')[1]), save: given.save }),
  }
}

/** What is being saved: an earlier export stays until this one is whole. */
function unfinished(file: string): string {
  return `${file}.unfinished`
}

type Page = Awaited<ReturnType<ReturnType<typeof connect>['auditEntries']>>

/** The entries up to the checkpoint: a server must not keep whoever verifies it busy for ever. */
async function* pages(
  client: ReturnType<typeof connect>,
  first: Page,
  { size, save }: { size: number; save: string | undefined },
): AsyncGenerator<string> {
  for (let page = first; ; page = await client.auditEntries({ from: page.next!, limit: PAGE })) {
    for (const { body } of page.entries) {
      if (save !== undefined) appendFileSync(unfinished(save), `${body}\n`)
      yield body
    }
    const last = page.entries.at(-1)?.index ?? size
    if (page.next === undefined || page.next !== last + 1 || page.next >= size) return
  }
}

/** The first line of a saved log that has forgotten its beginning. */
function headerOf({ index, frontier }: Start) {
  return { min: index, frontier: frontier.map(base64) }
}

function startOf(index: number, frontier: readonly string[]): Start {
  return { index, frontier: frontier.map((hash) => parseBase64(hash) ?? new Uint8Array()) }
}

async function fromFile(given: Options): Promise<Source> {
  const lines = linesOf(wanted(given, 'file'))
  const first = await lines.next()
  const header = first.done ? null : /^\{"min":([0-9]{1,15}),"frontier":(\["[A-Za-z0-9+/=",]+"\])\}$/.exec(first.value)
  const start = header === null ? startOf(0, []) : startOf(Number(header[1]), JSON.parse(header[2]!))
  const entries = header === null && !first.done ? withFirst(first.value, lines) : lines
  return { checkpoint: readCheckpointFile(wanted(given, 'checkpoint'), '--checkpoint'), start, entries }
}

async function* withFirst(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first
  yield* rest
}

/** Opens the file when it is first asked for a line: an interface that nobody reads yet loses its lines. */
async function* linesOf(file: string): AsyncGenerator<string, void> {
  yield* createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
}

async function remembered({ remember }: Options, verifiers: NoteVerifier[]): Promise<Checkpoint | null> {
  if (remember === undefined || !existsSync(remember)) return null
  const checkpoint = await openCheckpoint(readCheckpointFile(remember, '--remember'), verifiers)
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

async function verify(given: Options): Promise<string> {
  const keys = (given.key ?? []).flatMap((key) => key.split(/\s+/)).filter(Boolean)
  if (keys.length === 0) throw new PosternError('bad_request', '--key must be given')
  const verifiers = await Promise.all(keys.map((key) => parseVerifierKey(key)))
  if (given.proof !== undefined) {
    const entry = readFileSync(wanted(given, 'entry'), 'utf8').replace(/\r?\n$/, '')
    const checkpoint = await verifyProofFile(readFileSync(given.proof, 'utf8'), entry, verifiers)
    if (checkpoint === null) throw new PosternError('tampered', 'Entry is not proven to be in the log')
    return `Entry is in ${checkpoint.origin}, among its first ${checkpoint.size}`
  }
  const before = await remembered(given, verifiers)
  const { checkpoint, start, entries } = await (given.url === undefined ? fromFile(given) : fromServer(given))
  const about = { checkpoint, verifiers, start, onProgress: showProgress, ...(before && { remembered: before }) }
  const result = await verifyLog(entries, about)
  if ('flaw' in result) throw new PosternError('tampered', `${result.flaw.kind}: ${result.flaw.message}`)
  if (given.save !== undefined && given.url !== undefined) renameSync(unfinished(given.save), given.save)
  if (given.remember !== undefined) writeFileSync(given.remember, checkpoint)
  const { origin, size } = result.checkpoint
  const kept = start.index === 0 ? '' : `, kept from ${start.index} on`
  const renewed = result.keys.filter((key) => !keys.includes(key)).map((key) => `\nIts key was changed: ${key}`)
  return `${origin}: ${size} entries are whole and in order${kept}${renewed.join('')}`
}

const text = { type: 'string' } as const

await runCommand({
  help: `
npm run audit:verify -- --url URL --vault VAULT --key VKEY [--remember FILE] [--save FILE]
npm run audit:verify -- --file EXPORT --checkpoint FILE --key VKEY [--remember FILE]
npm run audit:verify -- --proof FILE --entry FILE --key VKEY

Verifies a vault's log, or the proof of one entry, without trusting the server. It ends with 0 when all is as it should be,
with 2 when it is not, and with 1 when that cannot be told.

  --url, --vault      a server, and the vault; the token is read from TOKEN
  --file              an export of the log, a line an entry
  --checkpoint        the signed checkpoint of that export
  --proof, --entry    a proof file, and the entry that it is about
  --key               a verifier key of the log; once for each, when its key was changed
  --remember          keeps the last verified checkpoint in this file, and demands that the log goes on from it
  --save              saves the entries to this file`,
  options: {
    ...{ url: text, vault: text, key: { ...text, multiple: true }, file: text, checkpoint: text },
    ...{ proof: text, entry: text, remember: text, save: text },
  },
  run: (given) => verify(given as Options),
  failure: 'Log cannot be verified',
})
