/**
 * The text of a hydrated `.env` file. It contains masks, so there is no value to flash, copy, index or leak.
 *
 * @module
 */
import { detect } from './detect.ts'
import { parseEnv } from './dotenv.ts'

/** The mask of every value. All masks have one width, so that they do not reveal the length of a value. */
export const MASK = '••••••••'

/** One masked value. */
export interface MaskedRow {
  key: string
  /** The reference as written in the source. `null` for a plain secret in the source. */
  reference: string | null
  /** The line in the masked text. */
  line: number
}

/** The value behind a mask. The key is empty if the mask is not in a value. */
interface Span {
  start: number
  end: number
  key: string
  reference: string | null
}

/** The note for a reference: the reason why it has no value, or a fingerprint after the mask. */
export type MaskNote = { failed: string } | { behind?: string }

/** The masked text, and its masks. */
export interface Masked {
  text: string
  rows: MaskedRow[]
}

/**
 * Creates the masked text. References and text that looks like a secret become masks, even in comments. Other values
 * stay. Linear.
 *
 * @param noteOf Returns the note for a reference. By default there is none.
 */
export function mask(source: string, noteOf: (reference: string) => MaskNote = () => ({})): Masked {
  const parts: string[] = []
  const rows: MaskedRow[] = []
  let at = 0
  let line = 0
  for (const { start, end, key, reference } of spansIn(source)) {
    const kept = source.slice(at, start)
    line += newlinesIn(kept)
    if (key !== '') rows.push({ key, reference, line })
    parts.push(kept, shownOf(reference === null ? {} : noteOf(reference)))
    at = end
  }
  return { text: parts.join('') + source.slice(at), rows }
}

/** Returns a mask for a value, or a mark with the reason on one line if there is no value. */
function shownOf(note: MaskNote): string {
  if ('failed' in note) return `✗ ${note.failed.replaceAll(/\s+/g, ' ')}`
  return note.behind === undefined ? MASK : `${MASK} ${note.behind}`
}

/** The ranges to mask, in order. */
function spansIn(source: string): Span[] {
  const findings = detect(source, { env: true })
  const spans: Span[] = []
  // Both lists are sorted and without overlaps, so one pass finds the ranges that touch.
  let next = 0
  const bareUntil = (place: number) => {
    for (let found = findings[next]; found !== undefined && found.end <= place; found = findings[++next]) {
      if (found.start >= (spans.at(-1)?.end ?? 0)) spans.push({ ...found, key: '', reference: null })
    }
  }
  for (const { value, valueStart: start, valueEnd: end, key } of parseEnv(source).entries) {
    bareUntil(start)
    const found = findings[next]
    if (value.startsWith('postern://')) spans.push({ start, end, key, reference: value })
    else if (found !== undefined && found.start < end) spans.push({ start, end, key, reference: null })
  }
  bareUntil(source.length)
  return spans
}

function newlinesIn(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}
