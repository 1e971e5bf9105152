/** Many clients at once: the short form of `npx node test/perf/load/run.ts`, which also looks at memory. */
import { describe, expect, it } from 'vitest'
import { isFlat } from '../../perf/load/memory.ts'
import { isHeldBack, isServed, KINDS, newTally, note } from '../../perf/load/mix.ts'
import { compare, soak } from '../../perf/load/soak.ts'
import { RUNTIMES } from './servers.ts'

const CLIENTS = 200
const SECONDS = 4

it.each(RUNTIMES)(
  `answers ${CLIENTS} clients as it should on %s, and records each answer once`,
  async (runtime) => {
    const { tally, log, seconds } = await soak(runtime, CLIENTS, SECONDS)
    expect(tally.wrong).toEqual([])
    expect(log).toEqual({
      entries: expect.any(Number),
      lost: 0,
      duplicated: 0,
      unanswered: expect.any(Number),
      flaw: null,
    })
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
    ['an entry more than an answer says', [answer(0, 'a', 2)], seen('a', 'a', 'a'), { lost: 0, duplicated: 1 }],
    ['a missing entry', [answer(0, 'a'), answer(1, 'b')], seen('a'), { lost: 1, duplicated: 0 }],
    ['an entry of another request', [answer(0, 'b')], seen('a'), { lost: 1, duplicated: 1 }],
    ['a duplicated entry', [answer(0, 'a')], seen('a', 'a'), { lost: 0, duplicated: 1 }],
    ['an entry that two answers name', [answer(0, 'a'), answer(0, 'a')], seen('a'), { lost: 0, duplicated: 1 }],
    ['an entry of a request without an answer', [], seen('a'), { lost: 0, duplicated: 1 }],
  ])('finds %s', (_, recorded, log, expected) => {
    expect(compare(recorded, [], log)).toEqual({ ...expected, unanswered: 0 })
  })

  it('distinguishes entries of late requests from duplicated entries', () => {
    const late = [
      { requestId: 'a', reads: 1 },
      { requestId: 'b', reads: 2 },
      { requestId: 'none', reads: 1 },
    ]
    const log = seen('a', 'b', 'b', 'c')
    expect(compare([answer(3, 'c')], late, log)).toEqual({ lost: 0, duplicated: 0, unanswered: 3 })
    // One more than it can have made, and one without a request.
    expect(compare([], late, seen('a', 'a', 'd'))).toEqual({ lost: 0, duplicated: 2, unanswered: 1 })
  })

  it('leaves out what is by others, and what has no principal', () => {
    const by = (principal: string | null) => new Map([[0, { request: 'a', operation: 'secret.read', principal }]])
    expect(['admin', null, 'c', 'c1x', 'hasty2'].map((one) => compare([], [], by(one)).duplicated)).toEqual([
      0, 0, 0, 0, 0,
    ])
    expect(['c7', 'hasty'].map((one) => compare([], [], by(one)).duplicated)).toEqual([1, 1])
  })
})

describe('the count of answers', () => {
  const answered = (status: number, reason?: string) => ({
    ...{ status, requestId: 'a', auditIndex: status === 201 ? 7 : null },
    body: { code: 'unavailable', ...(reason && { reason }) },
  })
  const step = { kind: 'write', statuses: [201] } as const

  it('takes a late one for neither right nor wrong, and any other 503 for wrong', () => {
    const tally = newTally()
    note(tally, step, answered(503, 'late'), 1)
    expect(tally).toMatchObject({
      answers: { write: 1 },
      late: [{ requestId: 'a', reads: 1 }],
      wrong: [],
      recorded: [],
    })
    for (const reason of [undefined, 'overloaded', 'storage']) note(tally, step, answered(503, reason), 1)
    expect(tally.late).toHaveLength(1)
    expect(tally.wrong).toEqual([
      'write: 503 unavailable ',
      'write: 503 unavailable overloaded',
      'write: 503 unavailable storage',
    ])
  })

  it('notes the entry that an answer names, and twice as many for a hydration', () => {
    const tally = newTally()
    note(tally, step, answered(201), 1)
    note(tally, { kind: 'hydrate', statuses: [201] }, answered(201), 1)
    expect(tally.recorded).toEqual([
      { index: 7, requestId: 'a', reads: 1 },
      { index: 7, requestId: 'a', reads: 2 },
    ])
    note(tally, { ...step, check: () => false }, answered(201), 1)
    expect(tally.wrong).toEqual(['write: another answer'])
  })

  it('calls clients served while no more than one in a hundred was late', () => {
    const servedOf = (others: number) => {
      const tally = newTally()
      tally.answers.read = others
      note(tally, step, answered(503, 'late'), 1)
      return isServed(tally)
    }
    expect([98, 99, 199].map(servedOf)).toEqual([false, true, true])
  })

  it('holds the hasty back to what their limit allows', () => {
    const tally = { ...newTally(), throttled: 100 }
    tally.answers.hasty = 100 + 12 * 3
    expect(isHeldBack(tally, 2)).toBe(true)
    tally.answers.hasty++
    expect(isHeldBack(tally, 2)).toBe(false)
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

  it('is not flat when it keeps growing', () => {
    expect(isFlat(at(300, 299))).toBe(false)
    expect(isFlat(at(0, 20))).toBe(false)
  })
})
