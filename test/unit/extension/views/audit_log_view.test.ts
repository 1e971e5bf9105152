/** The view of the logs: what it keeps when looks overlap, and how long an alarm lasts. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PosternError } from '../../../../core/errors.ts'
import type { SignedInVault } from '../../../../extension/vaults/vaults.ts'
import { AuditLogView } from '../../../../extension/views/audit_log_view.ts'
import type { RememberedLog } from '../../../../extension/views/log_witness.ts'
import type { StatusBar } from '../../../../extension/views/status_bar.ts'
import { entries, logOf } from './log_fixture.ts'

const { commands, answers } = vi.hoisted(() => ({
  commands: new Map<string, () => unknown>(),
  answers: [] as string[],
}))
vi.mock('vscode', () => {
  const nothing = () => ({ dispose() {} })
  return {
    l10n: { t: (text: string) => text },
    EventEmitter: class {
      event = nothing
      fire() {}
    },
    window: {
      registerTreeDataProvider: nothing,
      onDidChangeWindowState: nothing,
      showErrorMessage: async () => undefined,
      showWarningMessage: async () => answers.shift(),
    },
    workspace: { getConfiguration: () => ({ inspect: () => undefined }) },
    commands: { registerCommand: (id: string, work: () => unknown) => void commands.set(id, work) },
    Disposable: { from: nothing },
    CancellationError: class {},
  }
})

/** The log that the server shows. A test may replace parts of it. */
let shown: ReturnType<typeof logOf>
let recorded: number
let kept: Map<string, RememberedLog>
let alarms: (string | null)[]
let view: AuditLogView

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  recorded = -1
  kept = new Map()
  alarms = []
  const network = {
    get recorded() {
      return recorded
    },
    set recorded(index) {
      recorded = index
    },
  }
  const vault = { id: 'acme', origin: 'https://secrets.example', network } as SignedInVault
  const globalState = {
    get: (key: string) => kept.get(key),
    async update(key: string, value?: RememberedLog) {
      if (value) kept.set(key, value)
      else kept.delete(key)
    },
  }
  const log = { info() {}, failed() {} }
  const vaults = {
    onDidChange: () => ({ dispose() {} }),
    all: async () => [vault],
    call: (_: SignedInVault, work: (client: unknown) => unknown) => work(shown),
  }
  const status = { alarm: (alarm: { message: string } | null) => void alarms.push(alarm?.message ?? null) }
  view = new AuditLogView({ globalState, vaults, log } as never, status as unknown as StatusBar)
})

afterEach(() => void vi.useRealTimers())

/** Advances the fake timers until the work is done. */
async function through(work: Promise<unknown>): Promise<void> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  while (!isDone) {
    await vi.advanceTimersByTimeAsync(10_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await done
}
const look = () => through(view.checkAll(0))
const sizeKept = () => Number([...kept.values()][0]?.note.split('\n')[1])

describe('the remembered log', () => {
  /** A look at an old state, held up at its checkpoint, and one at a newer state meanwhile. */
  async function overlap(meanwhile: () => Promise<unknown>): Promise<void> {
    const held = Promise.withResolvers<void>()
    const old = logOf(entries(5))
    shown = { ...old, checkpoint: () => held.promise.then(old.checkpoint) }
    const slow = view.checkAll(0)
    await vi.advanceTimersByTimeAsync(0)
    await meanwhile()
    held.resolve()
    await slow
  }

  it('is the latest of two looks, whichever ends first', async () => {
    shown = logOf(entries(3))
    await look()
    await overlap(async () => {
      shown = logOf(entries(9))
      await look()
    })
    expect(sizeKept()).toBe(9)
    shown = logOf(entries(12))
    await look()
    expect(sizeKept()).toBe(12)
  })

  it('does not come back once the user has had it forgotten', async () => {
    shown = logOf(entries(3))
    await look()
    await overlap(async () => kept.clear())
    expect(kept.size).toBe(0)
  })
})

describe('an alarm', () => {
  it('about a withheld log ends with the first look that finds the missing entries, also after a failed one', async () => {
    shown = logOf(entries(3))
    recorded = 5
    await look()
    expect(alarms).toEqual([expect.stringContaining('WITHHELD')])
    const down = async () => Promise.reject(new PosternError('unavailable', 'No'))
    shown = { ...shown, checkpoint: down }
    await look()
    expect(alarms).toHaveLength(1)
    shown = logOf(entries(6))
    await look()
    expect(alarms.slice(1)).toEqual([null])
    expect(sizeKept()).toBe(6)
  })

  it('about a log that shrank stays when it has grown again, until the user says otherwise', async () => {
    shown = logOf(entries(8))
    await look()
    shown = logOf(entries(7))
    await look()
    shown = logOf(entries(9))
    // Withheld meanwhile: that ends by itself, and does not take the other with it.
    recorded = 9
    await look()
    recorded = 8
    await look()
    expect(alarms).toEqual([expect.stringContaining('SHRANK'), expect.stringContaining('WITHHELD')])
    answers.push('Forget the Known Log')
    await through(Promise.resolve(commands.get('postern.trustLogAnew')!()))
    expect(alarms.slice(2)).toEqual([null])
    expect(sizeKept()).toBe(9)
  })
})
