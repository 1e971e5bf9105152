/**
 * Our checkpoints and an independent witness: litewitness of torchwood (C2SP tlog-witness).
 *
 * It needs `litewitness` and `witnessctl` (Debian's torchwood) on the path, and ssh-agent with ssh-keygen.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { openCheckpoint } from '../../../core/tlog/checkpoint.ts'
import { openNote, parseNote, parseVerifierKey } from '../../../core/tlog/signed_note.ts'
import { needs, program } from '../../support/needs.ts'
import { freePort } from '../../support/ports.ts'
import { until } from '../../support/until.ts'
import { makeSite, type Server, type Site, startServer } from '../runtime/servers.ts'

const NAME = 'witness.example.com'
const ORIGIN = 'example.com/audit'
const PROGRAMS = [
  ...['litewitness', 'witnessctl'].map((name) => program(name, 'torchwood')),
  ...['ssh-agent', 'ssh-add', 'ssh-keygen'].map((name) => program(name, 'openssh-client')),
]

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
  return stdout
}

describe('litewitness', needs(...PROGRAMS), () => {
  const processes: ChildProcess[] = []
  let folder: string
  let site: Site
  let server: Server
  let client: Client
  let url: string
  let witnessKey: string
  let logKey: string

  const file = (name: string) => join(folder, name)
  const start = (command: string, ...args: string[]) => {
    const env = { ...process.env, GODEBUG: 'httpmuxgo121=0' }
    processes.push(spawn(command, args, { env, stdio: 'ignore' }))
  }
  const serve = async (place: Site, anchor: string) => {
    server = await startServer('bun', place, {
      POSTERN_LOG_ORIGIN: ORIGIN,
      POSTERN_AUDIT__PUBLISH_SECONDS: '1',
      POSTERN_AUDIT__ANCHOR: anchor,
      POSTERN_AUDIT__WITNESSES: `${url} ${witnessKey}`,
    })
    client = connect({ endpoint: server.endpoint, vault: place.vault, token: place.token })
  }
  const writes = async (count: number) => {
    for (let i = 0; i < count; i++) await client.put(`n/${i}`, new Redacted('x'))
  }
  const ofWitness = async () =>
    (await client.auditStatus()).deliveries.find(({ target }) => target === `witness:${NAME}`)

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-witness-'))
    run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file('key'))
    const blob = Buffer.from(readFileSync(file('key.pub'), 'utf8').split(' ')[1]!, 'base64')
    const typed = Buffer.concat([Buffer.of(4), blob.subarray(-32)])
    const id = createHash('sha256').update(`${NAME}\n`).update(typed).digest('hex').slice(0, 8)
    witnessKey = `${NAME}+${id}+${typed.toString('base64')}`
    start('ssh-agent', '-D', '-a', file('agent'))
    await until(() => existsSync(file('agent')))
    const add = spawnSync('ssh-add', ['-q', file('key')], { env: { ...process.env, SSH_AUTH_SOCK: file('agent') } })
    expect(add.status).toBe(0)
    site = await makeSite()
    url = `http://127.0.0.1:${await freePort()}`
    // A witness needs the log's key before it signs, so the key comes from a server without a witness.
    const first = await startServer('bun', site, { POSTERN_LOG_ORIGIN: ORIGIN })
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    logKey = (await (await fetch(`${first.endpoint}/v1/vaults/default/audit/key`, { headers })).text()).trim()
    await first.stop()
    run('witnessctl', 'add-log', '-db', file('db'), '-origin', `${ORIGIN}/default`)
    run('witnessctl', 'add-key', '-db', file('db'), '-origin', `${ORIGIN}/default`, '-key', logKey)
    const fingerprint = run('ssh-keygen', '-lf', file('key.pub')).split(' ')[1]!
    const place = ['-db', file('db'), '-ssh-agent', file('agent'), '-listen', new URL(url).host]
    start('litewitness', '-name', NAME, '-key', fingerprint, ...place)
    await until(() =>
      fetch(url)
        .then(() => true)
        .catch(() => false),
    )
  })

  afterAll(async () => {
    await server?.stop()
    for (const child of processes) child.kill()
    site?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('cosigns one checkpoint after another, and the cosignatures are kept', async () => {
    await serve(site, folder)
    for (let round = 1; round <= 2; round++) {
      await writes(5 * round)
      const { size } = await client.auditEntries({ limit: 1 })
      await until(async () => ((await ofWitness())?.mark ?? 0) >= size)
    }
    const note = readFileSync(file('default.checkpoint'), 'utf8')
    const witness = await parseVerifierKey(witnessKey)
    expect(await openCheckpoint(note, [await parseVerifierKey(logKey), witness])).toMatchObject({
      origin: `${ORIGIN}/default`,
    })
    expect((await openNote(parseNote(note), [witness]))?.by).toEqual([NAME])
    expect((await ofWitness())?.failure).toBeUndefined()
  })

  it('refuses a split view, which is recorded as an alert', async () => {
    const cosigned = (await ofWitness())!.mark
    await server.stop()
    // The same log by name and key, with another history that is longer than what the witness saw.
    const fork = { ...(await makeSite()), rootKey: site.rootKey }
    const elsewhere = mkdtempSync(join(tmpdir(), 'postern-fork-anchor-'))
    try {
      await serve(fork, elsewhere)
      await writes(cosigned + 10)
      await until(async () => (await ofWitness())?.failure === 'disagrees')
      const { entries } = await client.auditEntries({ from: 0, limit: 1000, severity: 'alert' })
      const alerts = entries.map(({ body }) => JSON.parse(body))
      expect(alerts).toHaveLength(1)
      expect(alerts[0]).toMatchObject({ operation: 'audit.dissent', facts: { witness: `witness:${NAME}` } })
      expect(readFileSync(join(elsewhere, 'default.checkpoint'), 'utf8')).not.toContain(`— ${NAME} `)
    } finally {
      await server.stop()
      for (const place of [fork.data, elsewhere]) rmSync(place, { recursive: true, force: true })
    }
  })
})
