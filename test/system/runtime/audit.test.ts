/** The log as evidence, over HTTP and by the command that auditors run. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseBase64 } from '../../../core/bytes.ts'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { openCheckpoint } from '../../../core/tlog/checkpoint.ts'
import { verifyConsistency } from '../../../core/tlog/proof.ts'
import { parseVerifierKey } from '../../../core/tlog/signed_note.ts'
import { needs, program } from '../../support/needs.ts'
import { witnessOf } from '../../support/note_keys.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let client: Client
  let folder: string
  let key: string

  const file = (name: string) => join(folder, name)
  const text = async (path: string) => {
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    const response = await fetch(`${server.endpoint}/v1/vaults/default/audit/${path}`, { headers })
    return { status: response.status, body: await response.text() }
  }
  /** Runs `npm run audit:verify`'s command. Not in sync: idle connections would go stale unseen. */
  const verify = async (...args: string[]) => {
    const env = { ...process.env, TOKEN: site.token.reveal() }
    const child = spawn('node', ['cli/audit_verify.ts', '--key', key, ...args], { cwd: ROOT, env })
    const outputs = [child.stdout, child.stderr].map((stream) => textOf(stream))
    const [code] = (await once(child, 'exit')) as [number | null]
    return { code, said: (await Promise.all(outputs)).join('').trim() }
  }
  const fromServer = () => ['--url', server.endpoint, '--vault', 'default']

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-audit-'))
    site = await makeSite()
    server = await startServer(runtime, site, { POSTERN_LOG_ORIGIN: 'example.com/audit' })
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    for (let i = 0; i < 20; i++) await client.put(`n/${i}`, new Redacted('x'))
    key = (await text('key')).body.trim()
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('signs one checkpoint after another, each a continuation of the last', async () => {
    const verifiers = [await parseVerifierKey(key)]
    const old = await openCheckpoint(await client.checkpoint(), verifiers)
    await client.put('n/more', new Redacted('x'))
    await sleep(1100)
    const now = await openCheckpoint(await client.checkpoint(), verifiers)
    expect(old?.origin).toBe('example.com/audit/default')
    expect(now?.size).toBe(old!.size + 1)
    const { hashes } = await client.consistency(old!.size, now!.size)
    expect(
      verifyConsistency(
        hashes.map((hash) => parseBase64(hash)!),
        old!,
        now!,
      ),
    ).toBe(true)
  })

  it('signs the same checkpoint for all who ask at once', async () => {
    await client.put('n/again', new Redacted('x'))
    await sleep(1100)
    const notes = await Promise.all(Array.from({ length: 10 }, () => client.checkpoint()))
    expect(new Set(notes).size).toBe(1)
  })

  it('asks for no right, and for a token', async () => {
    await client.putPrincipal('anybody', { kind: 'service' })
    const { token } = await client.createToken({ principal: 'anybody' })
    const anybody = connect({ endpoint: server.endpoint, vault: site.vault, token })
    expect(await anybody.checkpoint()).toContain('example.com/audit/default\n')
    expect((await anybody.inclusion(3, 10)).hashes).toHaveLength(4)
    const refused = await fetch(`${server.endpoint}/v1/vaults/default/audit/checkpoint`)
    expect(refused.status).toBe(401)
  })

  it('has no proof for a missing entry', async () => {
    const { size } = await client.auditEntries({ limit: 1 })
    const paths = [
      `inclusion/${size + 9}`,
      `consistency?from=2&to=${size + 9}`,
      'consistency?from=5&to=2',
      `tile/0/000.p/255`,
      'tile/1/000',
    ]
    for (const path of paths) expect([path, (await text(path)).status]).toEqual([path, 404])
    for (const path of [
      'inclusion/01',
      'inclusion/x',
      'tile/0/0',
      'tile/0/000.p/256',
      'tile/64/000',
      'tile/0/x000/000',
    ]) {
      expect([path, (await text(path)).status]).toEqual([path, 400])
    }
  })

  it('row 41: is verified from the server, remembered, and saved', async () => {
    const args = [...fromServer(), '--remember', file('seen'), '--save', file('export.jsonl')]
    const first = await verify(...args)
    expect(first).toEqual({
      code: 0,
      said: expect.stringMatching(/^example\.com\/audit\/default: \d+ entries are whole and in order$/),
    })
    copyFileSync(file('seen'), file('earlier'))
    await client.put('n/later', new Redacted('x'))
    await sleep(1100)
    const size = Number(/(\d+) entries/.exec(first.said)?.[1])
    const second = await verify(...args)
    expect(second.code).toBe(0)
    expect(Number(/(\d+) entries/.exec(second.said)?.[1])).toBeGreaterThan(size)
  })

  it('row 41: is verified from a file, which tells what was changed in it', async () => {
    const [checkpoint, lines] = [
      readFileSync(file('seen'), 'utf8'),
      readFileSync(file('export.jsonl'), 'utf8').trimEnd().split('\n'),
    ]
    writeFileSync(file('checkpoint'), checkpoint)
    const from = (entries: string[]) => {
      writeFileSync(file('changed.jsonl'), `${entries.join('\n')}\n`)
      return verify('--file', file('changed.jsonl'), '--checkpoint', file('checkpoint'))
    }
    expect((await from(lines)).code).toBe(0)
    const size = Number(readFileSync(file('earlier'), 'utf8').split('\n')[1])
    expect(await verify('--file', file('changed.jsonl'), '--checkpoint', file('earlier'))).toEqual({
      code: 3,
      said: expect.stringContaining(`the first ${size} of ${lines.length} entries are whole`),
    })
    expect(await from(lines.with(5, lines[5]!.replace('"n/', '"m/')))).toEqual({
      code: 2,
      said: expect.stringContaining('edited: Entry 5'),
    })
    expect(await from(lines.toSpliced(7, 1))).toEqual({ code: 2, said: expect.stringContaining('missing: Entry 7') })
    expect(await from(lines.slice(0, 9))).toEqual({
      code: 2,
      said: expect.stringContaining('truncated: Log ends after 9'),
    })
  })

  it('is verified line by line by the program that the documents show', needs(program('python3')), () => {
    const program = /```python\n([\s\S]*?)```/.exec(
      readFileSync(join(ROOT, 'docs/how-to/verify-the-log.md'), 'utf8'),
    )?.[1]
    const run = (name: string) => spawnSync('python3', ['-c', program!, file(name)], { encoding: 'utf8' })
    const lines = readFileSync(file('export.jsonl'), 'utf8').trimEnd().split('\n')
    expect(run('export.jsonl').stdout).toBe(`${lines.length} entries fit together\n`)
    writeFileSync(file('changed.jsonl'), `${lines.with(5, lines[5]!.replace('"n/', '"m/')).join('\n')}\n`)
    expect(run('changed.jsonl').stderr).toBe('entry 5 or 6 is wrong\n')
  })

  it('is exported in common formats, a page at a time', async () => {
    const page = await fetch(`${server.endpoint}/v1/vaults/default/audit/export?format=jsonl&limit=5`, {
      headers: { Authorization: `Bearer ${site.token.reveal()}` },
    })
    expect(page.headers.get('Link')).toBe('</v1/vaults/default/audit/export?format=jsonl&limit=5&from=5>; rel="next"')
    expect(page.headers.get('Content-Type')).toBe('application/x-ndjson')
    expect((await page.text()).trimEnd().split('\n')).toEqual(
      readFileSync(file('export.jsonl'), 'utf8').split('\n').slice(0, 5),
    )
    const rows = { csv: 6, ocsf: 5, syslog: 5 }
    for (const [format, count] of Object.entries(rows)) {
      const { body } = await text(`export?format=${format}&limit=5`)
      expect([format, body.trimEnd().split('\n').length]).toEqual([format, count])
    }
    expect((await text('export?format=xml')).status).toBe(400)
  })

  it('shows each principal its own entries, and all entries to administrators', async () => {
    await client.putPrincipal('somebody', { kind: 'service' })
    const { token } = await client.createToken({ principal: 'somebody' })
    const somebody = connect({ endpoint: server.endpoint, vault: site.vault, token })
    await somebody.get('n/1').catch(() => {})
    const { items } = await somebody.myEntries({ limit: 10 })
    expect(items.map(({ operation, resource, outcome }) => [operation, resource, outcome])).toEqual([
      ['secret.read', 'n/1', 'denied'],
    ])
    for (const ask of [() => somebody.auditStatus(), () => somebody.auditEntries(), () => somebody.holdLog('x')]) {
      await expect(ask()).rejects.toMatchObject({ code: 'denied' })
    }
    const { entries } = await client.auditEntries({ severity: 'warning', limit: 1000 })
    expect(entries.map(({ body }) => JSON.parse(body).outcome).every((outcome) => outcome === 'denied')).toBe(true)
    expect(entries.length).toBeGreaterThanOrEqual(4)
  })

  it('can be held', async () => {
    await client.holdLog('case 7')
    expect(await client.auditStatus()).toMatchObject({ min: 0, hold: { reason: 'case 7', by: 'admin' }, keyTerm: 1 })
    await client.holdLog(null)
    expect(await client.auditStatus()).not.toHaveProperty('hold')
  })

  it('proves one entry by a file of its own', async () => {
    const { entries } = await client.auditEntries({ from: 4, limit: 1 })
    writeFileSync(file('proof'), (await text('proof/4')).body)
    writeFileSync(file('entry'), `${entries[0]!.body}\n`)
    expect(await verify('--proof', file('proof'), '--entry', file('entry'))).toEqual({
      code: 0,
      said: expect.stringContaining('Entry is in example.com/audit/default'),
    })
    writeFileSync(file('entry'), `${entries[0]!.body.replace('"n/', '"m/')}\n`)
    expect((await verify('--proof', file('proof'), '--entry', file('entry'))).code).toBe(2)
  })

  it('row 78: is not whole without the witnesses that are demanded', async () => {
    const { key: witness } = await witnessOf('w.example/1')
    expect(await verify(...fromServer(), '--witness', witness, '--fresh', '1h')).toEqual({
      code: 2,
      said: expect.stringContaining('unwitnessed: '),
    })
    for (const wrong of [
      ['--fresh', '1h'],
      ['--witness', key],
      ['--witness', witness, '--quorum', '2'],
      ['--witness', witness, '--fresh', '1 hour'],
    ]) {
      expect((await verify(...fromServer(), ...wrong)).code).toBe(1)
    }
  })

  it('says what is missing or wrong in its own arguments', async () => {
    expect(await verify('--file', file('export.jsonl'))).toEqual({ code: 1, said: '--checkpoint must be given' })
    const other = key.replace('example.com', 'example.org')
    expect(await verify('--key', other, ...fromServer())).toEqual({
      code: 1,
      said: expect.stringContaining('Verifier key must read'),
    })
  })

  it('is signed by another key after a change, and still by the one before', async () => {
    const { term, key: renewed } = await client.rekeyLog()
    expect(term).toBe(2)
    expect((await text('key')).body).toBe(`${renewed}\n${key}\n`)
    await sleep(1100)
    const note = await client.checkpoint()
    for (const one of [key, renewed]) {
      expect(await openCheckpoint(note, [await parseVerifierKey(one)])).toMatchObject({
        origin: 'example.com/audit/default',
      })
    }
    // An auditor with only the old key learns the new one from the log.
    expect(await verify(...fromServer())).toEqual({
      code: 0,
      said: expect.stringContaining(`\nIts key was changed: ${renewed}`),
    })
    expect((await verify('--key', renewed, ...fromServer())).said).not.toContain('changed')
    await client.rekeyLog()
    await sleep(1100)
    expect(await verify(...fromServer())).toEqual({ code: 2, said: expect.stringContaining('checkpoint: ') })
    expect((await verify('--key', renewed, ...fromServer())).code).toBe(0)
  })
})
