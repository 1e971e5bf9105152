/** Retention: it erases old entries, keeps the others, and leaves a log that verifies. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { base64, parseUtf8 } from '../../../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../../../core/crypto/keyring.ts'
import { DAY_MS } from '../../../../../core/durations.ts'
import { type Checkpoint, openCheckpoint, signCheckpoint } from '../../../../../core/tlog/checkpoint.ts'
import { type Hash, type ReadHashes, subtrees } from '../../../../../core/tlog/merkle.ts'
import { verifyConsistency, verifyInclusion } from '../../../../../core/tlog/proof.ts'
import { formatVerifierKey, type NoteVerifier, parseVerifierKey } from '../../../../../core/tlog/signed_note.ts'
import { verifyLog } from '../../../../../core/tlog/verify_log.ts'
import { openVault } from '../../../../support/core.ts'

const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const signer = await keyring.noteSigner('acme', 'example.com/audit/acme')
let verifiers: NoteVerifier[]

beforeAll(async () => {
  verifiers = [await parseVerifierKey(formatVerifierKey(signer))]
})

/** A vault with `old` entries of a hundred days ago, and `fresh` ones of today. */
function aged(old: number, fresh: number) {
  const bench = openVault()
  bench.now = 1_000 * DAY_MS
  const write = (size: number) => {
    while (bench.entryCount() < size) bench.ask('admin', 'principal.list', {})
  }
  write(old)
  bench.now += 100 * DAY_MS
  write(old + fresh)
  const perform = bench.vault.perform.bind(bench.vault)
  const announce = (targets: string[] = []) => {
    const answer = perform('retention.announce', { keepMs: 90 * DAY_MS, targets }, bench.now)
    return answer.ok ? answer.value : answer.reason
  }
  const sign = async () => {
    const answer = perform('audit.head', {}, bench.now)
    if (!answer.ok) throw new Error(answer.reason)
    const { head } = answer.value
    const note = await signCheckpoint(head, signer)
    expect(perform('audit.sign', { ...head, note }, bench.now).ok).toBe(true)
    return note
  }
  const prune = (afterMs = DAY_MS) => {
    bench.now += afterMs
    for (;;) {
      const answer = perform('retention.prune', {}, bench.now)
      if (!answer.ok) return answer.reason
      if (answer.value.done) return 'done'
    }
  }
  const count = (table: string) => bench.database.all<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`)[0]!.n
  return Object.assign(bench, { announce, sign, prune, count })
}

describe('retention', () => {
  it('erases whole old bundles, once a checkpoint covers the announcement', async () => {
    const bench = aged(700, 50)
    expect(bench.announce()).toEqual({ announced: 512, announcedAt: 750, announcedWhen: bench.now })
    expect(bench.log().at(-1)).toMatchObject({
      operation: 'retention.announce',
      principal: null,
      facts: { from: 0, to: 512 },
    })
    expect(bench.prune()).toBe('done')
    expect(bench.count('entry')).toBe(751)
    await bench.sign()
    expect(bench.prune()).toBe('done')
    expect(bench.count('entry')).toBe(751 - 512)
    // Two tiles of 256 leaves and their parent are left of 512 leaves.
    expect(bench.database.all('SELECT COUNT(*) AS n FROM hash WHERE p < 1023')).toEqual([{ n: 3 }])
    expect(bench.announce()).toBeNull()
  })

  it('keeps younger entries, however the clock ran, and entries that a sink has not received', async () => {
    const bench = aged(600, 10)
    // One young entry among the old ones of the second bundle.
    const time = new Date(bench.now).toISOString()
    const query = "UPDATE entry SET body = CAST(json_set(CAST(body AS TEXT), '$.time', ?) AS BLOB) WHERE n = 300"
    bench.database.all(query, time)
    bench.vault.perform('delivery.report', { target: 'sink:a', mark: 200 }, bench.now)
    expect(bench.announce(['sink:a'])).toBeNull()
    expect(bench.announce(['anchor:never'])).toBeNull()
    expect(bench.announce()).toMatchObject({ announced: 256 })
  })

  it('waits a day after the announcement, so that a hold can stop a wrong clock or setting', async () => {
    const bench = aged(600, 0)
    bench.announce()
    await bench.sign()
    expect(bench.prune(DAY_MS - 1)).toBe('done')
    expect(bench.count('entry')).toBe(601)
    bench.granted('admin', 'audit.hold', { reason: 'clock' })
    expect(bench.prune()).toBe('held')
    // The hold, and that nothing could be erased.
    expect(bench.count('entry')).toBe(603)
  })

  it('row 43: leaves a verifiable log when it stops midway, and detects further omissions', async () => {
    const bench = aged(5000, 30)
    bench.announce()
    await bench.sign()
    bench.now += DAY_MS
    expect(bench.vault.perform('retention.prune', {}, bench.now)).toMatchObject({ value: { done: false } })
    bench.granted('admin', 'audit.hold', { reason: 'case 8' })
    const checkpoint = await bench.sign()
    const { min, frontier, entries } = bench.granted('admin', 'audit.entries', { from: 0, limit: 10_000 })
    const lines = entries.map(({ body }) => parseUtf8(body)!)
    expect(min).toBe(2048)
    expect(await verifyLog(lines, { checkpoint, verifiers, start: { index: min, frontier } })).toHaveProperty(
      'checkpoint',
    )
    // What the hold keeps must not be left out, though it was announced.
    const read: ReadHashes = (positions) =>
      positions.map((p) => bench.database.all<{ h: Hash }>('SELECT h FROM hash WHERE p = ?', p)[0]!.h)
    const start = { index: 4096, frontier: read(subtrees(4096)) }
    const result = await verifyLog(lines.slice(4096 - 2048), { checkpoint, verifiers, start })
    expect(result).toMatchObject({ flaw: { kind: 'gap' } })
  })

  it('row 43: keeps every proof for the remaining entries, and reports the rest as pruned', async () => {
    const bench = aged(1100, 30)
    const before = [1024, 1030, 1100].map((size) => ({ size, root: rootAt(bench, size) }))
    bench.announce()
    await bench.sign()
    bench.prune()
    const { size, root } = headOf(bench)
    for (let index = 1024; index < size; index++) {
      const { leaf, hashes } = bench.granted('admin', 'audit.inclusion', { index, size })
      expect([index, verifyInclusion(hashes, { index, size, leaf, root })]).toEqual([index, true])
    }
    for (const old of before) {
      const { hashes } = bench.granted('admin', 'audit.consistency', { from: old.size, to: size })
      expect([old.size, verifyConsistency(hashes, old, { size, root })]).toEqual([old.size, true])
    }
    expect(bench.reason('admin', 'audit.inclusion', { index: 1023, size })).toBe('pruned')
    expect(bench.reason('admin', 'audit.consistency', { from: 1000, to: size })).toBe('pruned')
    expect(bench.reason('admin', 'audit.tile', { level: 0, n: 3, width: 256 })).toBe('pruned')
    expect(bench.reason('admin', 'audit.tile', { level: 0, n: 4, width: 100 })).toBe('ok')
    expect(bench.reason('admin', 'audit.tile', { level: 1, n: 0, width: 4 })).toBe('ok')
  })

  it('leaves a log that verifies from its first kept entry, and detects a change of that entry', async () => {
    const bench = aged(600, 30)
    const seen = await openCheckpoint(await bench.sign(), verifiers)
    bench.announce()
    await bench.sign()
    bench.prune()
    const checkpoint = await bench.sign()
    const { min, frontier, entries } = bench.granted('admin', 'audit.entries', { from: 0, limit: 1000 })
    const lines = entries.map(({ body }) => parseUtf8(body)!)
    const verify = (
      from: string[],
      more: { frontier?: Uint8Array<ArrayBuffer>[]; index?: number; remembered?: Checkpoint } = {},
    ) => {
      const start = { index: more.index ?? min, frontier: more.frontier ?? frontier }
      return verifyLog(from, { checkpoint, verifiers, start, ...(more.remembered && { remembered: more.remembered }) })
    }
    expect(min).toBe(512)
    expect(await verify(lines, { remembered: seen! })).toHaveProperty('checkpoint')
    expect(await verify(lines.with(0, lines[0]!.replace('admin', 'adm1n')))).toMatchObject({
      flaw: { kind: 'edited', index: 512 },
    })
    expect(await verify(lines.slice(1))).toMatchObject({ flaw: { kind: 'missing', index: 512 } })
    expect(
      await verify(lines, { frontier: frontier.toReversed().map((hash) => hash.with(0, 1)) as typeof frontier }),
    ).toMatchObject({ flaw: { kind: 'forked' } })
    expect(await verify(lines, { frontier: [] })).toMatchObject({ flaw: { kind: 'forked' } })
    const saved = [JSON.stringify({ min, frontier: frontier.map(base64) }), ...lines]
    expect(commandOn(saved, checkpoint)).toEqual([
      0,
      expect.stringContaining('are whole and in order, kept from 512 on'),
    ])
    expect(commandOn(saved.toSpliced(5, 1), checkpoint)).toEqual([2, expect.stringContaining('missing: Entry 516')])
    expect(commandOn(lines, checkpoint)[0]).toBe(2)
    const older = { ...seen!, size: 400 }
    expect(await verify(lines, { remembered: older })).toMatchObject({ flaw: { kind: 'gap' } })
  }, 60_000)

  it('row 43: erases nothing under a legal hold, and withdraws its announcement', async () => {
    const bench = aged(600, 30)
    bench.announce()
    await bench.sign()
    bench.granted('admin', 'audit.hold', { reason: 'case 7' })
    expect(bench.log().at(-1)).toMatchObject({
      operation: 'audit.hold',
      facts: { before: null, after: 'case 7', min: 0, takenBack: 512 },
    })
    expect(bench.prune()).toBe('held')
    expect(bench.announce()).toBeNull()
    expect(bench.count('entry')).toBeGreaterThan(600)
    bench.granted('admin', 'audit.hold', { reason: null })
    expect(bench.prune()).toBe('done')
    expect(bench.count('entry')).toBeGreaterThan(600)
    expect(bench.announce()).toMatchObject({ announced: 512 })
  })

  it('continues the same tree', async () => {
    const bench = aged(512, 0)
    bench.announce()
    await bench.sign()
    bench.prune()
    const old = headOf(bench)
    for (let i = 0; i < 300; i++) bench.ask('admin', 'principal.list', {})
    const { hashes } = bench.granted('admin', 'audit.consistency', { from: old.size, to: headOf(bench).size })
    expect(verifyConsistency(hashes, old, headOf(bench))).toBe(true)
  })
})

/** The output of `npm run audit:verify` for a saved log. */
function commandOn(lines: string[], checkpoint: string): [number | null, string] {
  const folder = mkdtempSync(join(tmpdir(), 'postern-retention-'))
  const [log, note] = [join(folder, 'log.jsonl'), join(folder, 'checkpoint')]
  writeFileSync(log, `${lines.join('\n')}\n`)
  writeFileSync(note, checkpoint)
  const command = join(import.meta.dirname, '../../../../../cli/audit_verify.ts')
  const given = ['--file', log, '--checkpoint', note, '--key', formatVerifierKey(signer)]
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...given], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  return [status, stdout + stderr]
}

type Bench = ReturnType<typeof openVault>
function headOf(bench: Bench) {
  return bench.granted('admin', 'audit.head', {}).head
}
function rootAt(bench: Bench, size: number) {
  return bench.granted('admin', 'audit.inclusion', { index: size - 1, size }).root
}
