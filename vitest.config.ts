import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Whole servers first: they mostly wait, and the rest runs beside them. */
class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const waits = ({ project }: TestSpecification) => project.name === 'runtime'
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))]
  }
}

export default defineConfig({
  test: {
    // One more than the smallest machine has cores: by itself vitest would take one less, and leave it idle.
    maxWorkers: Math.max(3, availableParallelism()),
    sequence: { sequencer: WaitingFirst },
    reporters: ['default', './test/support/skip_reporter.ts'],
    projects: [
      {
        // Generous: how long a test takes is the machine's business.
        test: {
          name: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**', 'test/vectors/foreign/**'],
        },
      },
      {
        // Suites of other projects, from the folder that POSTERN_VECTORS names: npm run test:vectors.
        test: {
          name: 'vectors',
          include: ['test/vectors/foreign/**/*.test.ts'],
          globalSetup: ['test/vectors/foreign/folder.ts'],
          testTimeout: 60_000,
        },
      },
      {
        // Whole servers, one a runtime, each on a free port over data of its own.
        test: {
          name: 'runtime',
          include: ['test/system/runtime/**/*.test.ts'],
          setupFiles: ['test/system/runtime/contract_watch.ts'],
          // Node's servers and commands start in half the time when they are compiled already.
          env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compiled') },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Against programs that npm does not bring: npm run test:interop.
        test: {
          name: 'interop',
          include: ['test/system/interop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // In a real editor, which npm does not bring: npm run test:editor.
        test: {
          name: 'editor',
          include: ['test/system/editor/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
      {
        // Against stores that the environment names: npm run test:live.
        test: {
          name: 'live',
          include: ['test/system/live/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                POSTERN_ROOT_KEY: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8',
                POSTERN_FORMER_ROOT_KEYS: 'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc',
                POSTERN_ENVIRONMENT: 'test',
              },
            },
          }),
        ],
        test: {
          name: 'workerd',
          testTimeout: 60_000,
          include: ['test/system/workerd/**/*.test.ts', 'test/unit/core/bytes.test.ts'],
        },
      },
    ],
  },
})
