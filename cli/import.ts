/**
 * Imports values in the legacy format, `nonce:tag:ciphertext`, into a vault: see docs/how-to/import.md.
 *
 * `TOKEN=… POSTERN_IMPORT_KEY=… npm run import -- values.json --format nonce:tag:ciphertext [--write]`
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { type Bytes, base64, equal, parseBase64url, parseHex, parseUtf8, utf8 } from '../core/bytes.ts'
import { connect } from '../core/client/client.ts'
import type { UserClient } from '../core/client/user.ts'
import { LEGACY_FORMAT, legacyKey, openLegacy } from '../core/crypto/legacy_format.ts'
import { badRequest, PosternError } from '../core/errors.ts'
import { parseName } from '../core/names.ts'
import { Redacted } from '../core/redacted.ts'
import { sleep } from '../core/sleep.ts'
import { type OptionValues, runCommand, tokenFrom } from './command.ts'

// As with every setting, an empty value counts as not given.
const given = (name: string) => process.env[name] || undefined
const POSTERN_ENDPOINT = given('POSTERN_ENDPOINT') ?? 'http://127.0.0.1:8787'
const POSTERN_IMPORT_KEY = given('POSTERN_IMPORT_KEY')
const POSTERN_IMPORT_PASSPHRASE = given('POSTERN_IMPORT_PASSPHRASE')
/** Refusals of a read that keep a secret from being compared. */
const UNREAD: readonly string[] = ['denied', 'not_found', 'mfa_required', 'approval_required']
const MAX_TRIES = 10
const MAX_WAIT_SECONDS = 60

/** The given key, or the key that a passphrase derives. */
async function keyOf(options: OptionValues): Promise<Redacted<Bytes>> {
  if ((POSTERN_IMPORT_KEY === undefined) === (POSTERN_IMPORT_PASSPHRASE === undefined)) {
    throw badRequest('POSTERN_IMPORT_KEY', 'Either this or POSTERN_IMPORT_PASSPHRASE must be set')
  }
  if (POSTERN_IMPORT_PASSPHRASE !== undefined) {
    const salt = parseHex(String(options.salt ?? ''))
    if (salt === null) throw badRequest('salt', 'Must be lower-case hexadecimal')
    const [n, r, p] = [options.n, options.r, options.p].map(Number)
    return legacyKey(new Redacted(POSTERN_IMPORT_PASSPHRASE), { salt, n: n!, r: r!, p: p! })
  }
  const key = parseBase64url(POSTERN_IMPORT_KEY ?? '')
  if (key?.length !== 32) throw badRequest('POSTERN_IMPORT_KEY', 'Must be 32 bytes in base64url')
  return new Redacted(key)
}

/** Opens all values before it writes the first. */
async function run(options: OptionValues, [file = '']: readonly string[]): Promise<string> {
  if (options.format !== LEGACY_FORMAT) throw badRequest('format', `Must be given as ${LEGACY_FORMAT}`)
  const entries = Object.entries(readJson(file))
  const key = await keyOf(options)
  const opened: [string, Redacted<Bytes>][] = []
  for (const [name, sealed] of entries) {
    try {
      opened.push([parseName(name), await openLegacy(String(sealed), key)])
    } catch (error) {
      // Names the value by its position: the name may be a value that was put in the wrong place.
      if (error instanceof PosternError)
        throw new PosternError(error.code, `Value ${opened.length + 1}: ${error.message}`)
      throw error
    }
  }
  if (!options.write) return `${opened.length} values can be opened; --write brings them into the vault`
  const token = tokenFrom(process.env)
  return bring(connect({ endpoint: POSTERN_ENDPOINT, vault: String(options.vault ?? 'default'), token }), opened)
}

/**
 * Writes the values that the vault lacks, and overwrites nothing. It recognizes what an earlier run wrote by its value, so a
 * run with the same file continues where that one ended.
 */
async function bring(vault: UserClient, opened: readonly [string, Redacted<Bytes>][]): Promise<string> {
  const came = { written: 0, there: 0, other: [] as number[], unread: [] as number[] }
  let at = 0
  // By their positions, as above.
  const said = () =>
    [
      `${came.written} secrets written, ${came.there} were there already`,
      ...(came.other.length > 0
        ? [`there with another value, and left as they are: values ${came.other.join(', ')}`]
        : []),
      ...(came.unread.length > 0 ? [`there, and not to be read and compared: values ${came.unread.join(', ')}`] : []),
      ...(at < opened.length ? [`${opened.length - at} left. Run it again to continue`] : []),
    ].join('; ')
  try {
    for (; at < opened.length; at++) {
      const outcome = await unthrottled(() => bringOne(vault, ...opened[at]!))
      if (outcome === 'other' || outcome === 'unread') came[outcome].push(at + 1)
      else came[outcome]++
    }
  } catch (error) {
    if (error instanceof PosternError)
      throw new PosternError(error.code, `Value ${at + 1}: ${error.message}; ${said()}`)
    throw error
  }
  if (came.other.length + came.unread.length > 0) throw new PosternError('conflict', said())
  return said()
}

async function bringOne(vault: UserClient, name: string, value: Redacted<Bytes>) {
  const plain = parseUtf8(value.reveal())
  try {
    await vault.put(name, plain === null ? value : new Redacted(plain), { expect: 'absent' })
    return 'written'
  } catch (error) {
    if (!(error instanceof PosternError) || error.code !== 'conflict') throw error
  }
  try {
    const there = await vault.get(name)
    const text = plain ?? base64(value.reveal())
    const isSame = (there.encoding === undefined) === (plain !== null) && equal(utf8(there.value.reveal()), utf8(text))
    return isSame ? 'there' : 'other'
  } catch (error) {
    // Deleted, destroyed or denied to us: an import does not bring it back.
    if (error instanceof PosternError && UNREAD.includes(error.code)) return 'unread'
    throw error
  }
}

/** Repeats a call that is throttled, some times, after the wait that the server asks for. */
async function unthrottled<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof PosternError) || error.code !== 'throttled' || tries === MAX_TRIES) throw error
      const seconds = Math.min(error.detail.retryAfterSeconds ?? 1, MAX_WAIT_SECONDS)
      await sleep(seconds * 1000)
    }
  }
}

function readJson(file: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  } catch {
    // The parser's own error would quote the file.
  }
  throw badRequest('file', 'Must be a JSON object of names and values')
}

const text = { type: 'string' } as const

await runCommand({
  help: `
npm run import -- FILE --format ${LEGACY_FORMAT} [--vault VAULT] [--write]

Opens the values of FILE, a JSON object of names and sealed values, and writes them to a vault. It overwrites nothing.

  --format      the format of the values: ${LEGACY_FORMAT}
  --vault       the vault; default: "default"
  --salt, --n, --r, --p
                the parameters of scrypt, if POSTERN_IMPORT_PASSPHRASE is set instead of POSTERN_IMPORT_KEY
  --write       writes the values; without it, the command only prints how many can be opened

The server is that of POSTERN_ENDPOINT, http://127.0.0.1:8787 unless set, and its token is read from TOKEN.`,
  options: { format: text, vault: text, salt: text, n: text, r: text, p: text, write: { type: 'boolean' } },
  arguments: ['FILE'],
  run,
  failure: 'Import failed',
})
