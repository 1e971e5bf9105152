/**
 * The second net under everything that is logged. The first is that only named fields are, and that none is a value;
 * this one catches what a client put where it does not belong, such as a token in its user agent.
 *
 * @module
 */
import { CREDENTIAL_TRACE } from './credential_forms.ts'

/**
 * Control characters, line and paragraph separators, and format characters: marks of direction, invisible joins, tags,
 * annotations. Not the few of those that Arabic and Syriac show, nor what joins letters and emoji.
 */
const UNPRINTABLE =
  /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c-\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}])\p{Cf}/gu
/** Scripts in which an invisible join changes nothing that is seen. */
const JOINLESS = '\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{Script=Han}\\p{Script=Hangul}'
/**
 * Invisible characters where natural language needs them: a join between letters of other scripts or in an emoji, and
 * one variation selector behind what has variants.
 */
const NEEDED = new RegExp(
  [
    `(?<=(?![${JOINLESS}])[\\p{L}\\p{M}])[\\u200c\\u200d](?=(?![${JOINLESS}])[\\p{L}\\p{M}])`,
    '(?<=[\\p{Extended_Pictographic}\\p{EMod}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})',
    '(?<=[\\p{Emoji}\\p{S}])[\\ufe0e\\ufe0f]',
    '(?<=\\p{Script=Han})[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]',
    '[\\u0600-\\u0605\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u{110bd}\\u{110cd}]',
  ].join('|'),
  'gu',
)
/** What a reader does not see, or sees in another order than it is. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cf}\p{Default_Ignorable_Code_Point}]/u

/** Whether all of a text of one line can be seen, in the order that it is in. Lone surrogates cannot. */
export function isVisible(text: string): boolean {
  return text.isWellFormed() && !HIDDEN.test(text.replace(NEEDED, ''))
}

/** The same text as it may be shown: what {@link isVisible} does not take becomes U+FFFD. */
export function visible(text: string): string {
  if (isVisible(text)) return text
  return [...text.toWellFormed()].map((char) => (HIDDEN.test(char) ? '\ufffd' : char)).join('')
}

/** Applies {@link visible} to every text in plain data that an earlier version may have stored, keys included. */
export function visibleAll<T>(data: T): T {
  return mapTexts(data, visible) as T
}

/** Makes text safe for a line of a log or a terminal: characters that are not printed become U+FFFD (ASVS 16.4.1). */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNPRINTABLE, '\ufffd')
}

/** Makes text safe for a line of a log and removes text that looks like a credential. */
export function cleanse(text: string): string {
  return printable(text).replace(CREDENTIAL_TRACE, '<redacted>')
}

/** Cleanses every text in plain data, keys as well. */
export function cleanseAll(data: unknown): unknown {
  return mapTexts(data, cleanse)
}

function mapTexts(data: unknown, change: (text: string) => string): unknown {
  if (typeof data === 'string') return change(data)
  if (Array.isArray(data)) return data.map((item) => mapTexts(item, change))
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [change(key), mapTexts(value, change)]))
}

/** Whether a text, or JSON of one line, holds anything that {@link cleanse} would change. */
export function isClean(json: string): boolean {
  return json.search(UNPRINTABLE) < 0 && json.search(CREDENTIAL_TRACE) < 0 && !/\\(?:[bfnrt]|u00)/.test(json)
}
