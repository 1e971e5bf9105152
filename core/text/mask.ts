/**
 * The text of a hydrated `.env`: it holds masks, so there is nothing in it to flash, copy, index or leak.
 *
 * @module
 */
import { detect } from './detect.ts'
import { parseEnv } from './dotenv.ts'

/** One width for every value: a mask reveals nothing about the value, its length included. */
export const MASK = '••••••••'

/** A masked value. */
export interface MaskedRow {
  key: string
  /** The reference as written in the source; `null` for a plaintext secret in the source itself. */
  reference: string | null
  /** The line of the masked text that it is on. */
  line: number
}

/** The text under one mask; its key is empty outside of values. */
interface Span {
  start: number
  end: number
  key: string
  reference: string | null
}

/** The note on a reference: why it has no value, or a fingerprint after the mask to compare by. */
export type MaskNote = { failed: string } | { behind?: string }

/** A masked text and its values. */
export interface Masked {
  text: string
  rows: MaskedRow[]
}

/**
 * Writes the masked text. References and likely secrets, in comments too, become a mask; other values stay. Linear.
 *
 * @param noteOf The note on a reference; by default there is none.
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

/**
 * A mask implies a value. A reference without a value gets a mark instead, on one line even if its reason has several.
 */
function shownOf(note: MaskNote): string {
  if ('failed' in note) return `✗ ${note.failed.replaceAll(/\s+/g, ' ')}`
  return note.behind === undefined ? MASK : `${MASK} ${note.behind}`
}

/** The spans to mask, in order. */
function spansIn(source: string): Span[] {
  const findings = detect(source, { env: true })
  const spans: Span[] = []
  // Both lists are in order and without overlaps: one walk along them tells what touches what.
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
