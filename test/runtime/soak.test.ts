/** Many clients at once: the short form of `npm run soak`, which also looks at memory. */
import { describe, expect, it } from 'vitest'
import { isFlat } from '../load/memory.ts'
import { isHeldBack, KINDS } from '../load/mix.ts'
import { compare, soak } from '../load/soak.ts'
import { RUNTIMES } from './servers.ts'

const CLIENTS = 200
const SECONDS = 4

it.each(RUNTIMES)(
  `answers ${CLIENTS} clients as it should on %s, and records each answer once`,
  async (runtime) => {
    const { tally, log, seconds } = await soak(runtime, CLIENTS, SECONDS)
    expect(tally.wrong).toEqual([])
    expect(log).toEqual({ entries: expect.any(Number), lost: 0, duplicated: 0, flaw: null })
    // It would hold of nothing too.
    expect(KINDS.filter((kind) => tally.answers[kind] === 0)).toEqual([])
    expect(isHeldBack(tally, seconds)).toBe(true)
    expect(tally.recorded.length).toBeGreaterThan(CLIENTS)
  },
  120_000,
)

describe('the comparison of answers with the log', () => {
  const seen = (...requests: string[]) =>
    new Map(requests.map((request, i) => [i, { request, operation: 'secret.read', principal: 'c1' }]))
  const answer = (index: number, requestId: string, reads = 1) => ({ index, requestId, reads })

  it.each([
    [
      'nothing, when all is there',
      [answer(0, 'a'), answer(2, 'b', 2)],
      seen('a', 'b', 'b'),
      { lost: 0, duplicated: 0 },
    ],
    ['an entry that is not there', [answer(0, 'a'), answer(1, 'b')], seen('a'), { lost: 1, duplicated: 0 }],
    ['an entry of another request', [answer(0, 'b')], seen('a'), { lost: 1, duplicated: 1 }],
    ['an entry that is there twice', [answer(0, 'a')], seen('a', 'a'), { lost: 0, duplicated: 1 }],
    ['an entry that two answers name', [answer(0, 'a'), answer(0, 'a')], seen('a'), { lost: 0, duplicated: 1 }],
    ['an entry of a request that nobody was answered', [], seen('a'), { lost: 0, duplicated: 1 }],
  ])('finds %s', (_, recorded, log, expected) => {
    expect(compare(recorded, log)).toEqual(expected)
  })
})

describe('memory', () => {
  const at = (firstSlope: number, lastSlope: number) => ({
    startMib: 50,
    maxMib: 100,
    endMib: 100,
    firstSlope,
    lastSlope,
  })

  it('is at rest when it grew at first and then did not, or grows by little', () => {
    expect(isFlat(at(300, 90))).toBe(true)
    expect(isFlat(at(0, 9))).toBe(true)
    expect(isFlat(at(-50, -10))).toBe(true)
  })

  it('is not when it goes on as it began', () => {
    expect(isFlat(at(300, 299))).toBe(false)
    expect(isFlat(at(0, 20))).toBe(false)
  })
})
