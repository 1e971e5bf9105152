/** Packing the extension in a checkout that was never built before. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../../..')

it('makes the folder of the package when it is missing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-package-'))
  try {
    const built = {
      name: 'p',
      publisher: 'p',
      version: '1.0.0',
      engines: { vscode: '^1.91.0' },
      main: './node.cjs',
      activationEvents: [],
    }
    writeFileSync(join(folder, 'package.json'), JSON.stringify(built))
    writeFileSync(join(folder, 'node.cjs'), '')
    writeFileSync(join(folder, 'README.md'), '# p\n')
    cpSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'))
    const out = join(folder, 'not/there/postern.vsix')
    const path = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter)
    execFileSync(process.execPath, [join(ROOT, 'extension/build/package.ts'), out, folder], {
      env: { ...process.env, PATH: path },
      stdio: 'pipe',
    })
    // A VSIX is a ZIP archive.
    expect(readFileSync(out).subarray(0, 2).toString()).toBe('PK')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
