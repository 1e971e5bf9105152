/**
 * Finds secrets in plain text.
 *
 * There are three methods, from certain to likely: formats that only a secret has, with their checksum if they have one,
 * values of keys that name a secret, and high entropy after such a key. Every quantifier is bounded, so the time is linear.
 *
 * @module
 */
import { CREDENTIAL_FORMS } from '../credential_forms.ts'
import { UUID } from '../uuid.ts'
import { parseEnv } from './dotenv.ts'

/** The largest text that is searched, in UTF-16 code units. */
export const MAX_SCANNED_CHARS = 256 * 1024

/** A secret in a text. */
export interface Finding {
  start: number
  end: number
  /** The kind of secret, such as `github-token`. */
  kind: string
}

const SENSITIVE =
  /(?:secret|token|passw(?:or)?d|passphrase|pwd|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|credential|auth[_-]?key)s?$/i
const ASSIGNMENT = /\b([A-Za-z][A-Za-z0-9_-]{0,63})["']?[ \t]{0,8}(?:=>|:=|=|:)[ \t]{0,8}(["'`])([^"'`\n\\]{8,512})\2/g
const PLACEHOLDER =
  /^(?:x{3,}|\*{3,}|•+|\.{3,}|<.{0,256}>|\$\{?.{0,256}|%.{0,256}%|\{\{.{0,256}\}\}|(?:your|my|some|an?)[-_ ].{0,256}|change[-_]?me.{0,64}|(?:example|dummy|placeholder|redacted|todo|test|none|null|undefined|true|false|password|secret|token)[-_\d]{0,8})$/i

/**
 * Finds secrets in a text, in its first {@link MAX_SCANNED_CHARS} characters.
 *
 * @param options `env`: whether the text is a `.env` file, where values need no quotes.
 */
export function detect(whole: string, options: { env?: boolean } = {}): Finding[] {
  const text = whole.slice(0, MAX_SCANNED_CHARS)
  const findings = [...formsIn(text), ...(options.env ? envValuesIn(text) : assignmentsIn(text))]
  findings.sort((a, b) => a.start - b.start || b.end - a.end)
  // If two findings overlap, the one that starts first wins, then the longer one.
  let end = -1
  return findings.filter((finding) => {
    if (finding.start < end) return false
    end = finding.end
    return true
  })
}

/** Whether pasted text is a secret by itself: a known format with nothing around it. */
export function looksSecret(text: string): boolean {
  const trimmed = text.trim()
  if (trimmed.length < 8 || trimmed.length > 8192) return false
  if (formsIn(trimmed).some(({ start, end }) => end - start > trimmed.length / 2)) return true
  return trimmed.length >= 20 && /^[\x21-\x7e]+$/.test(trimmed) && isRandom(trimmed) && !isKnownHarmless(trimmed)
}

function formsIn(text: string): Finding[] {
  return CREDENTIAL_FORMS.flatMap(({ kind, whole, group, holds }) =>
    [...text.matchAll(whole)].flatMap((match) => {
      const secret = match[group ?? 0]!
      if (holds?.(secret) === false) return []
      // A match inside a longer text, such as a URL, may be a placeholder.
      if (group !== undefined && !isNoPlaceholder(secret)) return []
      const start = match.index + match[0].lastIndexOf(secret)
      return [{ kind, start, end: start + secret.length }]
    }),
  )
}

function envValuesIn(text: string): Finding[] {
  // A commented-out secret is still on disk.
  const uncommented = text.replaceAll(/^([ \t]*)#(?=[ \t]*[A-Za-z_][\w.-]*=)/gm, '$1 ')
  const { entries, errors } = parseEnv(uncommented)
  const values = entries.map(({ valueStart, valueEnd, quote, ...entry }) => {
    const edge = quote === '' ? 0 : 1
    return { ...entry, start: valueStart + edge, end: valueEnd - edge }
  })
  // A secret whose quote is not closed is a secret too.
  const unclosed = errors.filter(({ kind }) => kind === 'unclosed_quote')
  const rest = unclosed.map(({ key, start, end }) => ({
    key,
    value: text.slice(start + 1, end),
    start: start + 1,
    end,
  }))
  return [...values, ...rest].flatMap(({ key, value, start, end }) => {
    if (!SENSITIVE.test(key) || value.length < 6 || value.startsWith('postern://') || !isNoPlaceholder(value)) return []
    return [{ kind: 'sensitive-key', start, end }]
  })
}

function assignmentsIn(text: string): Finding[] {
  return [...text.matchAll(ASSIGNMENT)].flatMap(({ 0: whole, 1: key = '', 3: value = '', index }) => {
    if (!SENSITIVE.test(key) || value.startsWith('postern://') || !isNoPlaceholder(value)) return []
    // A sentence, a path or a name after `token:` is not a secret.
    if (/\s/.test(value) || !isRandom(value) || isKnownHarmless(value)) return []
    const start = index + whole.length - 1 - value.length
    return [{ kind: 'high-entropy', start, end: start + value.length }]
  })
}

function isNoPlaceholder(value: string): boolean {
  return !PLACEHOLDER.test(value)
}

/** Whether a value only looks like a secret: a UUID, a URL, or a digest in hex or with a named algorithm. */
function isKnownHarmless(value: string): boolean {
  return (
    UUID.test(value.toLowerCase()) ||
    /^sha(?:1|256|384|512)[-:]/.test(value) ||
    /^(?:https?|file|postern):/.test(value) ||
    /^[0-9a-f]{40}$|^[0-9a-f]{64}$/.test(value)
  )
}

/** Whether a value has letters, digits and a Shannon entropy of 3.3 bits a character, more than words and identifiers. */
function isRandom(value: string): boolean {
  if (!/[0-9]/.test(value) || !/[A-Za-z]/.test(value)) return false
  const counts = new Map<string, number>()
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length)
  return bits >= Math.min(3.3, Math.log2(value.length) * 0.85)
}
