/**
 * Reads the text format of Prometheus (0.0.4) with a foreign parser, and checks the rules that the parser does not.
 *
 * @module
 */
import parse from 'parse-prometheus-text-format'
import { expect } from 'vitest'

interface Family {
  name: string
  help: string
  type: string
}

/** Returns the samples by name and labels. */
export function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

/** Fails if a text is not a valid exposition, or a metric breaks the naming conventions. */
export function expectExposition(text: string): void {
  const families = parse(text) as Family[]
  const names = families.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(text.endsWith('\n')).toBe(true)
  for (const { name, help, type } of families) {
    expect(name).toMatch(/^(?:postern|process)_[a-z_]+$/)
    expect([name, ['COUNTER', 'GAUGE', 'HISTOGRAM'].includes(type)]).toEqual([name, true])
    // https://prometheus.io/docs/practices/naming: only counters end in _total; base units only.
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'COUNTER'])
    expect(name).not.toMatch(/_(?:ms|milliseconds|kib|minutes)\b/)
    expect([name, help.length > 10]).toEqual([name, true])
  }
  const samples = samplesOf(text)
  const all = [...samples].filter(([sample]) => sample.includes('le="+Inf"'))
  for (const [sample, value] of all) {
    const counted = sample
      .replace('_bucket{', '_count{')
      .replace(/,?le="\+Inf"/, '')
      .replace('{}', '')
    expect([sample, value]).toEqual([sample, samples.get(counted)])
  }
  const histograms = families.filter(({ type }) => type === 'HISTOGRAM').map(({ name }) => name)
  for (const name of histograms) expect(all.some(([sample]) => sample.startsWith(`${name}_bucket`))).toBe(true)
  expectCumulative(samples)
}

function expectCumulative(samples: ReadonlyMap<string, number>): void {
  const last = new Map<string, number>()
  for (const [sample, value] of samples) {
    if (!sample.includes('_bucket{')) continue
    const series = sample.replace(/,?le="[^"]+"/, '')
    expect([sample, value >= (last.get(series) ?? 0)]).toEqual([sample, true])
    last.set(series, value)
  }
}
