/**
 * Estimates the strength of a secret value, and checks it against a vault's policy.
 *
 * Pure, and linear in the value: only its first 256 characters are searched for patterns.
 *
 * @module
 */

import { type Bytes, parseUtf8 } from '../bytes.ts'
import { type ErrorDetail, PosternError } from '../errors.ts'
import { coversAnyCase } from '../patterns.ts'
import type { Redacted } from '../redacted.ts'
import { DeniedTexts } from './denied_texts.ts'

/** The character classes of a policy, over the letters and digits of all alphabets. */
export const CLASSES = ['upper', 'lower', 'digit', 'special'] as const
/** A class of characters. */
export type CharacterClass = (typeof CLASSES)[number]
/** The class of a letter without case, such as a Chinese or an Arabic one, and of a mark on a letter. Neither is special. */
type Caseless = 'caseless'

/** The requirements for values. Length and entropy do most of the work; character classes are for policies that demand them. */
export interface StrengthPolicy {
  /** Patterns of the names to which the policy applies. */
  resources: readonly string[]
  minLength: number
  requireUpper: boolean
  requireLower: boolean
  requireDigit: boolean
  requireSpecial: boolean
  minEntropyBits: number
  /** Texts that a value must not contain, case-insensitive. */
  denied: readonly string[]
}

/** The messages for the flaws of a value. */
export const WEAKNESSES = {
  too_short: 'Value is shorter than the policy of this vault or of the server demands',
  no_upper: 'Value must have an upper case letter',
  no_lower: 'Value must have a lower case letter',
  no_digit: 'Value must have a digit',
  no_special: 'Value must have a character that is neither a letter nor a digit',
  denied: 'Value holds a text that the policy of this vault denies',
  too_guessable: 'Value is easier to guess than the policy of this vault allows',
} as const
/** A flaw of a value. */
export type Weakness = keyof typeof WEAKNESSES

/** The number of characters that are searched for patterns. Further characters only add strength. */
const MAX_LENGTH = 256
/** Common words and keyboard rows in passwords of any language. */
const WORDS =
  `password passwort passwd pass secret admin administrator root user guest test login welcome hello letmein changeme default
  master monkey dragon shadow sunshine princess football baseball superman batman iloveyou trustno1 qwerty azerty
  abc123 access freedom whatever michael jordan charlie database postgres mysql oracle server company temp demo
  spring summer autumn winter january monday hunter love money ninja cookie starwars computer internet`.split(/\s+/)
const WORD_BITS = 8
const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'azertyuiop']
const LEET: Record<string, string> = { '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's' }

/** Decodes a value: as text, or one character a byte for a binary value. */
export function textOf(value: Redacted<Bytes>): string {
  const bytes = value.reveal()
  return parseUtf8(bytes) ?? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
}

/** Returns the class of a character: a code point, by its general category in Unicode. */
export function classOf(char: string): CharacterClass | Caseless {
  // A title case letter, such as U+01C5, is written in place of an upper case one.
  if (/^[\p{Lu}\p{Lt}]$/u.test(char)) return 'upper'
  if (/^\p{Ll}$/u.test(char)) return 'lower'
  if (/^\p{Nd}$/u.test(char)) return 'digit'
  return /^[\p{L}\p{M}\p{N}]$/u.test(char) ? 'caseless' : 'special'
}

/** The requirements of a server for all values, which no policy of a vault lowers. */
export type ComplexityFloor = Omit<StrengthPolicy, 'resources' | 'minEntropyBits' | 'denied'>

/** Combines the policy of a vault for a value, if it has one, with the floor of the server, if there is one. */
export function aboveFloor(policy: StrengthPolicy | null, floor: ComplexityFloor | null): StrengthPolicy | null {
  if (floor === null) return policy
  if (policy === null) return { resources: ['**'], minEntropyBits: 0, denied: [], ...floor }
  return {
    ...policy,
    minLength: Math.max(policy.minLength, floor.minLength),
    requireUpper: policy.requireUpper || floor.requireUpper,
    requireLower: policy.requireLower || floor.requireLower,
    requireDigit: policy.requireDigit || floor.requireDigit,
    requireSpecial: policy.requireSpecial || floor.requireSpecial,
  }
}

/** Whether a policy applies to the name of a secret. Like a `forbid`, it restricts: letters of either case are equal. */
export function concerns({ resources }: StrengthPolicy, name: string): boolean {
  return resources.some((pattern) => coversAnyCase(pattern, name))
}

/** Returns the first flaw of a value under a policy, or `null`. */
export function weaknessOf(value: string, policy: StrengthPolicy): Weakness | null {
  const classes = new Set([...value].map(classOf))
  const lower = value.toLowerCase()
  if ([...value].length < policy.minLength) return 'too_short'
  if (policy.requireUpper && !classes.has('upper')) return 'no_upper'
  if (policy.requireLower && !classes.has('lower')) return 'no_lower'
  if (policy.requireDigit && !classes.has('digit')) return 'no_digit'
  if (policy.requireSpecial && !classes.has('special')) return 'no_special'
  if (hasDenied(lower, policy.denied)) return 'denied'
  return entropyBits(value) < policy.minEntropyBits ? 'too_guessable' : null
}

// Keyed by the list itself, so that each policy in this process is compiled once.
const tables = new WeakMap<readonly string[], DeniedTexts>()
/** The product of texts and value length up to which separate searches cost less than building a table. */
const FEW = 1_000_000

/** Whether a value contains a denied text.
 *
 * @param value The value in lower case.
 */
function hasDenied(value: string, denied: readonly string[]): boolean {
  const known = tables.get(denied)
  if (known === undefined && denied.length * value.length < FEW) {
    return denied.some((text) => value.includes(text.toLowerCase()))
  }
  const table = known ?? new DeniedTexts(denied.map((text) => text.toLowerCase()))
  tables.set(denied, table)
  return table.areIn(value)
}

/** Creates the refusal of a weak value. The message does not quote the value. */
export function weakValue(weakness: Weakness, detail: Pick<ErrorDetail, 'auditIndex'> = {}): PosternError {
  return new PosternError('bad_request', WEAKNESSES[weakness], { field: 'value', reason: 'weak', ...detail })
}

/**
 * Estimates the bits needed to guess a value. A character counts by the size of its alphabet, unless it repeats,
 * continues a row, or belongs to a common word. This is an upper bound that finds obvious weaknesses. Only the
 * entropy of generated values is known.
 */
export function entropyBits(value: string): number {
  const chars = [...value].slice(0, MAX_LENGTH)
  const plain = chars.map((char) => LEET[char.toLowerCase()] ?? char.toLowerCase()).join('')
  const raw = chars.map((char) => char.toLowerCase()).join('')
  const alphabetBits = Math.log2(alphabetOf(chars))
  let bits = 0
  for (let at = 0; at < chars.length; ) {
    const word = WORDS.find((one) => raw.startsWith(one, at) || plain.startsWith(one, at))
    const repeated = word === undefined ? repeatAt(raw, at) : 0
    if (word !== undefined) {
      bits += WORD_BITS
      at += word.length
    } else if (repeated > 0) {
      bits += Math.log2(at) + Math.log2(repeated)
      at += repeated
    } else {
      bits += isExpected(raw, at) ? 1 : alphabetBits
      at++
    }
  }
  return bits
}

function alphabetOf(chars: readonly string[]): number {
  const sizes = { upper: 26, lower: 26, digit: 10, special: 33, caseless: 0 }
  const used = new Set(chars.map(classOf))
  const beyondAscii = chars.some((char) => char > '~') ? 100 : 0
  return [...used].reduce((sum, one) => sum + sizes[one], beyondAscii) || 1
}

/** Returns the length of the sequence from `at` that repeats earlier characters, or 0 if it is below three. */
function repeatAt(text: string, at: number): number {
  let length = 0
  while (at + length < text.length && text.indexOf(text.slice(at, at + length + 1)) < at) length++
  return length < 3 ? 0 : length
}

/** Whether a character continues the two before it: the same character, the next letter, or the next key. */
function isExpected(text: string, at: number): boolean {
  const step = text.charCodeAt(at) - text.charCodeAt(at - 1)
  if (at > 0 && step === 0) return true
  const pair = text.slice(at - 1, at + 1)
  if (at > 0 && ROWS.some((row) => row.includes(pair) || [...row].reverse().join('').includes(pair))) return true
  return at > 1 && Math.abs(step) === 1 && step === text.charCodeAt(at - 1) - text.charCodeAt(at - 2)
}
