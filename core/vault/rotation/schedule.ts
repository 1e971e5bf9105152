/**
 * Schedules of rotations: a period, jitter, and windows without changes. Pure; all times are UTC.
 *
 * @module
 */

import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../durations.ts'
import { badRequest } from '../../errors.ts'

/** A length of time as ISO 8601 writes it: months have the lengths that the calendar gives them. */
export interface Duration {
  months: number
  ms: number
}

/** A time in which no rotation begins: hours of some days of the week, or from one moment to another. */
export type Freeze =
  | { days?: readonly number[] | undefined; hours: { from: string; to: string } }
  | { days: readonly number[] }
  | { from: number; to: number }

/** How often, and when not. */
export interface Schedule {
  /** Days, or an ISO 8601 duration; `null`: by hand only. */
  rotateEvery: number | string | null
  /**
   * The most seconds by which a rotation is delayed, drawn at random each time, so that not all secrets of a vault
   * rotate together.
   */
  jitterSeconds: number
  freeze: readonly Freeze[]
}

/** The shortest and longest period. */
const MIN_MS = HOUR_MS
const MAX_MS = 3660 * DAY_MS
/** How far ahead an end of the freezes is looked for. */
const HORIZON_MS = 400 * DAY_MS

const DURATION =
  /^P(?=[0-9T])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,4})D)?(?:T(?=[0-9])(?:([0-9]{1,5})H)?(?:([0-9]{1,5})M)?)?$/

/**
 * Parses how often a secret rotates: a whole number of days, or an ISO 8601 duration such as `P30D`, `P3M` or `PT12H`.
 *
 * @throws {PosternError} `bad_request`
 */
export function parsePeriod(input: number | string, field = 'rotateEvery'): Duration {
  const duration = typeof input === 'number' ? { months: 0, ms: input * DAY_MS } : durationOf(input)
  const ms = duration === null ? Number.NaN : addTo(0, duration)
  if (duration === null || !Number.isSafeInteger(ms) || ms < MIN_MS || ms > MAX_MS) {
    throw badRequest(field, 'Must be days, or an ISO 8601 duration such as P30D, from one hour to ten years')
  }
  return duration
}

/** The moment a duration after another: months by the calendar, and no further than the end of a month. */
export function addTo(start: number, { months, ms }: Duration): number {
  const date = new Date(start)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime() + ms
}

/**
 * When a secret is due next: a period after `last`, and some of the jitter; not in a freeze.
 *
 * @param chance From 0 up to 1: how much of the jitter.
 * @returns `null` when it rotates by hand only.
 */
export function nextDue({ rotateEvery, jitterSeconds, freeze }: Schedule, last: number, chance: number): number | null {
  if (rotateEvery === null) return null
  const due = addTo(last, parsePeriod(rotateEvery)) + Math.floor(chance * jitterSeconds * 1000)
  return thawed(freeze, due) ?? due
}

/** The first moment from `at` on that is in no freeze; `null` when there is none within 400 days. */
export function thawed(freeze: readonly Freeze[], at: number): number | null {
  let moment = at
  while (moment < at + HORIZON_MS) {
    const until = freeze.map((one) => endOf(one, moment)).find((end) => end !== null)
    if (until === undefined) return moment
    moment = until
  }
  return null
}

/** When the freeze that holds at a moment ends, or the next midnight before that; `null` when it does not hold. */
function endOf(freeze: Freeze, moment: number): number | null {
  if ('from' in freeze) return freeze.from <= moment && moment < freeze.to ? freeze.to : null
  const midnight = Math.floor(moment / DAY_MS) * DAY_MS
  const weekday = new Date(moment).getUTCDay() || 7
  const onDay = (day: number) => freeze.days === undefined || freeze.days.includes(day)
  if (!('hours' in freeze)) return onDay(weekday) ? midnight + DAY_MS : null
  const [from, to] = [clock(freeze.hours.from), clock(freeze.hours.to)]
  const time = moment - midnight
  if (from < to) return onDay(weekday) && from <= time && time < to ? midnight + to : null
  // Over midnight it belongs to the day on which it begins.
  if (onDay(weekday) && time >= from) return midnight + DAY_MS + to
  return onDay(weekday === 1 ? 7 : weekday - 1) && time < to ? midnight + to : null
}

function durationOf(text: string): Duration | null {
  const match = DURATION.exec(text)
  if (match === null) return null
  const [years, months, weeks, days, hours, minutes] = match.slice(1).map((digits) => Number(digits ?? 0))
  return {
    months: years! * 12 + months!,
    ms: (weeks! * 7 + days!) * DAY_MS + hours! * HOUR_MS + minutes! * MINUTE_MS,
  }
}

function clock(text: string): number {
  return Number(text.slice(0, 2)) * HOUR_MS + Number(text.slice(3)) * MINUTE_MS
}
