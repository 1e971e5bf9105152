/**
 * Checks input against a shape.
 *
 * @module
 */
import type * as z from 'zod/mini'
import type { $ZodIssue } from 'zod/v4/core'
import { badRequest } from '../errors.ts'
import { cleanse } from '../sanitize.ts'
import { ruleOf } from './rule_words.ts'

/** Messages for rules without their own. */
const WORDS = { error: ruleOf }

/**
 * Checks a part of a request against its shape.
 *
 * @param root The name to report when the whole part is wrong: `body`, `query` or `headers`.
 * @throws {PosternError} `bad_request`, naming the first wrong field and the rule it breaks, but never the value.
 */
export function check<T extends z.ZodMiniType>(schema: T, input: unknown, root = 'body'): z.output<T> {
  const result = schema.safeParse(input, WORDS)
  if (result.success) return result.data
  const found = result.error.issues.map((issue) => closest(issue))
  const [issue] = found
  // A misspelt name leaves its field missing, and the misspelling is what helps.
  const stray = found.find(({ code }) => code === 'unrecognized_keys')
  const message = issue === undefined ? 'Is invalid' : messageOf(issue)
  const hint = stray === undefined || stray === issue ? '' : `. ${messageOf(stray)}`
  throw badRequest(fieldOf(issue?.path ?? []) || root, message + hint)
}

/**
 * Names an unknown field or parameter, unless its name could be a value that slipped into that place.
 *
 * @param name Hostile input.
 */
export function unknown(what: 'field' | 'parameter', name: string): string {
  const isName = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(name) && name.replace(/[^0-9]/g, '').length <= 4
  return isName && cleanse(name) === name ? `Unknown ${what}: ${name}` : `Unknown ${what}`
}

function messageOf(issue: $ZodIssue): string {
  return issue.code === 'unrecognized_keys' ? unknown('field', issue.keys[0] ?? '') : issue.message
}

/** The place of a field: `members.0.provider`. */
function fieldOf(path: readonly PropertyKey[]): string {
  // The client chooses the names below these.
  const own = path.findIndex((name) => name === 'tags' || name === 'claims' || name === 'names')
  const names = own < 0 ? path : path.slice(0, own + 1)
  return names.filter((name) => typeof name === 'number' || /^[A-Za-z-]{1,32}$/.test(String(name))).join('.')
}

/** The issue of the alternative that the input comes nearest to, for a field with several shapes. */
function closest(issue: $ZodIssue): $ZodIssue {
  // A name that the client chose breaks a rule of its own.
  if (issue.code === 'invalid_key') return { ...(issue.issues[0] ?? issue), path: issue.path }
  if (issue.code !== 'invalid_union') return issue
  // An alternative of another type says nothing about the input.
  const near = issue.errors.flatMap((issues) => (issues.some(isOtherType) ? [] : [issues]))
  const [first] = near.toSorted((a, b) => a.length - b.length)[0] ?? []
  return first === undefined ? issue : closest({ ...first, path: [...issue.path, ...first.path] })
}

function isOtherType({ code, path }: $ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')
}
