import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Job, Scheduler } from '../../../../worker/background/scheduler.ts'
import type { VaultServices } from '../../../../worker/vault_services.ts'

const services = { vault: 'v' } as VaultServices

/** A job that records its runs. */
function jobOf(name: string, afterWriteMs: number | null, answer: () => Promise<number | null>) {
  const ran: number[] = []
  const job: Job = {
    name,
    afterWriteMs,
    run: () => {
      ran.push(Date.now())
      return answer()
    },
  }
  return { job, ran }
}

/** A scheduler, and the times that it scheduled. Its jobs wait for each other. */
function schedulerOf(...jobs: Job[]) {
  return inQueues([jobs])
}

function inQueues(queues: Job[][]) {
  const woken: number[] = []
  return { scheduler: new Scheduler(services, queues, (at) => woken.push(at)), woken }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a scheduler', () => {
  it('does everything at its first run, and then what is due', async () => {
    const hourly = jobOf('hourly', null, async () => Date.now() + 3_600_000)
    const once = jobOf('once', null, async () => null)
    const { scheduler, woken } = schedulerOf(hourly.job, once.job)
    await scheduler.run(Date.now())
    expect([hourly.ran.length, once.ran.length, woken.at(-1)]).toEqual([1, 1, 4_600_000])
    await scheduler.run(Date.now())
    expect([hourly.ran.length, once.ran.length]).toEqual([1, 1])
    vi.setSystemTime(4_600_000)
    await scheduler.run(Date.now())
    expect([hourly.ran.length, once.ran.length]).toEqual([2, 1])
  })

  it('runs a job soon after a write, once for many, and asks to be woken once', async () => {
    const ship = jobOf('ship', 5000, async () => null)
    const { scheduler, woken } = schedulerOf(ship.job)
    await scheduler.run(Date.now())
    scheduler.notifyWrite(Date.now())
    scheduler.notifyWrite(Date.now() + 10)
    expect(woken.filter((at) => at === 1_005_000)).toHaveLength(1)
    await scheduler.run(1_005_000)
    expect(ship.ran).toHaveLength(2)
  })

  it('does not forget what was written while the job ran', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const ship = jobOf('ship', 5000, () => promise.then(() => null))
    const { scheduler, woken } = schedulerOf(ship.job)
    const running = scheduler.run(Date.now())
    await Promise.resolve()
    scheduler.notifyWrite(Date.now())
    resolve()
    await running
    expect(woken.at(-1)).toBe(1_005_000)
    await scheduler.run(1_005_000)
    expect(ship.ran).toHaveLength(2)
  })

  it('retries failed jobs with growing delays, reports them without their message, and keeps running the others', async () => {
    const lines = vi.spyOn(console, 'error').mockImplementation(() => {})
    const broken = jobOf('broken', null, async () => {
      throw new Error('connect to https://user:canary@host failed')
    })
    const sound = jobOf('sound', null, async () => null)
    const { scheduler, woken } = schedulerOf(broken.job, sound.job)
    for (let i = 0; i < 12; i++) {
      await scheduler.run(woken.at(-1) ?? Date.now())
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
    const broken = jobOf('broken', 1000, async () => {
      throw new Error('down')
    })
    const { scheduler, woken } = schedulerOf(broken.job)
    for (let i = 0; i < 12; i++) await scheduler.run(woken.at(-1) ?? Date.now())
    const pause = woken.at(-1)!
    scheduler.notifyWrite(Date.now())
    expect(woken.at(-1)).toBe(pause)
    await scheduler.run(pause)
    expect(broken.ran).toHaveLength(13)
  })

  it('runs once at a time', async () => {
    let running = 0
    let most = 0
    const slow = jobOf('slow', 0, async () => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      return Date.now()
    })
    const { scheduler } = schedulerOf(slow.job)
    await Promise.all([scheduler.run(Date.now()), scheduler.run(Date.now()), scheduler.run(Date.now())])
    expect(most).toBe(1)
  })

  it('keeps local jobs running, and wakes up although it may end in the middle', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = jobOf('slow', 0, () => promise.then(() => null))
    const behind = jobOf('behind', 0, async () => null)
    const quick = jobOf('quick', 5000, async () => null)
    const { scheduler, woken } = inQueues([[slow.job, behind.job], [quick.job]])
    const first = scheduler.run(Date.now())
    await vi.advanceTimersByTimeAsync(0)
    expect([slow.ran.length, behind.ran.length, quick.ran.length]).toEqual([1, 0, 1])
    expect(woken.at(-1)).toBe(1_060_000)
    scheduler.notifyWrite(Date.now())
    expect(woken.at(-1)).toBe(1_005_000)
    const second = scheduler.run(1_005_000)
    await vi.advanceTimersByTimeAsync(0)
    expect([slow.ran.length, behind.ran.length, quick.ran.length]).toEqual([1, 0, 2])
    resolve()
    await Promise.all([first, second])
    expect([slow.ran.length, behind.ran.length]).toEqual([1, 1])
    // A write in the meantime is due, and nothing watches over it any more.
    expect(woken.at(-1)).toBe(1_000_000)
  })

  it('rests when there is nothing to do', async () => {
    const { scheduler, woken } = schedulerOf(jobOf('once', 1000, async () => null).job)
    await scheduler.run(Date.now())
    const before = woken.length
    await scheduler.run(Date.now() + 60_000)
    expect(woken).toHaveLength(before)
  })
})
