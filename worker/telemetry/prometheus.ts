/**
 * Writes metrics in the text format of Prometheus (0.0.4).
 *
 * @module
 */
import type { Histogram } from '../../core/histogram.ts'
import { type LabelsOf, METRICS, type MetricName } from './metric_table.ts'

/** The content type of the format. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Joins lines to a document, which ends with a newline. */
export function exposition(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

/** A value, or a histogram, with its labels. */
export type Sample<N extends MetricName, V = number> = readonly [labels: LabelsOf<N>, value: V]

/** Writes a counter or a gauge: no line when it has no samples. */
export function metric<N extends MetricName>(name: N, samples: readonly Sample<N>[]): string[] {
  return family(
    name,
    samples.map(([labels, value]) => `${name}${labelSet(labels)} ${value}`),
  )
}

/** Writes a histogram: the cumulative buckets, the sum and the count of each series. */
export function histogram<N extends MetricName>(name: N, series: readonly Sample<N, Histogram>[]): string[] {
  const lines = series.flatMap(([labels, counted]) => {
    const { cumulative, count, sum } = counted.read()
    const bucket = (le: number | string, n: number) => `${name}_bucket${labelSet({ ...labels, le: String(le) })} ${n}`
    return [
      ...cumulative.map((n, i) => bucket(counted.bounds[i]!, n)),
      bucket('+Inf', count),
      `${name}_sum${labelSet(labels)} ${sum}`,
      `${name}_count${labelSet(labels)} ${count}`,
    ]
  })
  return family(name, lines)
}

function family(name: MetricName, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const { type, help } = METRICS[name]
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines]
}

/** Nothing is escaped: no value of a label comes from outside. */
function labelSet(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
