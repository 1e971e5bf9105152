/** Prometheus' own tool reads the metrics and the rules. */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { everyMetric } from '../../support/every_metric.ts'

const has = spawnSync('promtool', ['--version']).status === 0
if (!has) process.stderr.write('SKIPPED: promtool is not there (Debian: prometheus)\n')

it.skipIf(!has)('takes the metrics, and finds nothing to say of their names', async () => {
  const said = execFileSync('promtool', ['check', 'metrics'], { input: await everyMetric(), encoding: 'utf8' })
  expect(said).toBe('')
})

it.skipIf(!has)('takes the rules for alerts', () => {
  const file = join(import.meta.dirname, '../../../docs/examples/grafana/alerts.yml')
  expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS')
})
