/**
 * The rules of shapes, in words: what a field must be, for a client that sent something else.
 *
 * @module
 */
import type { $ZodRawIssue } from 'zod/v4/core'

/** What a value of a type is called. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

/** What a text of a format is called. */
const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'a time in ISO 8601, such as 2026-01-31T12:00:00Z',
  date: 'a date, such as 2026-01-31',
  url: 'a URL',
  uuid: 'a UUID',
  base64: 'base64',
}

/** What sizes are counted in. Numbers have none. */
const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'items', set: 'items', map: 'entries' }

/** How a missing field fails. */
const MISSING: readonly string[] = ['invalid_type', 'invalid_value', 'invalid_union']

/** Says which rule an input breaks, without any part of the input. */
export function ruleOf(issue: $ZodRawIssue): string {
  const isOptions = issue.code === 'invalid_union' && Array.isArray(issue.options)
  if (issue.input === undefined && !isOptions && MISSING.includes(issue.code)) return 'Is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `Must be ${KINDS[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `Must be ${either(issue.values.map(String))}`
    case 'too_big':
      return limit(issue, issue.exact ? 'exactly' : 'at most', issue.maximum)
    case 'too_small':
      if (UNITS[issue.origin] !== undefined && issue.minimum === 1 && !issue.exact) return 'Must not be empty'
      return limit(issue, issue.exact ? 'exactly' : 'at least', issue.minimum)
    case 'not_multiple_of':
      return `Must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return FORMATS[issue.format] === undefined ? 'Has the wrong format' : `Must be ${FORMATS[issue.format]}`
    case 'invalid_key':
      return `Has a key that is not allowed. Each key: ${issue.issues[0]?.message ?? 'Is invalid'}`
    case 'invalid_union':
      return Array.isArray(issue.options) ? `Must be ${either(issue.options.map(String))}` : alternatives(issue.errors)
    default:
      return 'Is invalid'
  }
}

function limit({ origin }: { origin: string }, bound: string, size: number | bigint): string {
  const unit = UNITS[origin]
  return unit === undefined ? `Must be ${bound} ${size}` : `Must have ${bound} ${size} ${unit}`
}

/** The rules of all alternatives: each is of another type than the input. */
function alternatives(errors: readonly (readonly { message: string }[])[]): string {
  const rules = errors.flatMap(([first]) => first?.message ?? [])
  const wanted = rules.flatMap((rule) => (rule.startsWith('Must be ') ? rule.slice('Must be '.length) : []))
  return wanted.length === 0 ? 'Is invalid' : `Must be ${either([...new Set(wanted)])}`
}

function either(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
