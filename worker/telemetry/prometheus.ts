/**
 * Writes metrics in the text format of Prometheus (0.0.4).
 *
 * @module
 */

/** The content type of the format. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Writes one metric; nothing of it when there are no samples. */
export function family(name: string, type: string, help: string, samples: readonly string[]): string[] {
  if (samples.length === 0) return []
  const lines = samples.map((sample) => name + sample)
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines]
}
