import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['*.spec.ts'], reporters: ['default', '../skip_reporter.ts'] } })
