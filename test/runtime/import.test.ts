/** The import of values in the specification's form, as a command. */
import { spawnSync } from 'node:child_process'
import { createCipheriv, randomBytes, scryptSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../core/client.ts'
import { canary, leaks } from '../canary.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const key = randomBytes(32)

function sealed(value: string, by: Uint8Array): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', by, nonce)
  const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
  return [nonce, cipher.getAuthTag(), ciphertext].map((part) => part.toString('hex')).join(':')
}

describe('the import', () => {
  let site: Site
  let server: Server
  let folder: string

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer('bun', site)
    folder = mkdtempSync(join(tmpdir(), 'postern-import-'))
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  function run(values: object, args: string[], settings: Record<string, string>) {
    const file = join(folder, 'values.json')
    writeFileSync(file, JSON.stringify(values))
    const env = { ...process.env, POSTERN_ENDPOINT: server.endpoint, TOKEN: site.token.reveal(), ...settings }
    const ran = spawnSync('node', ['worker/import.ts', file, ...args], { cwd: ROOT, env, encoding: 'utf8' })
    return { output: ran.stdout + ran.stderr, status: ran.status }
  }
  const format = ['--format', 'nonce:tag:ciphertext']
  const byKey = { POSTERN_IMPORT_KEY: key.toString('base64url') }

  it('opens all, writes only when told to, and what it wrote can be read', async () => {
    const value = canary()
    const values = { 'old/a': sealed(value, key), 'old/b': sealed('b', key) }
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    expect(run(values, format, byKey)).toEqual({
      output: '2 values can be opened; --write brings them into the vault\n',
      status: 0,
    })
    expect((await client.list()).items).toEqual([])
    expect(run(values, [...format, '--write'], byKey)).toEqual({ output: '2 secrets written\n', status: 0 })
    expect((await client.get('old/a')).value.reveal()).toBe(value)
    // A second time nothing is overwritten.
    const again = run(values, [...format, '--write'], byKey)
    expect([again.status, again.output]).toEqual([1, 'Secret exists already\n'])
  })

  it('derives the key of a passphrase', () => {
    const salt = randomBytes(16)
    const derived = scryptSync('correct horse', salt, 32, { N: 2 ** 14, r: 8, p: 1 })
    const args = [...format, '--salt', salt.toString('hex'), '--n', '16384', '--r', '8', '--p', '1']
    const settings = { POSTERN_IMPORT_PASSPHRASE: 'correct horse' }
    expect(run({ 'old/c': sealed('c', derived) }, args, settings).output).toMatch(/^1 values can be opened/)
    const weak = args.with(args.indexOf('16384'), '1024')
    expect(run({ 'old/c': sealed('c', derived) }, weak, settings)).toMatchObject({ status: 1 })
  })

  it('refuses without the flag, with a wrong key, or with something else, and shows no value', () => {
    const value = canary()
    const values = { 'old/d': sealed(value, key) }
    const outcomes = [
      run(values, [], byKey),
      run(values, format, {}),
      run(values, format, { POSTERN_IMPORT_KEY: randomBytes(32).toString('base64url') }),
      run({ 'old/d': value }, format, byKey),
      run({ [value]: values['old/d'] }, format, byKey),
      run([value], format, byKey),
    ]
    expect(outcomes.map(({ status }) => status)).toEqual([1, 1, 1, 1, 1, 1])
    expect(leaks(outcomes.map(({ output }) => output).join(), [value])).toEqual([])
  })
})
