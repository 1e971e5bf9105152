/**
 * The limits of a program's environment.
 *
 * A value that does not fit is refused before the program starts. The system would truncate it at its first NUL, replace
 * its lone surrogates, or fail the start with an error that names no variable.
 *
 * @module
 */
import { utf8 } from '../bytes.ts'

/** The reason why a variable cannot be set. */
export type Unfit =
  | { kind: 'name' | 'nul' | 'malformed'; key: string }
  | { kind: 'too_long'; key: string; size: number; limit: number }
  // The total of all values and the inherited environment. The keys are those of the largest values.
  | { kind: 'too_large'; keys: string[]; size: number; limit: number }

/** The limits of a system. */
export interface EnvironmentLimits {
  /** The longest `NAME=value` in units, without its terminator. `null` for no limit. */
  variable: number | null
  /** The largest size of all variables and arguments in bytes. `null` for no limit. */
  total: number | null
  /** The unit of a length. */
  unit: 'byte' | 'utf16'
}

/** The error for values that do not fit into the environment of a program. The message names none of them. */
export class UnfitEnvironment extends Error {
  override readonly name = 'UnfitEnvironment'
  readonly problems: readonly Unfit[]

  constructor(problems: readonly Unfit[]) {
    super('The environment cannot hold these values')
    this.problems = problems
  }
}

// execve(2): MAX_ARG_STRLEN is 32 pages, including the terminating NUL.
const LINUX_VARIABLE = 32 * 4096 - 1
const LINUX_TOTAL = { least: 128 * 1024, most: 6 * 1024 * 1024 }
const MAC_TOTAL = 1024 * 1024
// SetEnvironmentVariable: 32,767 characters, including the terminating NUL.
const WINDOWS_VARIABLE = 32_766
/** The size of the pointer to each text, in bytes. */
const POINTER = 8
const MAX_NAMED = 5

/**
 * Returns the limits of a system.
 *
 * @param platform The value of `process.platform`.
 * @param stackBytes The soft limit of the stack in bytes. Linux gives a quarter of it to variables and arguments.
 */
export function limitsOf(platform: string, stackBytes = 8 * 1024 * 1024): EnvironmentLimits {
  if (platform === 'win32') return { variable: WINDOWS_VARIABLE, total: null, unit: 'utf16' }
  if (platform === 'darwin') return { variable: null, total: MAC_TOTAL, unit: 'byte' }
  const total = Math.max(LINUX_TOTAL.least, Math.min(LINUX_TOTAL.most, Math.floor(stackBytes / 4)))
  return { variable: LINUX_VARIABLE, total, unit: 'byte' }
}

/**
 * Finds the values that an environment cannot hold.
 *
 * @param inherited The inherited variables. A value replaces an inherited variable with its name.
 * @param reserved The size of the arguments in bytes.
 */
export function unfitIn(
  values: Readonly<Record<string, string>>,
  limits: EnvironmentLimits,
  inherited: Readonly<Record<string, string | undefined>> = {},
  reserved = 0,
): Unfit[] {
  const problems = Object.entries(values).flatMap(([key, value]) => problemOf(key, value, limits))
  if (problems.length > 0 || limits.total === null) return problems
  const all = Object.entries({ ...inherited, ...values })
  const size = reserved + all.reduce((sum, [key, value]) => sum + sizeOf(key, value ?? '', 'byte') + 1 + POINTER, 0)
  if (size <= limits.total) return []
  const largest = Object.entries(values).sort(([, a], [, b]) => b.length - a.length)
  return [{ kind: 'too_large', keys: largest.slice(0, MAX_NAMED).map(([key]) => key), size, limit: limits.total }]
}

function problemOf(key: string, value: string, { variable, unit }: EnvironmentLimits): Unfit[] {
  if (key === '' || /[=\0]/.test(key) || !key.isWellFormed()) return [{ kind: 'name', key }]
  if (value.includes('\0')) return [{ kind: 'nul', key }]
  if (!value.isWellFormed()) return [{ kind: 'malformed', key }]
  const size = sizeOf(key, value, unit)
  return variable !== null && size > variable ? [{ kind: 'too_long', key, size, limit: variable }] : []
}

function sizeOf(key: string, value: string, unit: EnvironmentLimits['unit']): number {
  const text = `${key}=${value}`
  return unit === 'byte' ? utf8(text).length : text.length
}
