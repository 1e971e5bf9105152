/** The dashboard and the alerts name existing metrics, and the table describes all of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { METRICS } from '../../../../worker/telemetry/metric_table.ts'
import { everyMetric } from '../../../support/every_metric.ts'
import { expectExposition, samplesOf } from '../../../support/exposition.ts'

const read = (name: string) =>
  readFileSync(join(import.meta.dirname, '../../../../docs/examples/grafana', name), 'utf8')
const metricsIn = (text: string) => new Set(text.match(/\b(?:postern|process)_[a-z_]+\b/g))

describe('metrics', () => {
  let text: string
  let names: Set<string>

  beforeAll(async () => {
    text = await everyMetric()
    names = new Set([...samplesOf(text).keys()].map((sample) => sample.replace(/\{.*/, '')))
  })

  it('are a valid exposition', () => expectExposition(text))

  it('are those of the table, in its order', () => {
    const exposed = [...text.matchAll(/^# TYPE ([a-z_]+) ([a-z]+)$/gm)].map(([, name, type]) => [name, type])
    expect(exposed).toEqual(Object.entries(METRICS).map(([name, { type }]) => [name, type]))
  })

  it('have the labels of the table, and no others', () => {
    for (const [name, { labels }] of Object.entries(METRICS)) {
      const samples = text.split('\n').filter((line) => new RegExp(`^${name}(?:_bucket|_sum|_count)?[{ ]`).test(line))
      const used = samples.flatMap((line) => [...line.matchAll(/([a-z]+)="/g)].map(([, label]) => label))
      expect([name, [...new Set(used)].filter((label) => label !== 'le')]).toEqual([name, labels])
    }
  })

  it.each(['postern.json', 'alerts.yml'])('exist when %s names them', (file) => {
    const named = metricsIn(read(file).replaceAll(/\.\*postern\.\*/g, ''))
    expect(named.size).toBeGreaterThan(8)
    for (const name of named) expect(names).toContain(name)
  })

  it('all appear in the dashboard', () => {
    const families = [...text.matchAll(/^# TYPE ([a-z_]+)/gm)].map(([, name]) => name!)
    // A time is of use to an alert or a person only.
    const rest = families.filter((name) => name !== 'postern_rotation_next_timestamp_seconds')
    for (const name of rest) expect(read('postern.json')).toContain(name)
  })

  it('have a dashboard with a place and a query for each panel', () => {
    const { panels } = JSON.parse(read('postern.json'))
    const ids = panels.map(({ id }: { id: number }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { type, title, targets, gridPos } of panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true])
      if (type !== 'row') expect([title, targets.length > 0]).toEqual([title, true])
    }
  })
})
