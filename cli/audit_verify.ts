/**
 * Verifies a vault's log, or one proof of it, without trusting the server: `npm run audit:verify`.
 *
 * @module
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/durations.ts'
import { PosternError } from '../core/errors.ts'
import { type Checkpoint, openCheckpoint } from '../core/tlog/checkpoint.ts'
import { type Cosigner, parseWitnessKeys, verifyCosignatures, type WitnessDemand } from '../core/tlog/cosignature.ts'
import { type NoteVerifier, parseVerifierKey } from '../core/tlog/signed_note.ts'
import { compareFilter, type Flaw, isNotable, verifyLog, verifyProofFile } from '../core/tlog/verify_log.ts'
import { readCheckpointFile } from './checkpoint_file.ts'
import { runCommand } from './command.ts'
import { logOfFile, logOfServer, unfinished } from './log_source.ts'

/** The options that take one value. */
type Option = 'url' | 'vault' | 'file' | 'checkpoint' | 'proof' | 'entry' | 'remember' | 'save' | 'quorum' | 'fresh'
type Options = { [name in Option]?: string } & { key?: string[]; witness?: string[] }

/** The exit code for a log that is whole up to its checkpoint, and has more entries. */
const UNSIGNED_END = 3

function wanted(given: Options, name: Option): string {
  const value = given[name]
  if (value === undefined) throw new PosternError('bad_request', `--${name} must be given`)
  return value
}

async function remembered({ remember }: Options, verifiers: NoteVerifier[]): Promise<Checkpoint | null> {
  if (remember === undefined || !existsSync(remember)) return null
  const checkpoint = await openCheckpoint(readCheckpointFile(remember, '--remember'), verifiers)
  if (checkpoint === null)
    throw new PosternError('bad_request', `--remember: ${remember} is not signed by the key given`)
  return checkpoint
}

/** Draws progress over one line of a terminal. */
function showProgress(entries: number, size: number): void {
  if (!process.stderr.isTTY) return
  const done = Math.floor((40 * entries) / Math.max(1, size))
  process.stderr.write(
    `\r[${'#'.repeat(done)}${'.'.repeat(40 - done)}] ${entries} of ${size}${entries >= size ? '\n' : ''}`,
  )
}

function keysOf(given: readonly string[] = []): string[] {
  return given.flatMap((key) => key.split(/\s+/)).filter(Boolean)
}

/** The demand on witnesses; `null` without one. */
async function demandOf({ witness, quorum: most, fresh }: Options): Promise<WitnessDemand | null> {
  const keys = [...new Set(keysOf(witness))]
  if (keys.length === 0) {
    if (most === undefined && fresh === undefined) return null
    throw new PosternError('bad_request', '--quorum and --fresh need --witness')
  }
  const quorum = most === undefined ? keys.length : Number(most)
  if (!Number.isInteger(quorum) || quorum < 1 || quorum > keys.length)
    throw new PosternError('bad_request', '--quorum must be between 1 and the number of witnesses')
  const witnesses = await parseWitnessKeys(keys, '--witness')
  return { witnesses, quorum, now: Date.now(), ...(fresh !== undefined && { freshMs: durationOf(fresh) }) }
}

function durationOf(text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,5})([smhd])$/.exec(text) ?? []
  if (unit === undefined) throw new PosternError('bad_request', '--fresh must be a duration such as 30m, 1h or 7d')
  return Number(count) * { s: 1000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }[unit as 's' | 'm' | 'h' | 'd']
}

async function verifyProof(given: Options, verifiers: NoteVerifier[], demand: WitnessDemand | null): Promise<string> {
  const entry = readFileSync(wanted(given, 'entry'), 'utf8').replace(/\r?\n$/, '')
  const proof = readFileSync(wanted(given, 'proof'), 'utf8')
  const checkpoint = await verifyProofFile(proof, entry, verifiers)
  if (checkpoint === null) throw new PosternError('tampered', 'Entry is not proven to be in the log')
  // The note of a proof file follows its first empty line.
  const found = demand && (await verifyCosignatures(proof.slice(proof.indexOf('\n\n') + 2), demand))
  if (found !== null && found.kind !== 'met')
    throw new PosternError(
      'tampered',
      `${found.kind}: Checkpoint of the proof lacks the cosignatures that are demanded`,
    )
  return `Entry is in ${checkpoint.origin}, among its first ${checkpoint.size}`
}

/** Passes entries on, and collects the indices of security events. */
async function* noting(entries: AsyncIterable<string>, notable: number[], first: number): AsyncGenerator<string> {
  let index = first
  for await (const entry of entries) {
    yield entry
    // The consumer asked for the next entry, so this one was accepted.
    if (isNotable(entry)) notable.push(index)
    index++
  }
}

async function verify(given: Options): Promise<string> {
  const keys = keysOf(given.key)
  if (keys.length === 0) throw new PosternError('bad_request', '--key must be given: see --help')
  const verifiers = await Promise.all(keys.map((key) => parseVerifierKey(key)))
  const demand = await demandOf(given)
  if (given.proof !== undefined) return verifyProof(given, verifiers, demand)
  const before = await remembered(given, verifiers)
  const source =
    given.url === undefined
      ? await logOfFile(wanted(given, 'file'), given.checkpoint)
      : await logOfServer({ url: given.url, vault: wanted(given, 'vault') }, given.save)
  const { checkpoint, cosigned, shown, start, entries } = source
  const notable: number[] = []
  const result = await verifyLog(noting(entries, notable, start.index), {
    ...{ checkpoint, verifiers, start, onProgress: showProgress },
    ...(before && { remembered: before }),
    ...(demand && { witnessed: { ...demand, note: cosigned } }),
  })
  if ('flaw' in result) throw flawed(result.flaw)
  const { origin, size } = result.checkpoint
  const filtered = shown && compareFilter(notable, await shown(size))
  if (filtered) throw flawed(filtered.flaw)
  if (given.save !== undefined && given.url !== undefined) renameSync(unfinished(given.save), given.save)
  if (given.remember !== undefined) writeFileSync(given.remember, checkpoint)
  const { beyond, witnessed } = result
  const kept = start.index === 0 ? '' : `, kept from ${start.index} on`
  const by = witnessed && `\nThe first ${witnessed.size} are cosigned: ${witnessed.by.map(described).join(', ')}`
  const renewed = result.keys.filter((key) => !keys.includes(key)).map((key) => `\nIts key was changed: ${key}`)
  const rest = `${kept}${by ?? ''}${renewed.join('')}`
  if (beyond === 0) return `${origin}: ${size} entries are whole and in order${rest}`
  process.exitCode = UNSIGNED_END
  return `${origin}: the first ${size} of ${size + beyond} entries are whole and in order${rest}
The ${beyond} behind the checkpoint fit to each other, and nothing signs them: they could be others. Give a newer checkpoint`
}

function flawed({ kind, message }: Flaw): PosternError {
  return new PosternError('tampered', `${kind}: ${message}`)
}

function described({ name, at }: Cosigner): string {
  return `${name} at ${new Date(at).toISOString()}`
}

const text = { type: 'string' } as const

await runCommand({
  help: `
npm run audit:verify -- --url URL --vault VAULT --key VKEY [--remember FILE] [--save FILE]
npm run audit:verify -- --file EXPORT [--checkpoint FILE] --key VKEY [--remember FILE]
npm run audit:verify -- --proof FILE --entry FILE --key VKEY

Verifies a vault's log, or the proof of one entry, without trusting the server. The exit code is 0 if the verification
succeeds, 2 if it finds tampering, 3 if the log is whole up to its checkpoint and more entries follow, and 1 if it cannot
be done.

  --url, --vault      the server and the vault; the token is read from TOKEN
  --file              an export of the log, one entry a line
  --checkpoint        the signed checkpoint of the export; for --witness, one that is cosigned
  --proof, --entry    a proof file, and its entry
  --key               a verifier key of the log; repeat it for each key that the log has had
  --remember          keeps the last verified checkpoint in this file; the next run requires that the log continues from it
  --witness           the verifier key of a witness that must cosign the log; repeat it for each witness
  --quorum            the number of witnesses that suffices; default: all
  --fresh             the greatest age of their cosignatures, such as 30m, 1h or 7d
  --save              saves the entries to this file, with their checkpoint and the newest cosigned one`,
  options: {
    ...{ url: text, vault: text, key: { ...text, multiple: true }, file: text, checkpoint: text },
    ...{ proof: text, entry: text, remember: text, save: text },
    ...{ witness: { ...text, multiple: true }, quorum: text, fresh: text },
  },
  run: (given) => verify(given as Options),
  failure: 'Log cannot be verified',
})
