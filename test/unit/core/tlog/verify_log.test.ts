import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { base64, parseUtf8 } from '../../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { type Checkpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import { inclusionProof } from '../../../../core/tlog/proof.ts'
import {
  formatVerifierKey,
  type NoteVerifier,
  openNote,
  parseNote,
  parseVerifierKey,
  signNote,
} from '../../../../core/tlog/signed_note.ts'
import { verifyLog, verifyProofFile } from '../../../../core/tlog/verify_log.ts'
import { encodeEvent } from '../../../../core/vault/audit/event.ts'
import { Log } from '../../../../core/vault/audit/log.ts'
import { migrate } from '../../../../core/vault/migrate.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'

const ORIGIN = 'example.com/audit/acme'
const SIZE = 1000
const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const signer = await keyring.noteSigner('acme', ORIGIN)

/** A log of entries that differ, its checkpoint, and what verifies it. */
async function makeLog(size: number, mark: string) {
  const sql = openSqlite(':memory:')
  migrate(sql, 0)
  const log = new Log(sql)
  sql.atomic(() => {
    for (let i = 0; i < size; i++) {
      const about = { request: `${mark}${i}`, operation: 'secret.read', principal: 'ann', token: null, session: null }
      const place = {
        address: null,
        agent: null,
        action: 'read',
        resource: `prod/${i % 7}`,
        rule: 'r',
        outcome: 'ok',
        severity: 'info',
      } as const
      log.append((index, previous) => encodeEvent({ at: i, ...about, ...place, facts: {} }, index, previous))
    }
  })
  const entries = log.entries(0, size).map(({ body }) => parseUtf8(body)!)
  return { log, entries, checkpoint: await signCheckpoint(log.head(), signer) }
}

let verifiers: NoteVerifier[]
let main: Awaited<ReturnType<typeof makeLog>>
let other: Awaited<ReturnType<typeof makeLog>>

beforeAll(async () => {
  verifiers = [await parseVerifierKey(formatVerifierKey(signer))]
  main = await makeLog(SIZE, 'main')
  other = await makeLog(SIZE, 'other')
})

const verify = (entries: string[], remembered?: Checkpoint) =>
  verifyLog(entries, { checkpoint: main.checkpoint, verifiers, ...(remembered && { remembered }) })

/** One way to tamper with a log, of the seven that a fair share of them is made of. */
function tamper(entries: readonly string[], kind: number, i: number, j: number): string[] {
  const out = [...entries]
  const entry = out[i]!
  const at = j % entry.length
  if (kind === 0) out[i] = entry.slice(0, at) + String.fromCharCode(entry.charCodeAt(at) ^ 1) + entry.slice(at + 1)
  else if (kind === 1) out.splice(i, 1)
  else if (kind === 2) out.splice(i, 0, entry)
  else if (kind === 3) [out[i], out[j]] = [out[j]!, entry]
  else if (kind === 4) out.length = i
  else if (kind === 5) out.splice(i, SIZE, ...other.entries.slice(i))
  else out[i] = other.entries[i]!
  return out
}

describe('verifying a log', () => {
  it('accepts a whole log, with or without entries after its checkpoint', async () => {
    expect(await verify(main.entries)).toMatchObject({ checkpoint: { origin: ORIGIN, size: SIZE } })
    const shorter = await signCheckpoint({ size: 900, root: main.log.rootAt(900) }, signer)
    expect(await verifyLog(main.entries, { checkpoint: shorter, verifiers })).toMatchObject({
      checkpoint: { size: 900 },
    })
  })

  it('row 41: detects each of 2,000 random changes', async () => {
    const index = fc.nat({ max: SIZE - 1 })
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 6 }), index, index, async (kind, i, j) => {
        const changed = tamper(main.entries, kind, i, j)
        fc.pre(changed.length !== SIZE || changed.some((entry, n) => entry !== main.entries[n]))
        const result = await verify(changed)
        expect('flaw' in result).toBe(true)
      }),
      { numRuns: 2000, endOnFailure: true },
    )
  }, 600_000)

  it.each([
    ['an edited entry', 0, { kind: 'edited', index: 500 }],
    ['a dropped one', 1, { kind: 'missing', index: 500 }],
    ['one inserted', 2, { kind: 'missing', index: 501 }],
    ['a cut end', 4, { kind: 'truncated', index: 500 }],
  ])('row 41: locates the flaw: %s', async (_, kind, flaw) => {
    // In the middle of the resource, so that it stays JSON.
    const j = main.entries[500]!.indexOf('prod/')
    expect(await verify(tamper(main.entries, kind, 500, j))).toMatchObject({ flaw })
  })

  it('row 41: locates the flaw: two swapped entries, and the last one as other JSON for the same value', async () => {
    expect(await verify(tamper(main.entries, 3, 500, 700))).toMatchObject({ flaw: { kind: 'missing', index: 500 } })
    const last = `{ ${main.entries.at(-1)!.slice(1)}`
    const flaw = { kind: 'edited', index: SIZE - 1 }
    expect(await verify([...main.entries.slice(0, -1), last])).toMatchObject({ flaw })
  })

  it('row 41: detects a fork whose entries chain', async () => {
    expect(await verify(other.entries)).toMatchObject({ flaw: { kind: 'forked' } })
  })

  it('row 41: detects a log that shrank or does not extend its earlier self', async () => {
    const head = main.log.head()
    expect(await verify(main.entries, { origin: ORIGIN, size: 400, root: main.log.rootAt(400) })).toHaveProperty(
      'checkpoint',
    )
    expect(await verify(main.entries, { origin: ORIGIN, size: SIZE + 1, root: head.root })).toMatchObject({
      flaw: { kind: 'rolled_back' },
    })
    expect(await verify(main.entries, { origin: ORIGIN, size: 400, root: other.log.rootAt(400) })).toMatchObject({
      flaw: { kind: 'rolled_back' },
    })
  })

  it('detects a log that begins at an index that no entry announces', async () => {
    const start = { index: 512, frontier: main.log.frontier(512) }
    const result = await verifyLog(main.entries.slice(512), { checkpoint: main.checkpoint, verifiers, start })
    expect(result).toMatchObject({ flaw: { kind: 'gap' } })
  })

  it('row 41: accepts only a checkpoint that the given key signed for its own log', async () => {
    const stranger = await keyring.noteSigner('other', ORIGIN)
    const renamed = await keyring.noteSigner('acme', 'example.com/audit/other')
    for (const key of [stranger, renamed]) {
      const checkpoint = await signCheckpoint(main.log.head(), key)
      expect(await verifyLog(main.entries, { checkpoint, verifiers })).toMatchObject({ flaw: { kind: 'checkpoint' } })
    }
    // The right key, with a checkpoint for another log.
    const { size, root } = main.log.head()
    const checkpoint = await signNote(`example.com/audit/other\n${size}\n${base64(root)}\n`, signer)
    expect(await verifyLog(main.entries, { checkpoint, verifiers })).toMatchObject({ flaw: { kind: 'checkpoint' } })
  })
})

describe('a proof file', () => {
  const fileOf = (index: number, hashes: Uint8Array[], note: string) =>
    ['c2sp.org/tlog-proof@v1', `index ${index}`, ...hashes.map(base64), '', note].join('\n')

  it('proves its own entry, and no other', async () => {
    const hashes = inclusionProof(123, SIZE, main.log.read)
    const file = fileOf(123, hashes, main.checkpoint)
    expect(await verifyProofFile(file, main.entries[123]!, verifiers)).toMatchObject({ size: SIZE })
    expect(await verifyProofFile(file, main.entries[124]!, verifiers)).toBeNull()
    expect(await verifyProofFile(fileOf(124, hashes, main.checkpoint), main.entries[123]!, verifiers)).toBeNull()
    expect(
      await verifyProofFile(fileOf(123, hashes.slice(1), main.checkpoint), main.entries[123]!, verifiers),
    ).toBeNull()
    expect(await verifyProofFile(file.replace('index 123', 'index 0123'), main.entries[123]!, verifiers)).toBeNull()
    expect(await verifyProofFile(`x${file}`, main.entries[123]!, verifiers)).toBeNull()
  })
})

describe('a checkpoint', () => {
  it('row 41: has one form', () => {
    const root = base64(main.log.head().root)
    expect(parseCheckpoint(`o\n10\n${root}\n`)).toMatchObject({ origin: 'o', size: 10 })
    expect(parseCheckpoint(`o\n10\n${root}\nextension\n`)).toMatchObject({ size: 10 })
    const wrong = [
      `o\n010\n${root}\n`,
      `o\n-1\n${root}\n`,
      `o\n10\n${root}`,
      `o\r\n10\r\n${root}\r\n`,
      `o\n10\n${root}\n\n`,
      `\n10\n${root}\n`,
      `o\n10\n${root.slice(4)}\n`,
      `o\n99999999999999999999\n${root}\n`,
    ]
    for (const text of wrong) expect(() => parseCheckpoint(text)).toThrow('Checkpoint must be')
  })

  it('row 41: opens under its own key, and not with any byte changed', async () => {
    expect(await openCheckpoint(main.checkpoint, verifiers)).toMatchObject({ origin: ORIGIN, size: SIZE })
    for (let i = 0; i < main.checkpoint.length; i++) {
      const code = main.checkpoint.charCodeAt(i)
      const changed = main.checkpoint.slice(0, i) + String.fromCharCode(code ^ 1) + main.checkpoint.slice(i + 1)
      const opened = await openCheckpoint(changed, verifiers).catch(() => null)
      expect([i, opened]).toEqual([i, null])
    }
  })
})

describe('a signed note', () => {
  // The key and note of the golang.org/x/mod/sumdb/note documentation.
  const VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
  const NOTE = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`

  it('verifies when another implementation made it, and not with a byte changed', async () => {
    const verifier = await parseVerifierKey(VKEY)
    expect(await openNote(parseNote(NOTE), [verifier])).toMatchObject({ by: ['PeterNeumann'] })
    expect(await openNote(parseNote(NOTE.replace('answer', 'Answer')), [verifier])).toBeNull()
  })

  it('is refused in any other form', async () => {
    const bad = [
      NOTE.slice(0, -1),
      NOTE.replace('\n\n', '\n'),
      NOTE.replace('— ', '- '),
      NOTE.replace('If', '\u0001If'),
      `${NOTE}junk\n`,
      NOTE.replace('PeterNeumann ', 'Peter Neumann '),
    ]
    for (const note of bad) expect(() => parseNote(note)).toThrow('Note must be')
    for (let cut = 0; cut < VKEY.length; cut++)
      await expect(parseVerifierKey(VKEY.slice(0, cut))).rejects.toThrow('Verifier key')
  })

  it('ignores signatures of unknown keys, and is refused for a wrong one of a known key', async () => {
    const verifier = await parseVerifierKey(VKEY)
    const both = NOTE + main.checkpoint.slice(main.checkpoint.indexOf('— '))
    expect(await openNote(parseNote(both), [verifier])).toMatchObject({ by: ['PeterNeumann'] })
    expect(await openNote(parseNote(both), [verifier, ...verifiers])).toBeNull()
    expect(await openNote(parseNote(NOTE), verifiers)).toBeNull()
    expect(await openNote(parseNote(await signNote('a\n\nb\n', signer)), verifiers)).toMatchObject({ text: 'a\n\nb\n' })
  })
})
