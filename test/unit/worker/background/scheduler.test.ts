import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Desk, type Duty, Upkeep } from '../../../../worker/background/scheduler.ts'

const desk = { vault: 'v' } as Desk

/** A duty that notes its runs and answers as it is told. */
function dutyOf(name: string, afterWriteMs: number | null, answer: () => Promise<number | null>) {
  const ran: number[] = []
  const duty: Duty = {
    name,
    afterWriteMs,
    run: () => {
      ran.push(Date.now())
      return answer()
    },
  }
  return { duty, ran }
}

/** An upkeep, and the times at which it asked to be woken. Its duties wait for each other. */
function upkeepOf(...duties: Duty[]) {
  return inLanes([duties])
}

function inLanes(lanes: Duty[][]) {
  const woken: number[] = []
  return { upkeep: new Upkeep(desk, lanes, (at) => woken.push(at)), woken }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('an upkeep', () => {
  it('does everything at its first run, and then what is due', async () => {
    const hourly = dutyOf('hourly', null, async () => Date.now() + 3_600_000)
    const once = dutyOf('once', null, async () => null)
    const { upkeep, woken } = upkeepOf(hourly.duty, once.duty)
    await upkeep.run(Date.now())
    expect([hourly.ran.length, once.ran.length, woken.at(-1)]).toEqual([1, 1, 4_600_000])
    await upkeep.run(Date.now())
    expect([hourly.ran.length, once.ran.length]).toEqual([1, 1])
    vi.setSystemTime(4_600_000)
    await upkeep.run(Date.now())
    expect([hourly.ran.length, once.ran.length]).toEqual([2, 1])
  })

  it('runs a duty soon after a write, once for many, and asks to be woken once', async () => {
    const ship = dutyOf('ship', 5000, async () => null)
    const { upkeep, woken } = upkeepOf(ship.duty)
    await upkeep.run(Date.now())
    upkeep.stir(Date.now())
    upkeep.stir(Date.now() + 10)
    expect(woken.filter((at) => at === 1_005_000)).toHaveLength(1)
    await upkeep.run(1_005_000)
    expect(ship.ran).toHaveLength(2)
  })

  it('does not forget what was written while the duty ran', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const ship = dutyOf('ship', 5000, () => promise.then(() => null))
    const { upkeep, woken } = upkeepOf(ship.duty)
    const running = upkeep.run(Date.now())
    await Promise.resolve()
    upkeep.stir(Date.now())
    resolve()
    await running
    expect(woken.at(-1)).toBe(1_005_000)
    await upkeep.run(1_005_000)
    expect(ship.ran).toHaveLength(2)
  })

  it('tries what failed again, later and later, tells of it without its message, and goes on with the rest', async () => {
    const lines = vi.spyOn(console, 'error').mockImplementation(() => {})
    const broken = dutyOf('broken', null, async () => {
      throw new Error('connect to https://user:canary@host failed')
    })
    const sound = dutyOf('sound', null, async () => null)
    const { upkeep, woken } = upkeepOf(broken.duty, sound.duty)
    for (let i = 0; i < 12; i++) {
      await upkeep.run(woken.at(-1) ?? Date.now())
      const wait = woken.at(-1)! - Date.now()
      expect(wait).toBeGreaterThanOrEqual(1000)
      expect(wait).toBeLessThanOrEqual(1000 + Math.min(300_000, 1000 * 2 ** (i + 1)))
    }
    expect(broken.ran).toHaveLength(12)
    expect(sound.ran).toHaveLength(1)
    const said = lines.mock.calls.join('\n')
    expect(said).toContain('"duty":"broken","failures":12')
    expect(said).not.toContain('canary')
  })

  it('does not try what fails sooner because something was written', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const broken = dutyOf('broken', 1000, async () => {
      throw new Error('down')
    })
    const { upkeep, woken } = upkeepOf(broken.duty)
    for (let i = 0; i < 12; i++) await upkeep.run(woken.at(-1) ?? Date.now())
    const pause = woken.at(-1)!
    upkeep.stir(Date.now())
    expect(woken.at(-1)).toBe(pause)
    await upkeep.run(pause)
    expect(broken.ran).toHaveLength(13)
  })

  it('runs once at a time', async () => {
    let running = 0
    let most = 0
    const slow = dutyOf('slow', 0, async () => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      return Date.now()
    })
    const { upkeep } = upkeepOf(slow.duty)
    await Promise.all([upkeep.run(Date.now()), upkeep.run(Date.now()), upkeep.run(Date.now())])
    expect(most).toBe(1)
  })

  it('lets what asks nobody slow go on, and is woken though it may end in the middle', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = dutyOf('slow', 0, () => promise.then(() => null))
    const behind = dutyOf('behind', 0, async () => null)
    const quick = dutyOf('quick', 5000, async () => null)
    const { upkeep, woken } = inLanes([[slow.duty, behind.duty], [quick.duty]])
    const first = upkeep.run(Date.now())
    await vi.advanceTimersByTimeAsync(0)
    expect([slow.ran.length, behind.ran.length, quick.ran.length]).toEqual([1, 0, 1])
    expect(woken.at(-1)).toBe(1_060_000)
    upkeep.stir(Date.now())
    expect(woken.at(-1)).toBe(1_005_000)
    const second = upkeep.run(1_005_000)
    await vi.advanceTimersByTimeAsync(0)
    expect([slow.ran.length, behind.ran.length, quick.ran.length]).toEqual([1, 0, 2])
    resolve()
    await Promise.all([first, second])
    expect([slow.ran.length, behind.ran.length]).toEqual([1, 1])
    // What was written meanwhile is due, and nothing watches over it any more.
    expect(woken.at(-1)).toBe(1_000_000)
  })

  it('rests when there is nothing to do', async () => {
    const { upkeep, woken } = upkeepOf(dutyOf('once', 1000, async () => null).duty)
    await upkeep.run(Date.now())
    const before = woken.length
    await upkeep.run(Date.now() + 60_000)
    expect(woken).toHaveLength(before)
  })
})
