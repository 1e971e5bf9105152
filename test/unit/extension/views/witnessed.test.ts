/** Witnesses that the user demands for a log, in the editor. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { HOUR_MS } from '../../../../core/durations.ts'
import { PosternError } from '../../../../core/errors.ts'
import { parseWitnessKeys } from '../../../../core/tlog/cosignature.ts'
import { demandedWitnesses } from '../../../../extension/settings.ts'
import { AuditLogView } from '../../../../extension/views/audit_log_view.ts'
import { checkLog, checkWitnesses } from '../../../../extension/views/log_witness.ts'
import type { StatusBar } from '../../../../extension/views/status_bar.ts'
import { witnessOf } from '../../../support/note_keys.ts'
import { editor } from '../stub_editor.ts'
import { entries, logOf, stranger } from './log_fixture.ts'

vi.mock('vscode', async () => {
  const { api } = await import('../stub_editor.ts')
  const nothing = () => ({ dispose() {} })
  const window = { ...api.window, registerTreeDataProvider: nothing, onDidChangeWindowState: nothing }
  return { ...api, window, ThemeIcon: class {}, TreeItem: class {} }
})

const NOW = Date.now()
const [one, two] = await Promise.all(['w.example/1', 'w.example/2'].map(witnessOf))
const keys = [one!.key, two!.key]

/** A log whose checkpoint of some entries was cosigned by witnesses, some time ago. */
function cosigned(all: string[], size: number, by = [one!, two!], { agoMs = 0, others = all } = {}) {
  const shown = logOf(all)
  return {
    ...shown,
    async checkpoint({ cosigned = false } = {}) {
      if (!cosigned) return shown.checkpoint()
      if (by.length === 0) throw new PosternError('not_found', 'None')
      const note = await logOf(others.slice(0, size)).checkpoint()
      const lines = await Promise.all(by.map((each) => each.cosign(note, Math.floor((NOW - agoMs) / 1000))))
      return note + lines.join('')
    },
  }
}

async function look(log: ReturnType<typeof cosigned>, more: { quorum?: number; freshMs?: number } = {}) {
  const seen = await checkLog(log, null, null)
  if ('flaw' in seen) throw new Error('The log itself is whole')
  return checkWitnesses(log, seen, { witnesses: await parseWitnessKeys(keys), now: NOW, ...more })
}

describe('a log', () => {
  it('row 78: is whole when it extends the checkpoint that enough witnesses cosigned', async () => {
    for (const size of [0, 1, 5, 8])
      expect(await look(cosigned(entries(8), size))).toMatchObject({ checkpoint: { size: 8 } })
    expect(await look(cosigned(entries(8), 5, [two!]), { quorum: 1 })).toMatchObject({ checkpoint: { size: 8 } })
  })

  it('row 78: is not witnessed with too few cosignatures, or with none', async () => {
    expect(await look(cosigned(entries(8), 5, [one!]))).toEqual({ flaw: 'unwitnessed', before: 2, now: 1 })
    expect(await look(cosigned(entries(8), 5, [one!, one!]))).toEqual({ flaw: 'unwitnessed', before: 2, now: 1 })
    expect(await look(cosigned(entries(8), 5, []))).toEqual({ flaw: 'unwitnessed', before: 2, now: 0 })
    const unknown = await witnessOf('w.example/3')
    expect(await look(cosigned(entries(8), 5, [unknown]))).toMatchObject({ flaw: 'unwitnessed' })
  })

  it('row 78: is stale when its witnesses were asked too long ago', async () => {
    const log = cosigned(entries(8), 5, [one!, two!], { agoMs: 2 * HOUR_MS })
    expect(await look(log, { freshMs: HOUR_MS })).toMatchObject({ flaw: 'stale' })
    expect(await look(log, { freshMs: 3 * HOUR_MS })).toMatchObject({ checkpoint: { size: 8 } })
  })

  it('row 78: is forked when witnesses cosigned another, though both are signed by its key', async () => {
    const others = [...entries(4), 'rewritten', ...entries(8)]
    for (const size of [5, 8])
      expect(await look(cosigned(entries(8), size, [one!, two!], { others }))).toMatchObject({ flaw: 'forked' })
    // Longer than what is shown, and no continuation of it.
    expect(await look(cosigned(entries(8), 10, [one!, two!], { others }))).toMatchObject({ flaw: 'forked' })
  })

  it('is refused with a cosigned checkpoint that the key of the log did not sign', async () => {
    const log = cosigned(entries(8), 5)
    const checkpoint = ({ cosigned = false } = {}) =>
      cosigned ? logOf(entries(5), stranger).checkpoint() : log.checkpoint()
    expect(await look({ ...log, checkpoint })).toMatchObject({ flaw: 'signature' })
  })

  it('is not called unwitnessed while its server is down', async () => {
    const log = cosigned(entries(8), 5)
    const checkpoint = async ({ cosigned = false } = {}) => {
      if (cosigned) throw new PosternError('unavailable', 'No')
      return log.checkpoint()
    }
    await expect(look({ ...log, checkpoint })).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('the setting', () => {
  const ORIGIN = 'https://one.example'
  const set = (value: unknown) => editor.settings.set('postern.witnesses', value)
  const demanded = (id = 'acme') => demandedWitnesses({ origin: ORIGIN, id })

  beforeEach(() => editor.reset())

  it('is of a server, or of one of its vaults', () => {
    expect(demanded()).toBeNull()
    set({ [ORIGIN]: { keys: [one!.key] }, [`${ORIGIN}/beta/`]: { keys, quorum: 1, freshHours: 0.5 } })
    expect(demanded()).toEqual({ keys: [one!.key] })
    expect(demanded('beta')).toEqual({ keys, quorum: 1, freshMs: HOUR_MS / 2 })
    expect(demandedWitnesses({ origin: 'https://other.example', id: 'acme' })).toBeNull()
  })

  it.each([
    ['no keys', {}],
    ['an empty list of keys', { keys: [] }],
    ['a key that is not text', { keys: [7] }],
    ['a quorum of none', { keys, quorum: 0 }],
    ['a quorum larger than the keys', { keys, quorum: 3 }],
    ['a part of a quorum', { keys, quorum: 1.5 }],
    ['no time', { keys, freshHours: 0 }],
    ['a time in words', { keys, freshHours: '1h' }],
    ['no object', 'keys'],
  ])('row 78: with %s is refused, and does not count as none', (_, value) => {
    set({ [ORIGIN]: value })
    expect(() => demanded()).toThrow('bad_witnesses')
  })

  it('row 78: raises an alarm that ends when the witnesses are back, and reports a malformed key once', async () => {
    const kept = new Map<string, unknown>()
    const alarms: (string | undefined)[] = []
    let log = cosigned(entries(8), 5, [])
    const services = {
      globalState: {
        get: (key: string) => kept.get(key),
        update: async (key: string, value: unknown) => void kept.set(key, value),
      },
      log: { info() {}, failed() {} },
      vaults: {
        onDidChange: () => ({ dispose() {} }),
        all: async () => [{ id: 'acme', origin: ORIGIN, network: { recorded: -1 } }],
        call: async (_: unknown, work: (client: unknown) => unknown) => work(log),
      },
    } as never
    const alarm = (one: { message: string } | null) => void alarms.push(one?.message)
    const view = new AuditLogView(services, { alarm } as unknown as StatusBar)
    set({ [ORIGIN]: { keys: ['not a key'] } })
    await view.checkAll(0)
    await view.checkAll(0)
    expect(editor.complaints).toEqual([expect.stringContaining(`postern.witnesses is invalid for "${ORIGIN}/acme"`)])
    expect([alarms, kept.size]).toEqual([[], 0])
    set({ [ORIGIN]: { keys } })
    await view.checkAll(0)
    expect(alarms).toEqual([
      expect.stringContaining('you require 2 cosignatures, and its newest cosigned checkpoint has 0'),
    ])
    expect(kept.size).toBe(0)
    log = cosigned(entries(9), 9)
    await view.checkAll(0)
    expect(alarms.slice(1)).toEqual([undefined])
    expect(kept.size).toBe(1)
  })
})
