/**
 * The measurements in `docs/reference/benchmarks.json`. Each run adds its part.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Runtime } from '../../system/runtime/servers.ts'
import type { LoadReport } from './load.ts'

const FILE = join(import.meta.dirname, '../../../docs/reference/benchmarks.json')

/** A whole server, asked over HTTP. */
export interface ServerReport {
  measuredAt: string
  /** How many processes ran or wanted to, on average of the minute before: what the machine had else to do. */
  busy: number
  /** From the start of its process until it listens. */
  startMs: number
  /** Resident memory, in MiB: after the start, and when all loads are over. */
  startMiB: number
  loadedMiB: number
  /** Reads, by how many connections ask at once. */
  reads: Record<string, LoadReport>
  writes: LoadReport
  /** 200 values at once. */
  hydrate: LoadReport
  signIn: LoadReport
}

/** Medians and 99th percentiles, in microseconds. */
export interface MicroReport {
  measuredAt: string
  times: Record<string, { p50: number; p99: number }>
}

/** Microseconds a read in the vault, by how many secrets or entries there are. */
export interface GrowthReport {
  measuredAt: string
  secrets: Record<string, number>
  entries: Record<string, number>
}

/** The log on disk, in microseconds for an append and milliseconds for the rest. */
export interface LogReport {
  measuredAt: string
  runtime: string
  /** Median of an append in a batch, by how many entries the log has. */
  appends: Record<string, number>
  /** An append in a transaction of its own: CPU time, and median until it is durable. */
  cpuMs: number
  singleMs: number
  /** Medians at the largest size. */
  inclusionMs: number
  consistencyMs: number
}

export interface Report {
  machine?: { processors: string; memoryGiB: number; system: string }
  versions: Record<string, string>
  servers: Partial<Record<Runtime, ServerReport>>
  micro: Partial<Record<Runtime, MicroReport>>
  growth?: GrowthReport
  log?: LogReport
  /** The Worker as it is deployed. */
  worker?: { measuredAt: string; gzipKiB: number }
}

export function readReport(): Report {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : { versions: {}, servers: {}, micro: {} }
}

/** Adds a part to what was measured before, on this machine. */
export function addToReport(add: (report: Report) => void): void {
  const report = readReport()
  const [processor] = cpus()
  report.machine = {
    processors: `${cpus().length} × ${processor?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
  }
  add(report)
  writeFileSync(FILE, `${JSON.stringify(report, rounded, 2)}\n`)
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value
}
