/**
 * Patterns over the names of secrets, and globs over other texts.
 *
 * @module
 */

/**
 * Whether a pattern covers a name, in one pass over both. `team/*` covers `team/a` but neither `team`, `Team/a`,
 * `team2` nor `team/a/b`; `team/**` also covers `team/a/b`; `**` covers all names.
 */
export function covers(pattern: string, name: string): boolean {
  return fits(pattern, name, (segment, actual) => segment === actual)
}

/**
 * Whether a pattern covers a name when ASCII letters of either case are equal: for what restricts, so that a slip of case
 * in a pattern or in a name opens nothing.
 */
export function coversAnyCase(pattern: string, name: string): boolean {
  return fits(pattern, name, equalInAnyCase)
}

function fits(pattern: string, name: string, isSame: (segment: string, actual: string) => boolean): boolean {
  let p = 0
  let n = 0
  for (;;) {
    const segment = upToSlash(pattern, p)
    if (segment === '**' && p + 2 === pattern.length) return true
    const actual = upToSlash(name, n)
    if (segment !== '*' && !isSame(segment, actual)) return false
    p += segment.length + 1
    n += actual.length + 1
    if (p > pattern.length || n > name.length) return p > pattern.length && n > name.length
  }
}

/** Returns how every name begins that a pattern covers. */
export function headOf(pattern: string): string {
  return pattern.includes('*') ? pattern.slice(0, pattern.indexOf('*')) : pattern
}

/**
 * Matches a text against a glob, in which `*` matches any run of characters. It uses no regular expression: its time is
 * bounded by the product of the two lengths, even for hostile input.
 */
export function globMatches(glob: string, text: string): boolean {
  let g = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++
      resume = t
    } else if (glob[g] === text[t]) {
      g++
      t++
    } else if (star >= 0) {
      // Give the last star one more character. Earlier stars already have as few as possible.
      g = star + 1
      t = ++resume
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}

/**
 * Orders patterns, the most specific first. Segment by segment, a name comes before `*`, and `*` before `**`.
 *
 * Two different patterns that cover one name never compare as equal: where both have names, these are the same.
 */
export function bySpecificity(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function equalInAnyCase(one: string, other: string): boolean {
  return one === other || (one.length === other.length && asciiLower(one) === asciiLower(other))
}

/** A text with the letters A to Z in lower case. Unlike `toLowerCase`, it leaves letters of other alphabets alone. */
export function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function rankOf(pattern: string): string {
  return pattern
    .split('/')
    .map((segment) => (segment === '**' ? '2' : segment === '*' ? '1' : '0'))
    .join('')
}

function upToSlash(text: string, from: number): string {
  const to = text.indexOf('/', from)
  return to < 0 ? text.slice(from) : text.slice(from, to)
}
