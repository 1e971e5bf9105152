import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DAY_MS } from '../../../../../core/durations.ts'
import { addTo, type Freeze, nextDue, parsePeriod, thawed } from '../../../../../core/vault/rotation/schedule.ts'
import { refusalFrom } from '../../../../support/core.ts'

const at = (text: string) => Date.parse(text)

describe('parsePeriod', () => {
  it.each([
    [30, { months: 0, ms: 30 * DAY_MS }],
    ['P30D', { months: 0, ms: 30 * DAY_MS }],
    ['P2W', { months: 0, ms: 14 * DAY_MS }],
    ['P1Y6M', { months: 18, ms: 0 }],
    ['PT12H', { months: 0, ms: DAY_MS / 2 }],
    ['P1DT90M', { months: 0, ms: DAY_MS + 90 * 60_000 }],
  ])('reads %s', (text, expected) => {
    expect(parsePeriod(text)).toEqual(expected)
  })

  it.each([
    '',
    'P',
    'PT',
    'P1',
    '30D',
    'P-1D',
    'P1.5D',
    'P1DT',
    'PT59M',
    'P11Y',
    'p1d',
    ' P1D',
    'P1D ',
    'P99999D',
    'PT5S',
  ])('refuses "%s"', (text) => {
    expect(refusalFrom(() => parsePeriod(text))).toMatchObject({
      code: 'bad_request',
      detail: { field: 'rotateEvery' },
    })
  })

  it.each([0, -1, 3661, Number.NaN, Number.POSITIVE_INFINITY])('refuses %s days', (days) => {
    expect(refusalFrom(() => parsePeriod(days)).code).toBe('bad_request')
  })
})

describe('addTo', () => {
  it.each([
    ['2027-01-31T10:00:00Z', 'P1M', '2027-02-28T10:00:00Z'],
    ['2028-02-29T10:00:00Z', 'P1Y', '2029-02-28T10:00:00Z'],
    ['2027-11-30T23:59:59Z', 'P3M', '2028-02-29T23:59:59Z'],
    ['2027-03-15T00:00:00Z', 'P1M1D', '2027-04-16T00:00:00Z'],
  ])('%s and %s make %s', (start, period, end) => {
    expect(addTo(at(start), parsePeriod(period))).toBe(at(end))
  })
})

describe('thawed', () => {
  const weekend: Freeze = { days: [6, 7] }
  const nights: Freeze = { hours: { from: '22:00', to: '06:00' } }
  const office: Freeze = { days: [1, 2, 3, 4, 5], hours: { from: '08:00', to: '18:00' } }
  const christmas: Freeze = { from: at('2026-12-23T00:00:00Z'), to: at('2027-01-04T00:00:00Z') }

  // 2026-11-27 is a Friday.
  it.each([
    ['outside of all', [weekend, office], '2026-11-27T19:00:00Z', '2026-11-27T19:00:00Z'],
    ['in office hours', [office], '2026-11-27T09:30:00Z', '2026-11-27T18:00:00Z'],
    ['on a weekend', [weekend], '2026-11-28T03:00:00Z', '2026-11-30T00:00:00Z'],
    ['at night, before midnight', [nights], '2026-11-27T23:00:00Z', '2026-11-28T06:00:00Z'],
    ['at night, after midnight', [nights], '2026-11-27T05:59:59Z', '2026-11-27T06:00:00Z'],
    ['from one into the other', [nights, office], '2026-11-27T17:59:00Z', '2026-11-27T18:00:00Z'],
    ['through a weekend into a night', [weekend, nights], '2026-11-28T12:00:00Z', '2026-11-30T06:00:00Z'],
    ['over the year', [christmas], '2026-12-24T18:00:00Z', '2027-01-04T00:00:00Z'],
    // The night of Sunday continues into Monday, which is not named.
    ['after the midnight of its day', [{ days: [7], ...nights }], '2026-11-30T05:00:00Z', '2026-11-30T06:00:00Z'],
  ])('%s', (_, freeze, now, end) => {
    expect(new Date(thawed(freeze, at(now))!).toISOString()).toBe(new Date(end).toISOString())
  })

  it('finds no end for an endless freeze', () => {
    expect(thawed([{ days: [1, 2, 3, 4, 5, 6, 7] }], 0)).toBeNull()
    expect(thawed([{ hours: { from: '00:00', to: '12:00' } }, { hours: { from: '12:00', to: '00:00' } }], 0)).toBeNull()
  })

  it('is the first minute outside a freeze', () => {
    const minute = 60_000
    const clock = fc
      .integer({ min: 0, max: 47 })
      .map((half) => `${String(half >> 1).padStart(2, '0')}:${half % 2 ? '30' : '00'}`)
    const freeze = fc
      .record({ days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), from: clock, to: clock })
      .filter(({ from, to }) => from !== to)
      .map(({ days, from, to }): Freeze => ({ days, hours: { from, to } }))
    const holds = (all: Freeze[], moment: number) => thawed(all, moment) !== moment
    fc.assert(
      fc.property(fc.array(freeze, { maxLength: 3 }), fc.integer({ min: 0, max: 20_000 }), (all, n) => {
        const start = n * 30 * minute
        const end = thawed(all, start)
        if (end === null) return
        expect(holds(all, end)).toBe(false)
        for (let moment = start; moment < end; moment += 30 * minute) expect(holds(all, moment)).toBe(true)
      }),
    )
  })
})

describe('nextDue', () => {
  const schedule = { rotateEvery: 'P1D', jitterSeconds: 3600, freeze: [] }

  it('is one period later, plus up to the jitter', () => {
    expect(nextDue(schedule, 0, 0)).toBe(DAY_MS)
    expect(nextDue(schedule, 0, 0.5)).toBe(DAY_MS + 1_800_000)
    expect(nextDue({ ...schedule, rotateEvery: null }, 0, 0)).toBeNull()
  })

  it('is postponed to the end of a freeze', () => {
    expect(nextDue({ ...schedule, freeze: [{ from: DAY_MS - 1, to: 5 * DAY_MS }] }, 0, 0)).toBe(5 * DAY_MS)
  })
})
