/**
 * Measures the memory of a server under load, and whether it keeps growing. Linux only: it reads `/proc`.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const PAGE_BYTES = 4096

export interface Memory {
  /** MiB at the start of the measurement, at the peak, and at the end. */
  startMib: number
  maxMib: number
  endMib: number
  /** MiB a minute, by least squares over the first and the last third. */
  firstSlope: number
  lastSlope: number
}

/**
 * Samples the resident memory of a server's processes.
 *
 * @param group Their process group; of workerd without wrangler, which only watches it.
 * @returns Ends it, and says what was seen; `null` where there is no `/proc`.
 */
export function watchMemory(group: number, intervalMs = 250): () => Memory | null {
  if (!existsSync('/proc/self/statm')) return () => null
  const samples: [atMs: number, bytes: number][] = []
  const start = performance.now()
  const timer = setInterval(() => samples.push([performance.now() - start, residentOf(group)]), intervalMs)
  return () => {
    clearInterval(timer)
    const third = Math.floor(samples.length / 3)
    if (third < 2) return null
    const mib = samples.map(([, bytes]) => bytes / 2 ** 20)
    const slope = (part: typeof samples) => (slopeOf(part) * 60_000) / 2 ** 20
    return {
      startMib: mib[0]!,
      maxMib: Math.max(...mib),
      endMib: mib.at(-1)!,
      firstSlope: slope(samples.slice(0, third)),
      lastSlope: slope(samples.slice(-third)),
    }
  }
}

/**
 * Whether memory has settled: in the last third it grows less than a third as fast as in the first, or by less than a
 * tenth of its size a minute. A runtime fills its heap first; a leak keeps its pace.
 */
export function isFlat({ firstSlope, lastSlope, endMib }: Memory): boolean {
  return lastSlope <= Math.max(firstSlope / 3, endMib / 10)
}

function residentOf(group: number): number {
  const processes = readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      // The name is in parentheses and may have spaces. The state and the parent follow it.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const [, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (Number(processGroup) !== group) return []
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
      return [{ name, bytes: Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES }]
    } catch {
      return []
    }
  })
  const workerd = processes.filter(({ name }) => name.startsWith('workerd'))
  return (workerd.length > 0 ? workerd : processes).reduce((sum, { bytes }) => sum + bytes, 0)
}

/** By least squares: bytes a millisecond. */
function slopeOf(samples: [number, number][]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [t, b] = [mean(samples.map(([at]) => at)), mean(samples.map(([, bytes]) => bytes))]
  const over = samples.reduce((sum, [at, bytes]) => sum + (at - t) * (bytes - b), 0)
  return over / samples.reduce((sum, [at]) => sum + (at - t) ** 2, 0)
}
