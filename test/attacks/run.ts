/**
 * `npx node test/attacks/run.ts` runs every test whose title names a row, and writes `docs/reference/attacks.json` and
 * `docs/reference/attacks.md`. `npx node test/attacks/run.ts test/unit/core` runs those below a folder, and keeps the results of the
 * others. `--check` runs nothing, and fails if a row has no passed test or the page lists other tests than the source.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { generated } from '../../scripts/generated.ts'
import { attacksPage, flawsOf, isOf, type Named, namedTests, type Outcome } from './page.ts'

const ROOT = join(import.meta.dirname, '../..')
const KEPT = join(ROOT, 'docs/reference/attacks.json')
// Tests of live stores and of an editor have their own commands and requirements.
const PROJECTS = ['node', 'runtime', 'workerd'].flatMap((name) => ['--project', name])

interface Report {
  testResults: { name: string; assertionResults: { status: string; title: string; ancestorTitles: string[] }[] }[]
}

const [, , ...wanted] = process.argv
const check = wanted.includes('--check')
const named = namedTests()
if (!check) writeFileSync(KEPT, `${JSON.stringify(outcomesOf(named.filter(isWanted)), null, 2)}\n`)
const outcomes = kept()
generated('docs/reference/attacks.md', attacksPage(outcomes), 'npx node test/attacks/run.ts')
for (const flaw of flawsOf(outcomes, named)) {
  process.stderr.write(`${flaw}\n`)
  process.exitCode = 1
}

/** Whether it is in the folders and files that were named; in any when none was. */
function isWanted({ file }: Named): boolean {
  return wanted.length === 0 || wanted.some((path) => file.startsWith(path))
}

function kept(): Outcome[] {
  return existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : []
}

/** Runs tests and returns their results, with the earlier results of all other tests. */
function outcomesOf(tests: readonly Named[]): Outcome[] {
  const folder = mkdtempSync(join(tmpdir(), 'postern-attacks-'))
  const json = join(folder, 'report.json')
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${json}`]
  // A table of providers is a module that tests of several folders share.
  const files = [
    ...new Set(
      tests.flatMap(({ file }) =>
        isShared(file) ? ['test/suites', 'test/unit/core/providers/fault_matrix.test.ts'] : file,
      ),
    ),
  ]
  const options = { cwd: ROOT, stdio: 'inherit' } as const
  spawnSync('vitest', ['run', ...PROJECTS, ...files, '--testNamePattern=rows? [0-9]', ...reporters], options)
  const { testResults } = JSON.parse(readFileSync(json, 'utf8')) as Report
  rmSync(folder, { recursive: true })
  const before = kept()
  return named.map((one) => {
    const same = ({ row, file, title }: Named) => row === one.row && file === one.file && title === one.title
    if (!tests.some(same)) return before.find(same) ?? { ...one, passed: 0, failed: 0 }
    const ran = testResults
      .filter(({ name }) => isShared(one.file) || name.endsWith(one.file))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ title, ancestorTitles }) => [...ancestorTitles, title].some((text) => isOf(one, text)))
    const count = (status: string) => ran.filter((test) => test.status === status).length
    return { ...one, passed: count('passed'), failed: count('failed') }
  })
}

function isShared(file: string): boolean {
  return !file.endsWith('.test.ts')
}
