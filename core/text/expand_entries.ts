/**
 * Variables in the entries of a `.env` file, for a run. Settings and stores expand nothing.
 *
 * @module
 */

/** The value of an entry. */
export interface EntryValue {
  text: string
  /** Whether nothing in the text is expanded: a value in single quotes, or the value of a secret. */
  isLiteral: boolean
}

/** `${NAME}` or `${NAME:-default}` in a text. */
export interface Variable {
  start: number
  end: number
  name: string
  fallback: string | undefined
}

/** The reason why an entry cannot be expanded, and the variable. */
export interface ExpansionProblem {
  kind: 'unset' | 'cycle' | 'nested' | 'too_large'
  key: string
  name: string
}

/** The longest expanded value, in UTF-16 code units. Values that contain each other would grow exponentially. */
const MAX_VALUE_CHARS = 1024 * 1024
const MAX_DEPTH = 64
const VARIABLE = /^([A-Za-z_]\w*)(?::-([\s\S]*))?$/

/** Finds `${NAME}` and `${NAME:-default}`, where a default ends at the first `}`. Linear. */
export function variablesIn(text: string): Variable[] {
  const found: Variable[] = []
  let close = -1
  for (let start = text.indexOf('${'); start >= 0; ) {
    if (close < start) close = text.indexOf('}', start)
    if (close < 0) break
    const [, name, fallback] = VARIABLE.exec(text.slice(start + 2, close)) ?? []
    if (name !== undefined) found.push({ start, end: close + 1, name, fallback })
    start = text.indexOf('${', name === undefined ? start + 2 : close + 1)
  }
  return found
}

/**
 * Expands the variables of all entries. A variable has the value that the program gets under its name: that of the entry, at any
 * place in the file, or else that of the environment. An entry that names itself gets the value of the environment. `:-` also
 * replaces an empty value. The inserted text is not expanded again, and each entry expands its own variables.
 *
 * @param environment Returns a variable of the environment.
 * @returns The expanded values by key, or every problem.
 */
export function expandEntries(
  entries: ReadonlyMap<string, EntryValue>,
  environment: (name: string) => string | undefined,
): Map<string, string> | ExpansionProblem[] {
  const expanded = new Map<string, string>()
  const problems: ExpansionProblem[] = []
  const open: string[] = []
  const insert = (key: string, { name, fallback }: Variable): string => {
    const refuse = (kind: ExpansionProblem['kind']) => {
      problems.push({ kind, key, name })
      return ''
    }
    if (fallback?.includes('${')) return refuse('nested')
    const isEntry = name !== key && entries.has(name)
    if (isEntry && open.includes(name)) return refuse('cycle')
    if (isEntry && open.length >= MAX_DEPTH) return refuse('too_large')
    const value = isEntry ? expand(name) : environment(name)
    if (value !== undefined && (value !== '' || fallback === undefined)) return value
    return fallback ?? refuse('unset')
  }
  const expand = (key: string): string => {
    const known = expanded.get(key)
    if (known !== undefined) return known
    const { text, isLiteral } = entries.get(key)!
    open.push(key)
    let value = isLiteral ? text : replaced(text, (variable) => insert(key, variable))
    open.pop()
    if (!isLiteral && value.length > MAX_VALUE_CHARS) {
      problems.push({ kind: 'too_large', key, name: key })
      value = ''
    }
    expanded.set(key, value)
    return value
  }
  const inOrder = new Map([...entries.keys()].map((key) => [key, expand(key)]))
  return problems.length === 0 ? inOrder : problems
}

/** Lists the entries that an entry needs, itself included, through the variables of others. */
export function neededEntries(entries: ReadonlyMap<string, EntryValue>, keys: Iterable<string>): Set<string> {
  const needed = new Set<string>()
  const next = [...keys]
  for (let key = next.pop(); key !== undefined; key = next.pop()) {
    const entry = entries.get(key)
    if (entry === undefined || needed.has(key)) continue
    needed.add(key)
    if (!entry.isLiteral) next.push(...variablesIn(entry.text).map(({ name }) => name))
  }
  return needed
}

function replaced(text: string, insert: (variable: Variable) => string): string {
  let value = ''
  let at = 0
  for (const variable of variablesIn(text)) {
    value += text.slice(at, variable.start) + insert(variable)
    at = variable.end
    // The caller refuses it.
    if (value.length > MAX_VALUE_CHARS) return value
  }
  return value + text.slice(at)
}
