/**
 * `npm run attacks`: has every test run that names a row, and writes `docs/attacks.json` and `docs/attacks.md`. With
 * `--check` it runs nothing: it fails when a row has no test that passed, or when the page names other tests than there are.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { generated } from '../generated.ts'
import { attacksPage, flawsOf, isOf, namedTests, type Outcome } from './page.ts'

const ROOT = join(import.meta.dirname, '../..')
const KEPT = join(ROOT, 'docs/attacks.json')
// Those of live stores and of an editor have commands, and needs, of their own.
const PROJECTS = ['node', 'runtime', 'workerd'].flatMap((name) => ['--project', name])

interface Report {
  testResults: { assertionResults: { status: string; title: string; ancestorTitles: string[] }[] }[]
}

const named = namedTests()
if (!process.argv.includes('--check')) writeFileSync(KEPT, `${JSON.stringify(run(), null, 2)}\n`)
const outcomes = JSON.parse(readFileSync(KEPT, 'utf8')) as Outcome[]
generated('docs/attacks.md', attacksPage(outcomes), 'attacks')
for (const flaw of flawsOf(outcomes, named)) {
  process.stderr.write(`${flaw}\n`)
  process.exitCode = 1
}

function run(): Outcome[] {
  const folder = mkdtempSync(join(tmpdir(), 'postern-attacks-'))
  const json = join(folder, 'report.json')
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${json}`]
  // A table of providers is a module that their tests share.
  const files = [...new Set(named.map(({ file }) => (file.endsWith('.test.ts') ? file : join(file, '..'))))]
  const options = { cwd: ROOT, stdio: 'inherit' } as const
  spawnSync('vitest', ['run', ...PROJECTS, ...files, '--testNamePattern=rows? [0-9]', ...reporters], options)
  const { testResults } = JSON.parse(readFileSync(json, 'utf8')) as Report
  rmSync(folder, { recursive: true })
  const ran = testResults.flatMap(({ assertionResults }) => assertionResults)
  return named.map((one) => {
    const own = ran.filter(({ title, ancestorTitles }) =>
      [...ancestorTitles, title].some((text) => text.includes('row') && isOf(one.title, text)),
    )
    const count = (status: string) => own.filter((test) => test.status === status).length
    return { ...one, passed: count('passed'), failed: count('failed') }
  })
}
