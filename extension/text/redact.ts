/**
 * Takes secret values out of the output of a program before anybody reads it.
 *
 * @module
 */
import { base64, hex, utf8 } from '../../core/bytes.ts'

/** A value, and what stands in its place. */
export interface Known {
  label: string
  value: string
}

// Below this a base64 group or an escape is too short to be anything but an accident.
const MIN_FORM = 4
// Shorter than any line that a tool wraps at: base64 does at 76 columns, PEM at 64.
const MIN_WRAPPED = 40

interface Form {
  form: string
  label: string
}

/**
 * Replaces every value, and the forms that programs write it in: base64 at each of its three offsets, base64url, hex,
 * URL and JSON escapes. A program that means to hide a value can still do so; this is against accidents.
 */
export function redact(text: string, known: readonly Known[]): string {
  const forms = known.flatMap(({ label, value }) => formsOf(value).map((form) => ({ form, label })))
  // The longest first, so that no part of one is left over.
  forms.sort((a, b) => b.form.length - a.form.length)
  const rest = forms.reduce((rest, { form, label }) => rest.replaceAll(form, () => `[postern:${label}]`), text)
  return redactWrapped(rest, forms)
}

/** Long forms once more, across line breaks. Linear in the text, for each of them. */
function redactWrapped(text: string, forms: readonly Form[]): string {
  const places: number[] = []
  let flat = ''
  for (const { 0: line, index } of text.matchAll(/[^\r\n]+/g)) {
    for (let i = 0; i < line.length; i++) places.push(index + i)
    flat += line
  }
  const spans = forms.flatMap(({ form, label }) => {
    const wanted = form.replaceAll(/[\r\n]/g, '')
    const found: { start: number; end: number; label: string }[] = []
    for (let at = flat.indexOf(wanted); wanted.length >= MIN_WRAPPED && at >= 0; at = flat.indexOf(wanted, at + 1))
      found.push({ start: places[at]!, end: places[at + wanted.length - 1]! + 1, label })
    return found
  })
  spans.sort((a, b) => a.start - b.start)
  let clean = ''
  let end = 0
  for (const span of spans) {
    if (span.start >= end) clean += `${text.slice(end, span.start)}[postern:${span.label}]`
    end = Math.max(end, span.end)
  }
  return clean + text.slice(end)
}

/** The forms in which a value may be written, the value first. */
export function formsOf(value: string): string[] {
  if (value === '') return []
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
  // A text of several lines is often printed a line at a time.
  const lines = value.includes('\n') ? value.split(/\r?\n/).filter((line) => line.length >= 8) : []
  return [...new Set([value, ...escaped.filter((form) => form.length >= MIN_FORM), ...lines])]
}
