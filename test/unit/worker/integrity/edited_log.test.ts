/** The log of a vault whose file an attacker edits in full: the findings of an auditor with only the public key. */
import { describe, expect, it } from 'vitest'
import { base64, parseBase64, utf8 } from '../../../../core/bytes.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { signCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import { type Hash, hashesFor, leafHash, position } from '../../../../core/tlog/merkle.ts'
import { formatVerifierKey, parseVerifierKey } from '../../../../core/tlog/signed_note.ts'
import { verifyLog } from '../../../../core/tlog/verify_log.ts'
import { Log } from '../../../../core/vault/audit/log.ts'
import { merkleTreeHash } from '../../../support/reference/rfc6962.ts'
import { wholeLog } from '../../../support/whole_log.ts'
import { openApp, type TestApp } from '../provider_access/provider_access_fixture.ts'

/** The entry that is edited. */
const AT = 20

type Edit = (bench: TestApp, at: number) => void

/** A vault with a log, and its tree head before the edit. */
async function opened() {
  const bench = await openApp(null, { environment: { POSTERN_SECURITY__REFUSAL_RATE: 'none' } })
  for (let i = 0; i < 40; i++) await bench.admin.put(`prod/n${i}`, new Redacted('x'))
  const signer = await bench.keyring.noteSigner('default', 'example.com/log')
  const verifiers = [await parseVerifierKey(formatVerifierKey(signer))]
  const { root, entries } = await wholeLog(bench.admin)
  const note = await signCheckpoint({ size: entries.length, root: parseBase64(root)! }, signer)
  return { bench, note, verifiers, signer }
}

const bodyAt = ({ sql }: TestApp, n: number) =>
  Buffer.from(sql.all<{ body: Uint8Array }>('SELECT body FROM entry WHERE n = ?', n)[0]!.body).toString()
const write = ({ sql }: TestApp, n: number, body: string) =>
  sql.all('UPDATE entry SET body = ? WHERE n = ?', utf8(body), n)
const EDITS: [string, Edit, { kind: string; at: number }][] = [
  [
    'a word of an entry',
    (bench, at) => write(bench, at, bodyAt(bench, at).replace('"ok"', '"no_secret"')),
    { kind: 'edited', at: 0 },
  ],
  ['an entry taken out', (bench, at) => bench.sql.all('DELETE FROM entry WHERE n = ?', at), { kind: 'missing', at: 0 }],
  [
    'an entry put in the place of another',
    (bench, at) => write(bench, at, bodyAt(bench, at + 3)),
    { kind: 'missing', at: 0 },
  ],
  [
    'two entries that changed places, with their numbers',
    (bench, at) => {
      const [one, other] = [bodyAt(bench, at), bodyAt(bench, at + 1)]
      write(bench, at, other.replace(`"index":${at + 1}`, `"index":${at}`))
      write(bench, at + 1, one.replace(`"index":${at}`, `"index":${at + 1}`))
    },
    { kind: 'edited', at: -1 },
  ],
  ['the end cut off', (bench, at) => bench.sql.all('DELETE FROM entry WHERE n >= ?', at), { kind: 'truncated', at: 0 }],
]

/** All entries in the file, since a compromised server can answer anything. */
function rows({ sql }: TestApp): string[] {
  const found = sql.all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
  return found.map(({ body }) => Buffer.from(body).toString())
}

describe('a log whose rows were edited', () => {
  it.each(EDITS)('row 41: is found out, and where: %s', async (_, edit, { kind, at }) => {
    const { bench, note, verifiers } = await opened()
    expect(await verifyLog(rows(bench), { checkpoint: note, verifiers })).toHaveProperty('checkpoint')
    edit(bench, AT)
    const flaw = { kind, index: AT + at }
    expect(await verifyLog(rows(bench), { checkpoint: note, verifiers })).toMatchObject({ flaw })
  })

  it('row 41: is a fork to an auditor who saw it before, even with every later hash recomputed and signed', async () => {
    const { bench, note, verifiers, signer } = await opened()
    const before = await verifyLog(rows(bench), { checkpoint: note, verifiers })
    if (!('checkpoint' in before)) throw new Error('Log is not whole')
    rewrite(bench, AT)
    // A server that is started over it takes it for its own, and it is whole.
    const bodies = rows(bench)
    const head = new Log(bench.sql).head()
    expect(base64(head.root)).toBe(base64(merkleTreeHash(bodies.map(utf8))))
    // But not what was signed before.
    expect(await verifyLog(bodies, { checkpoint: note, verifiers })).toMatchObject({ flaw: { kind: 'forked' } })
    const checkpoint = await signCheckpoint(head, signer)
    expect(await verifyLog(bodies, { checkpoint, verifiers })).toHaveProperty('checkpoint')
    const remembered = before.checkpoint
    expect(await verifyLog(bodies, { checkpoint, verifiers, remembered })).toMatchObject({
      flaw: { kind: 'rolled_back' },
    })
  })
})

/** Edits by an attacker with the file: one word of an entry, with all consequences. */
function rewrite(bench: TestApp, at: number): void {
  const { sql } = bench
  const stored = sql.all<{ p: number; h: Hash }>('SELECT p, h FROM hash')
  const hashes = new Map(stored.map(({ p, h }) => [p, h]))
  let previous = leafHash(utf8(bodyAt(bench, at - 1)))
  for (let n = at; n < rows(bench).length; n++) {
    const link = (JSON.parse(bodyAt(bench, n)) as { previous: string }).previous
    const text = bodyAt(bench, n).replace(`"previous":"${link}"`, `"previous":"${base64(previous)}"`)
    write(bench, n, n === at ? text.replace('"ok"', '"no_secret"') : text)
    previous = leafHash(utf8(bodyAt(bench, n)))
    for (const [i, hash] of hashesFor(n, previous, (places) => places.map((p) => hashes.get(p)!)).entries()) {
      hashes.set(position(0, n) + i, hash)
      sql.all('UPDATE hash SET h = ? WHERE p = ?', hash, position(0, n) + i)
    }
  }
}
