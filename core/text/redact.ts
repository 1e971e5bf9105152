/**
 * Removes secret values from the output of a program before it is displayed.
 *
 * @module
 */
import { base64, hex, utf8 } from '../bytes.ts'

const WORD = /[\p{L}\p{N}_]/u

/** A value and its replacement. */
export interface LabelledValue {
  label: string
  value: string
}

// Shorter base64 groups and escapes occur by accident.
const MIN_FORM = 4
/** Shorter values also occur inside ordinary words and numbers. */
const MIN_EVERYWHERE = 8
// Shorter than the line width of any tool: base64 wraps at 76 columns, PEM at 64.
const MIN_WRAPPED = 40

/** A chunk of output, and the stream of the program that it came from. */
export interface Chunk {
  stream: string
  text: string
}

/** One view of the output: all streams in order, one stream alone, or without line breaks. */
interface Reading {
  text: string
  /** The position of each character in the whole output. */
  places: Uint32Array
  /** The shortest form to search for in this view. */
  minLength: number
}

/** Whether a value is too short to be replaced inside of words. */
export function isShort(value: string): boolean {
  return value.length < MIN_EVERYWHERE
}

/**
 * Replaces every value in every encoding that programs commonly use: base64 at each of its three offsets, base64url, hex,
 * URL and JSON escapes. The search covers the whole output and each stream alone, so that a value is found if it is split
 * across two streams or interrupted by another stream. Long values are found across line breaks.
 *
 * A value of fewer than eight characters is replaced only as a whole word, and one of fewer than four not at all: `a` in
 * `banana` is not the value `a`. This protects against accidents. A program can still hide a value on purpose. The time is
 * linear in the output for each form.
 */
export function redact(output: string | readonly Chunk[], known: readonly LabelledValue[]): string {
  const chunks = typeof output === 'string' ? [{ stream: '', text: output }] : output
  const text = chunks.map((chunk) => chunk.text).join('')
  const forms = known.flatMap(({ label, value }) => formsOf(value).map((form) => ({ form, label })))
  // Longest first, so that no part of a long value remains after a shorter one was replaced.
  forms.sort((a, b) => b.form.length - a.form.length)
  const hidden = new Uint8Array(text.length)
  const labels = new Map<number, string>()
  for (const reading of readingsOf(chunks)) {
    for (const { form, label } of forms)
      hide(reading, form, (place, isFirst) => {
        if (isFirst && hidden[place] === 0) labels.set(place, label)
        hidden[place] = 1
      })
  }
  let clean = ''
  let from = 0
  for (let at = 0; at <= text.length; at++) {
    if (at < text.length && hidden[at] === 0) continue
    clean += text.slice(from, at)
    const label = labels.get(at)
    if (label !== undefined) clean += `[postern:${label}]`
    from = at + 1
  }
  return clean
}

function hide(
  { text, places, minLength }: Reading,
  form: string,
  mark: (place: number, isFirst: boolean) => void,
): void {
  const wanted = minLength > 0 ? form.replaceAll(/[\r\n]/g, '') : form
  if (wanted === '' || wanted.length < minLength) return
  for (const run of runsOf(wanted, text)) {
    if (isShort(wanted) && !isWord(text, run)) continue
    let end = run.start
    for (const at of run.matches) {
      // If a match overlaps the previous one, only the rest of it is marked.
      for (let i = Math.max(at, end); i < at + wanted.length; i++) mark(places[i]!, i === at)
      end = at + wanted.length
    }
  }
}

/** Matches of one form that touch or overlap. */
interface Run {
  start: number
  end: number
  matches: number[]
}

function* runsOf(wanted: string, text: string): Generator<Run> {
  let run: Run | null = null
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    if (run !== null && at > run.end) {
      yield run
      run = null
    }
    run ??= { start: at, end: at, matches: [] }
    run.matches.push(at)
    run.end = at + wanted.length
  }
  if (run !== null) yield run
}

/** Whether a match is a whole word: no letter or digit continues it on either side. */
function isWord(text: string, { start, end }: Run): boolean {
  const joins = (left: string | undefined, right: string | undefined) =>
    left !== undefined && right !== undefined && WORD.test(left) && WORD.test(right)
  return !joins(text[start - 1], text[start]) && !joins(text[end - 1], text[end])
}

function readingsOf(chunks: readonly Chunk[]): Reading[] {
  const streams = [...new Set(chunks.map(({ stream }) => stream))]
  const orders = streams.length > 1 ? [null, ...streams] : [null]
  return orders.flatMap((stream) => {
    const whole = readingOf(chunks, (chunk) => stream === null || chunk.stream === stream)
    return [whole, withoutBreaks(whole)]
  })
}

function readingOf(chunks: readonly Chunk[], isPart: (chunk: Chunk) => boolean): Reading {
  const parts: string[] = []
  const places: number[] = []
  let start = 0
  for (const chunk of chunks) {
    if (isPart(chunk)) {
      parts.push(chunk.text)
      for (let i = 0; i < chunk.text.length; i++) places.push(start + i)
    }
    start += chunk.text.length
  }
  return { text: parts.join(''), places: Uint32Array.from(places), minLength: 0 }
}

function withoutBreaks({ text, places }: Reading): Reading {
  const kept = places.filter((_, i) => text[i] !== '\n' && text[i] !== '\r')
  return { text: text.replaceAll(/[\r\n]/g, ''), places: kept, minLength: MIN_WRAPPED }
}

/** The encodings of a value, the value itself first. */
export function formsOf(value: string): string[] {
  if (value.length < MIN_FORM) return []
  if (isShort(value)) return [value]
  const bytes = utf8(value)
  const whole = [0, 1, 2].map((skip) => {
    const rest = bytes.subarray(skip)
    return base64(rest.subarray(0, rest.length - (rest.length % 3)))
  })
  const escaped = [
    base64(bytes),
    ...whole,
    ...whole.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
    hex(bytes),
    hex(bytes).toUpperCase(),
    encodeURIComponent(value),
    encodeURIComponent(value).replaceAll('%20', '+'),
    JSON.stringify(value).slice(1, -1),
  ]
  // Programs often print a text of several lines one line at a time.
  const lines = value.includes('\n') ? value.split(/\r?\n/).filter((line) => line.length >= 8) : []
  return [...new Set([value, ...escaped.filter((form) => form.length >= MIN_FORM), ...lines])]
}
