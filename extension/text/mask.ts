/**
 * The text of a hydrated `.env`: it holds masks, so there is nothing in it to flash, copy, index or leak.
 *
 * @module
 */
import { detect } from './detect.ts'
import { parseEnv } from './dotenv.ts'

/** Of one width, whatever is behind it (DESIGN: masking shows nothing of the value). */
export const MASK = '••••••••'

/** What is known of one value that is masked. */
export interface MaskedRow {
  key: string
  /** The reference as it is written in the source; `null` for a plain secret that stands in the source itself. */
  reference: string | null
  /** The line of the masked text that it is on. */
  line: number
}

interface Span {
  start: number
  end: number
  key: string
  reference: string | null
}

export interface Masked {
  text: string
  rows: MaskedRow[]
}

/**
 * Writes the masked text. References and whatever looks like a secret, in comments too, become a mask; other values are
 * no secrets and stay.
 *
 * @param note What stands behind the mask of a reference: nothing, or a fingerprint to compare by.
 */
export function mask(source: string, note: (reference: string) => string = () => ''): Masked {
  const { entries } = parseEnv(source)
  const findings = detect(source, { env: true })
  const spans = entries.flatMap((entry): Span[] => {
    const { value, valueStart: start, valueEnd: end, key } = entry
    if (value.startsWith('postern://')) return [{ start, end, key, reference: value }]
    const isSecret = findings.some((finding) => finding.start < end && finding.end > start)
    return isSecret ? [{ start, end, key, reference: null }] : []
  })
  for (const { start, end } of findings) {
    if (!spans.some((span) => span.start < end && span.end > start))
      spans.push({ start, end, key: '', reference: null })
  }
  spans.sort((a, b) => a.start - b.start)
  let text = ''
  let at = 0
  const rows: MaskedRow[] = []
  for (const { start, end, key, reference } of spans) {
    text += source.slice(at, start)
    if (key !== '') rows.push({ key, reference, line: text.split('\n').length - 1 })
    const behind = reference === null ? '' : note(reference)
    text += behind === '' ? MASK : `${MASK} ${behind}`
    at = end
  }
  return { text: text + source.slice(at), rows }
}
