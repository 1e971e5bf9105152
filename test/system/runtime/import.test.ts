/** The command that imports values in the legacy format. */
import { spawnSync } from 'node:child_process'
import { createCipheriv, randomBytes, scryptSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { canary, leaks } from '../../support/canary.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const key = randomBytes(32)

function sealed(value: string | Uint8Array, by: Uint8Array): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', by, nonce)
  const ciphertext = Buffer.concat([
    cipher.update(typeof value === 'string' ? Buffer.from(value) : value),
    cipher.final(),
  ])
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
    const ran = spawnSync('node', ['cli/import.ts', file, ...args], { cwd: ROOT, env, encoding: 'utf8' })
    return { output: ran.stdout + ran.stderr, status: ran.status }
  }
  const format = ['--format', 'nonce:tag:ciphertext']
  const byKey = { POSTERN_IMPORT_KEY: key.toString('base64url') }

  it('opens all, writes only when told to, and what it wrote can be read', async () => {
    const value = canary()
    const values = { 'old/a': sealed(value, key), 'old/b': sealed('b', key) }
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    // An empty setting counts as not given.
    expect(run(values, format, { ...byKey, POSTERN_IMPORT_PASSPHRASE: '' })).toEqual({
      output: '2 values can be opened; --write brings them into the vault\n',
      status: 0,
    })
    expect((await client.list()).items).toEqual([])
    const write = (what: object) => run(what, [...format, '--write'], byKey)
    expect(write(values)).toEqual({ output: '2 secrets written, 0 were there already\n', status: 0 })
    expect((await client.get('old/a')).value.reveal()).toBe(value)
    // A second time nothing is written, and nothing is wrong.
    expect(write(values)).toEqual({ output: '0 secrets written, 2 were there already\n', status: 0 })
    const { items } = await client.versions('old/a')
    expect(items.map(({ version }) => version)).toEqual([1])
  })

  it('continues where it was interrupted, and overwrites nothing', async () => {
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    const write = (what: object) => run(what, [...format, '--write'], byKey)
    const bytes = Buffer.from([0xff, 0xfe, 0x80])
    const value = canary()
    const whole = {
      'i/a': sealed(value, key),
      'i/b': sealed(bytes, key),
      'i/c': sealed('c', key),
      'i/d': sealed('d', key),
    }
    // The first run ended after two of four; a value that reads like the base64 of bytes is another one.
    expect(write({ 'i/a': whole['i/a'], 'i/b': whole['i/b'] }).status).toBe(0)
    expect(write(whole)).toEqual({ output: '2 secrets written, 2 were there already\n', status: 0 })
    expect((await client.get('i/b')).value.reveal()).toBe(bytes.toString('base64'))
    await client.put('i/c', new Redacted('changed since'))
    await client.delete('i/d')
    const again = write({ 'i/new': sealed('new', key), ...whole, 'i/b': sealed(bytes.toString('base64'), key) })
    expect(again.status).toBe(1)
    expect(again.output).toBe(
      '1 secrets written, 1 were there already; there with another value, and left as they are: values 3, 4; there, and not to be read and compared: values 5\n',
    )
    expect((await client.get('i/c')).value.reveal()).toBe('changed since')
    expect((await client.versions('i/b')).items).toHaveLength(1)
    expect(leaks(again.output, [value])).toEqual([])
  })

  it('says how far it came when it has to stop', async () => {
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    await client.putPrincipal('importer', { kind: 'service' })
    await client.putRule('importer', { effect: 'permit', principal: 'importer', actions: ['write'], resource: 'w/*' })
    const { token } = await client.createToken({ principal: 'importer' })
    const values = { 'w/a': sealed('a', key), 'x/b': sealed('b', key), 'w/c': sealed('c', key) }
    const settings = { ...byKey, TOKEN: token.reveal() }
    const stopped = run(values, [...format, '--write'], settings)
    expect([stopped.status, stopped.output]).toEqual([
      1,
      expect.stringMatching(
        /^Value 2: .+; 1 secrets written, 0 were there already; 2 left. Run it again to continue\n$/,
      ),
    ])
    const blind = run({ 'w/a': values['w/a'], 'w/c': values['w/c'] }, [...format, '--write'], settings)
    expect([blind.status, blind.output]).toEqual([
      1,
      '1 secrets written, 0 were there already; there, and not to be read and compared: values 1\n',
    ])
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

  it('row 5: refuses without the flag, with a wrong key, or with something else, and shows no value', () => {
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
    // A value that its key does not open may have been tampered with: commands end with 2 for that.
    expect(outcomes.map(({ status }) => status)).toEqual([1, 1, 2, 1, 1, 1])
    expect(leaks(outcomes.map(({ output }) => output).join(), [value])).toEqual([])
  })
})
