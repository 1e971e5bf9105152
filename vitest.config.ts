import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      {
        // Generous: how long a test takes is the machine's business.
        test: {
          name: 'node',
          testTimeout: 60_000,
          include: ['test/**/*.test.ts'],
          exclude: ['test/workerd/**', 'test/runtime/**', 'test/interop/**', 'test/live/**', 'test/editor/**'],
        },
      },
      {
        // Whole servers, one a runtime: one file at a time, so that they do not starve each other.
        test: {
          name: 'runtime',
          include: ['test/runtime/**/*.test.ts'],
          setupFiles: ['test/runtime/contract_watch.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Against programs that npm does not bring: npm run test:interop.
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // In a real editor, which npm does not bring: npm run test:editor.
        test: {
          name: 'editor',
          include: ['test/editor/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
      {
        // Against stores that the environment names: npm run test:live.
        test: {
          name: 'live',
          include: ['test/live/**/*.test.ts'],
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
        test: { name: 'workerd', testTimeout: 60_000, include: ['test/workerd/**/*.test.ts', 'test/core/bytes.test.ts'] },
      },
    ],
  },
})
