/** A skip is named at the end of a run, and goes through `needs`. */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

/** Runs Vitest over `skips/some.spec.ts`, and returns its last lines that name a skip. */
function skipsOf(...options: string[]): string[] {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }
  const args = [vitest, 'run', '--root', join(import.meta.dirname, 'skips'), ...options]
  const output = execFileSync(process.execPath, args, { env, encoding: 'utf8' })
  return output.split('\n').filter((line) => line.startsWith('SKIPPED'))
}

describe('a run', { timeout: 120_000 }, () => {
  it('names each skipped test with what it needs, and a skipped suite once', () => {
    expect(skipsOf()).toEqual([
      'SKIPPED: some.spec.ts > is skipped alone — install some-package',
      'SKIPPED: some.spec.ts > a suite (2 tests) — install some-package, set SOME_VARIABLE',
      'SKIPPED: some.spec.ts > a suite of each, one — set SOME_VARIABLE',
      'SKIPPED: some.spec.ts > a suite of each, two — set SOME_VARIABLE',
    ])
  })

  it('names no test that a name pattern leaves out', () => {
    expect(skipsOf('-t', 'skipped with its suite')).toEqual([
      'SKIPPED: some.spec.ts > a suite — install some-package, set SOME_VARIABLE',
    ])
  })
})

it('is the only way to skip a test', () => {
  const files = globSync('test/**/*.ts', { cwd: ROOT }).filter((file) => !file.startsWith(join('test', 'support')))
  expect(files.length).toBeGreaterThan(200)
  const direct = files.flatMap((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .filter((line) => /\.(skipIf|runIf|skip|todo|only)\b\s*[(.]/.test(line) && !/^\s*(\/?\*|\/\/)/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  )
  expect(direct).toEqual([])
})
