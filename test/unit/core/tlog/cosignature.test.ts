import { beforeAll, describe, expect, it } from 'vitest'
import { parseUtf8 } from '../../../../core/bytes.ts'
import { HOUR_MS } from '../../../../core/durations.ts'
import { openCheckpoint, signCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import { parseWitnessKeys, verifyCosignatures } from '../../../../core/tlog/cosignature.ts'
import { formatVerifierKey, type NoteVerifier, parseVerifierKey } from '../../../../core/tlog/signed_note.ts'
import { compareFilter, isNotable, verifyLog } from '../../../../core/tlog/verify_log.ts'
import { encodeEvent } from '../../../../core/vault/audit/event.ts'
import { Log } from '../../../../core/vault/audit/log.ts'
import type { Severity } from '../../../../core/vault/audit/severity.ts'
import { migrate } from '../../../../core/vault/migrate.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { noteSigner, witnessOf } from '../../../support/note_keys.ts'

const NOW = 1_800_000_000_000
const signer = await noteSigner('example.com/log')
const [one, two, three] = await Promise.all(['w.example/1', 'w.example/2', 'w.example/3'].map(witnessOf))
const seconds = (agoMs: number) => Math.floor((NOW - agoMs) / 1000)

function logOf(severities: Severity[]) {
  const sql = openSqlite(':memory:')
  migrate(sql, 0)
  const log = new Log(sql)
  sql.atomic(() => {
    for (const [at, severity] of severities.entries()) {
      const who = { request: null, principal: null, token: null, session: null, address: null, agent: null }
      const what = { operation: 'test', action: null, resource: '', rule: null, outcome: 'ok', facts: {} } as const
      log.append((index, previous) => encodeEvent({ at, ...who, ...what, severity }, index, previous), { severity })
    }
  })
  return { log, entries: log.entries(0, 1000).map(({ body }) => parseUtf8(body)!) }
}

const { log, entries } = logOf(Array.from({ length: 37 }, (_, i) => (i % 5 === 0 ? 'alert' : 'info')))
let verifiers: NoteVerifier[]
const checkpointAt = (size: number) => signCheckpoint({ size, root: log.rootAt(size) }, signer)

beforeAll(async () => {
  verifiers = [await parseVerifierKey(formatVerifierKey(signer))]
})

describe('cosignatures of a checkpoint', () => {
  const demand = async (more: { quorum?: number; freshMs?: number } = {}) => ({
    ...{ witnesses: await parseWitnessKeys([one!.key, two!.key]), now: NOW },
    ...more,
  })

  it('row 78: are required from all witnesses, or from a quorum', async () => {
    const note = await checkpointAt(20)
    const cosigned = note + (await one!.cosign(note, seconds(0)))
    expect(await verifyCosignatures(note, await demand())).toMatchObject({ kind: 'unwitnessed', by: [], quorum: 2 })
    expect(await verifyCosignatures(cosigned, await demand())).toMatchObject({ kind: 'unwitnessed', quorum: 2 })
    expect(await verifyCosignatures(cosigned, await demand({ quorum: 1 }))).toEqual({
      kind: 'met',
      by: [{ name: 'w.example/1', at: NOW }],
    })
    expect(await verifyCosignatures(cosigned + (await two!.cosign(note, seconds(0))), await demand())).toMatchObject({
      kind: 'met',
    })
  })

  it('row 78: count once per witness, and not from a stranger, for another tree or from the log itself', async () => {
    const note = await checkpointAt(20)
    const line = await one!.cosign(note, seconds(0))
    for (const more of [line, await three!.cosign(note, seconds(0)), await one!.cosign(note, seconds(9))]) {
      expect(await verifyCosignatures(note + line + more, await demand())).toMatchObject({ kind: 'unwitnessed' })
    }
    const elsewhere = await two!.cosign(await checkpointAt(21), seconds(0))
    expect(await verifyCosignatures(note + line + elsewhere, await demand())).toMatchObject({ kind: 'unwitnessed' })
    await expect(parseWitnessKeys([formatVerifierKey(signer)])).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('row 78: are too old after the required age, and in the future beyond clock skew', async () => {
    const note = await checkpointAt(20)
    const both = async (ageMs: number) =>
      note + (await one!.cosign(note, seconds(0))) + (await two!.cosign(note, seconds(ageMs)))
    const freshMs = HOUR_MS
    expect(await verifyCosignatures(await both(HOUR_MS - 1000), await demand({ freshMs }))).toMatchObject({
      kind: 'met',
    })
    expect(await verifyCosignatures(await both(HOUR_MS + 1000), await demand({ freshMs }))).toMatchObject({
      kind: 'stale',
    })
    expect(await verifyCosignatures(await both(-HOUR_MS), await demand({ freshMs }))).toMatchObject({ kind: 'stale' })
    expect(await verifyCosignatures(await both(HOUR_MS * 9), await demand())).toMatchObject({ kind: 'met' })
  })
})

describe('a log with required witnesses', () => {
  async function verify(cosignedSize: number, of = log) {
    const note = await signCheckpoint({ size: cosignedSize, root: of.rootAt(cosignedSize) }, signer)
    const witnessed = {
      ...{ witnesses: await parseWitnessKeys([one!.key]), now: NOW },
      note: note + (await one!.cosign(note, seconds(0))),
    }
    return verifyLog(entries, { checkpoint: await checkpointAt(37), verifiers, witnessed })
  }

  it('row 78: is whole when it extends the cosigned checkpoint', async () => {
    expect(await verify(20)).toMatchObject({ beyond: 0, witnessed: { size: 20, by: [{ name: 'w.example/1' }] } })
    expect(await verify(37)).toMatchObject({ witnessed: { size: 37 } })
  })

  it('row 78: is forked when its entries differ below that checkpoint', async () => {
    const other = logOf(Array.from({ length: 37 }, () => 'notice')).log
    for (const size of [20, 37]) expect(await verify(size, other)).toMatchObject({ flaw: { kind: 'forked' } })
  })

  it('row 78: is refused without cosignatures, and when witnesses saw a longer log', async () => {
    const witnesses = await parseWitnessKeys([one!.key])
    const checkpoint = await checkpointAt(20)
    const about = { checkpoint, verifiers }
    expect(await verifyLog(entries, { ...about, witnessed: { witnesses, now: NOW, note: checkpoint } })).toMatchObject({
      flaw: { kind: 'unwitnessed' },
    })
    const later = await checkpointAt(30)
    const note = later + (await one!.cosign(later, seconds(0)))
    expect(await verifyLog(entries.slice(0, 20), { ...about, witnessed: { witnesses, now: NOW, note } })).toMatchObject(
      {
        flaw: { kind: 'rolled_back' },
      },
    )
    const old = await verifyLog(entries, {
      ...about,
      witnessed: {
        witnesses,
        now: NOW + 9e9,
        freshMs: 1000,
        note: (await checkpointAt(20)) + (await one!.cosign(checkpoint, seconds(0))),
      },
    })
    expect(old).toMatchObject({ flaw: { kind: 'stale' } })
  })
})

describe('a log that is longer than its checkpoint', () => {
  it('row 79: reports the number of unsigned entries, and checks their chain', async () => {
    const about = { checkpoint: await checkpointAt(27), verifiers }
    expect(await verifyLog(entries, about)).toMatchObject({ checkpoint: { size: 27 }, beyond: 10 })
    expect(await verifyLog(entries.slice(0, 27), about)).toMatchObject({ beyond: 0 })
    const edited = (at: number) => entries.with(at, entries[at]!.replace('"test"', '"tost"'))
    expect(await verifyLog(edited(30), about)).toMatchObject({ flaw: { kind: 'edited', index: 30 } })
    // No hash covers the last entry, so the report counts it.
    expect(await verifyLog(edited(36), about)).toMatchObject({ beyond: 10 })
    expect(await openCheckpoint(about.checkpoint, verifiers)).toMatchObject({ size: 27 })
  })
})

describe('the filter by severity', () => {
  const notable = entries.flatMap((entry, index) => (isNotable(entry) ? [index] : []))

  it('row 79: is compared with the entries', () => {
    expect(notable).toEqual([0, 5, 10, 15, 20, 25, 30, 35])
    expect(compareFilter(notable, notable)).toBeNull()
    expect(compareFilter([], [])).toBeNull()
    const wrong: [number[], number][] = [
      [[], 0],
      [notable.slice(1), 0],
      [notable.toSpliced(3, 1), 15],
      [notable.slice(0, -1), 35],
      [notable.toSpliced(3, 0, 12), 12],
      [[...notable, 36], 36],
      [notable.with(2, 11), 10],
    ]
    for (const [shown, index] of wrong) {
      expect(compareFilter(notable, shown)).toMatchObject({ flaw: { kind: 'hidden', index } })
    }
  })
})
