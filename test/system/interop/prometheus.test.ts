/** Prometheus' own tool reads the metrics and the rules. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { everyMetric } from '../../support/every_metric.ts'
import { needs, program } from '../../support/needs.ts'

const PROMTOOL = needs(program('promtool', 'prometheus'))

it('accepts the metrics, and has no complaint about their names', PROMTOOL, async () => {
  const said = execFileSync('promtool', ['check', 'metrics'], { input: await everyMetric(), encoding: 'utf8' })
  expect(said).toBe('')
})

it('takes the rules for alerts', PROMTOOL, () => {
  const file = join(import.meta.dirname, '../../../docs/examples/grafana/alerts.yml')
  expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS')
})
