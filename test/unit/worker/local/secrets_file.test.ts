import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { FileProvider } from '../../../../core/providers/file/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { secretsFile } from '../../../../worker/local/secrets_file.ts'
import { bytesOf } from '../../../support/core.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'postern-file-'))
  folders.push(made)
  return made
}

const signal = () => AbortSignal.timeout(5_000)
const put = (path: string, name: string, value: string) =>
  new FileProvider(secretsFile(path)).put(name, new Redacted(bytesOf(value)), {
    signal: signal(),
    idempotencyKey: 'k'.repeat(32),
  })

describe('secretsFile', () => {
  it('makes a file that only its owner can read, in the format of its name', async () => {
    const root = folder()
    await put(join(root, '.env'), 'DB_URL', 'value')
    await put(join(root, 'dev.json'), 'prod/db', 'value')
    expect(readFileSync(join(root, '.env'), 'utf8')).toBe('DB_URL=value\n')
    expect(JSON.parse(readFileSync(join(root, 'dev.json'), 'utf8'))).toEqual({ 'prod/db': 'value' })
    for (const file of ['.env', 'dev.json']) expect(statSync(join(root, file)).mode & 0o777).toBe(0o600)
    expect(readdirSync(root).sort()).toEqual(['.env', 'dev.json'])
  })

  it('keeps the mode of a file, and the link that leads to it', async () => {
    const root = folder()
    writeFileSync(join(root, 'shared.env'), 'A=1\n')
    chmodSync(join(root, 'shared.env'), 0o640)
    symlinkSync(join(root, 'shared.env'), join(root, '.env'))
    await put(join(root, '.env'), 'B', '2')
    expect(readFileSync(join(root, 'shared.env'), 'utf8')).toBe('A=1\nB=2\n')
    expect(statSync(join(root, 'shared.env')).mode & 0o777).toBe(0o640)
  })

  it('leaves nothing behind when it cannot write', async () => {
    const root = folder()
    const path = join(root, 'absent', '.env')
    await expect(put(path, 'A', '1')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(existsSync(path)).toBe(false)
    // A folder in its place cannot be read.
    await expect(put(root, 'A', '1')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(readdirSync(root)).toEqual([])
  })
})
