/**
 * Patterns over the names of secrets, and globs over other texts.
 *
 * @module
 */

/**
 * Whether a pattern covers a name, in one pass over both. `team/*` covers `team/a` but neither `team`, `team2` nor
 * `team/a/b`; `team/**` also covers `team/a/b`; `**` covers all names.
 */
export function covers(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  for (;;) {
    const segment = upToSlash(pattern, p)
    if (segment === '**' && p + 2 === pattern.length) return true
    const actual = upToSlash(name, n)
    if (segment !== '*' && segment !== actual) return false
    p += segment.length + 1
    n += actual.length + 1
    if (p > pattern.length || n > name.length) return p > pattern.length && n > name.length
  }
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
