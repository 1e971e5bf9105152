/**
 * Names what was skipped, at the end of a run: `SKIPPED: <test> — install <package>`.
 *
 * @module
 */
import type { Reporter, TestCase, TestModule, TestRunEndReason, TestSuite, Vitest } from 'vitest/node'
import './needs.ts'

/** A reporter of Vitest that prints one line for each test or suite that `needs` skipped. */
export default class SkipReporter implements Reporter {
  #pattern: RegExp | undefined

  onInit({ config }: Vitest): void {
    this.#pattern = config.testNamePattern
  }

  onTestRunEnd(modules: readonly TestModule[], _errors: unknown, _reason: TestRunEndReason): void {
    const skipped = new Map<TestCase | TestSuite, number>()
    for (const test of modules.flatMap((module) => [...module.children.allTests('skipped')])) {
      // A test that the name pattern leaves out is `skipped` as well.
      if (test.meta().remedy === undefined || this.#pattern?.test(test.fullName.replaceAll(' > ', ' ')) === false)
        continue
      const named = outermost(test)
      skipped.set(named, (skipped.get(named) ?? 0) + 1)
    }
    for (const [task, tests] of skipped) {
      const count = tests > 1 ? ` (${tests} tests)` : ''
      process.stdout.write(
        `SKIPPED: ${task.module.relativeModuleId} > ${task.fullName}${count} — ${task.meta().remedy}\n`,
      )
    }
  }
}

/** The suite that a test is skipped with, or the test. Suites pass their metadata on to what is in them. */
function outermost(test: TestCase): TestCase | TestSuite {
  let task: TestCase | TestSuite = test
  while (task.parent.type === 'suite' && task.parent.meta().remedy === test.meta().remedy) task = task.parent
  return task
}
