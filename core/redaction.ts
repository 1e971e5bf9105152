/**
 * The second net under everything that is logged. The first is that only named fields are, and that none is a value;
 * this one catches what a client put where it does not belong, such as a token in its user agent.
 *
 * @module
 */

/** Control characters, line and paragraph separators, and marks that turn the direction of what follows. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu
/** Credentials by the forms that their makers gave them. Bounded wherever something has to follow: linear. */
const CREDENTIAL =
  /ps[ts]_[a-z0-9-]{1,32}_[0-9A-Za-z]{20,}|hvs\.[A-Za-z0-9_-]{20,}|A[KS]IA[A-Z0-9]{16}|gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|eyJ[A-Za-z0-9_-]{8,256}\.[A-Za-z0-9_-]{8,}|-----BEGIN [A-Z ]{3,30}-----/g

/** Text fit for a line of a log or a terminal: what is not printed becomes U+FFFD (ASVS 16.4.1). */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNPRINTABLE, '\ufffd')
}

/** The same, with what looks like a credential taken out. */
export function cleanse(text: string): string {
  return printable(text).replace(CREDENTIAL, '<redacted>')
}

/** Cleanses every text in plain data, keys as well. */
export function cleanseAll(data: unknown): unknown {
  if (typeof data === 'string') return cleanse(data)
  if (Array.isArray(data)) return data.map(cleanseAll)
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [cleanse(key), cleanseAll(value)]))
}

/** Whether a text, or JSON of one line, holds anything that {@link cleanse} would change. */
export function isClean(json: string): boolean {
  return json.search(UNPRINTABLE) < 0 && json.search(CREDENTIAL) < 0 && !/\\(?:[bfnrt]|u00)/.test(json)
}
