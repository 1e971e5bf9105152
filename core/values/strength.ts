/**
 * The strength of a secret value, and whether it satisfies the policy of a vault.
 *
 * Pure, and linear in the value: patterns are searched only in its first 256 characters.
 *
 * @module
 */

import { type Bytes, parseUtf8 } from '../bytes.ts'
import { type ErrorDetail, PosternError } from '../errors.ts'
import { covers } from '../patterns.ts'
import type { Redacted } from '../redacted.ts'
import { DeniedTexts } from './denied_texts.ts'

/** The classes of ASCII characters that a policy may require. Every character outside of the first three is special. */
export const CLASSES = ['upper', 'lower', 'digit', 'special'] as const
/** One of the classes of characters. */
export type CharacterClass = (typeof CLASSES)[number]

/** The requirements of a policy. Length and entropy matter; character classes exist for policies that demand them. */
export interface StrengthPolicy {
  /** The patterns of the names to which it applies. */
  resources: readonly string[]
  minLength: number
  requireUpper: boolean
  requireLower: boolean
  requireDigit: boolean
  requireSpecial: boolean
  minEntropyBits: number
  /** Texts that a value must not contain, in any case. */
  denied: readonly string[]
}

/** The first flaw of a value. */
export const WEAKNESSES = {
  too_short: 'Value is shorter than the policy of this vault asks',
  no_upper: 'Value must have an upper case letter',
  no_lower: 'Value must have a lower case letter',
  no_digit: 'Value must have a digit',
  no_special: 'Value must have a character that is neither a letter nor a digit',
  denied: 'Value holds a text that the policy of this vault denies',
  too_guessable: 'Value is easier to guess than the policy of this vault allows',
} as const
/** The flaw of a weak value. */
export type Weakness = keyof typeof WEAKNESSES

/** Patterns are searched up to here: the rest can only add to the estimate. */
const MAX_LENGTH = 256
/** The words and rows that common passwords are made of, in any language. */
const WORDS =
  `password passwort passwd pass secret admin administrator root user guest test login welcome hello letmein changeme default
  master monkey dragon shadow sunshine princess football baseball superman batman iloveyou trustno1 qwerty azerty
  abc123 access freedom whatever michael jordan charlie database postgres mysql oracle server company temp demo
  spring summer autumn winter january monday hunter love money ninja cookie starwars computer internet`.split(/\s+/)
const WORD_BITS = 8
const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'azertyuiop']
const LEET: Record<string, string> = { '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's' }

/** A value as it is tested: as text, or one character for each byte if it is not text. */
export function textOf(value: Redacted<Bytes>): string {
  const bytes = value.reveal()
  return parseUtf8(bytes) ?? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
}

/** The class of one character. */
export function classOf(char: string): CharacterClass {
  if (/^[A-Z]$/.test(char)) return 'upper'
  if (/^[a-z]$/.test(char)) return 'lower'
  return /^[0-9]$/.test(char) ? 'digit' : 'special'
}

/** Whether a policy applies to a secret of this name. */
export function concerns({ resources }: StrengthPolicy, name: string): boolean {
  return resources.some((pattern) => covers(pattern, name))
}

/** The first flaw of a value under a policy, or `null`. */
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

// Keyed by the list of the vault: a policy becomes a table once per process.
const tables = new WeakMap<readonly string[], DeniedTexts>()
/** The number of texts times the length of a value up to which separate searches cost less than a table. */
const FEW = 1_000_000

/** @param value In lower case. */
function hasDenied(value: string, denied: readonly string[]): boolean {
  const known = tables.get(denied)
  if (known === undefined && denied.length * value.length < FEW) {
    return denied.some((text) => value.includes(text.toLowerCase()))
  }
  const table = known ?? new DeniedTexts(denied.map((text) => text.toLowerCase()))
  tables.set(denied, table)
  return table.areIn(value)
}

/** The refusal of a weak value, which quotes nothing of it. */
export function weakValue(weakness: Weakness, detail: Pick<ErrorDetail, 'auditIndex'> = {}): PosternError {
  return new PosternError('bad_request', WEAKNESSES[weakness], { field: 'value', reason: 'weak', ...detail })
}

/**
 * Estimates how many bits it takes to guess a value: a character counts as much as its alphabet, unless it repeats,
 * continues a row, or belongs to a well-known word. This is an upper bound that sees obvious patterns, not a measure of
 * entropy, which is known only for generated values.
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
  const sizes: Record<CharacterClass, number> = { upper: 26, lower: 26, digit: 10, special: 33 }
  const used = new Set(chars.map(classOf))
  const beyondAscii = chars.some((char) => char > '~') ? 100 : 0
  return [...used].reduce((sum, one) => sum + sizes[one], beyondAscii) || 1
}

/** How many characters from `at` on occurred earlier in this order, possibly still running; 0 below three. */
function repeatAt(text: string, at: number): number {
  let length = 0
  while (at + length < text.length && text.indexOf(text.slice(at, at + length + 1)) < at) length++
  return length < 3 ? 0 : length
}

/** Whether a character only continues the two before it: a repeat, the next in the alphabet, or the next key. */
function isExpected(text: string, at: number): boolean {
  const step = text.charCodeAt(at) - text.charCodeAt(at - 1)
  if (at > 0 && step === 0) return true
  const pair = text.slice(at - 1, at + 1)
  if (at > 0 && ROWS.some((row) => row.includes(pair) || [...row].reverse().join('').includes(pair))) return true
  return at > 1 && Math.abs(step) === 1 && step === text.charCodeAt(at - 1) - text.charCodeAt(at - 2)
}
