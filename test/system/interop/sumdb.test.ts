/** The log against golang.org/x/mod/sumdb: checkpoints, proofs and tiles, verified by an independent implementation. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { type Need, needs, program } from '../../support/needs.ts'
import { makeSite, type Server, type Site, startServer } from '../runtime/servers.ts'

const GOCODE = '/usr/share/gocode'
const LIBRARY: Need = {
  met: existsSync(join(GOCODE, 'src/golang.org/x/mod/sumdb')),
  remedy: 'install golang-golang-x-mod-dev',
}

interface Input {
  Key: string
  Checkpoint: string
  Entry: string
  Index: number
  Inclusion: string[]
  OldSize: number
  OldRoot: string
  Consistency: string[]
  Tiles: Record<string, string>
}

/** Runs the Go program over an input, and returns its verdict on each part. */
function verdicts(input: Input): Record<string, boolean> {
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: GOCODE, GOFLAGS: '' }
  const run = spawnSync('go', ['run', join(import.meta.dirname, 'verify.go')], {
    input: JSON.stringify(input),
    env,
    encoding: 'utf8',
  })
  expect([run.status, run.stderr]).toEqual([0, ''])
  const lines = run.stdout.trim().split('\n')
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0]!, line.endsWith(' ok')]))
}

describe('golang.org/x/mod/sumdb', needs(program('go', 'golang-go'), LIBRARY), () => {
  let site: Site
  let server: Server
  let client: Client
  let input: Input

  const text = async (path: string) => {
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    const response = await fetch(`${server.endpoint}/v1/vaults/default/audit/${path}`, { headers })
    expect([path, response.status]).toEqual([path, 200])
    return Buffer.from(await response.arrayBuffer())
  }

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer('bun', site, { POSTERN_LOG_ORIGIN: 'example.com/audit' })
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    for (let i = 0; i < 30; i++) {
      await Promise.all(Array.from({ length: 20 }, (_, j) => client.put(`n/${i}/${j}`, new Redacted('x'))))
    }
    const { entries } = await client.auditEntries({ from: 0, limit: 1000 })
    const [index, oldSize] = [317, 300]
    // Asked once nothing is appended any more: the key, and a checkpoint of the log as it stays.
    const key = (await text('key')).toString().trim()
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const checkpoint = await client.checkpoint()
    const size = Number(checkpoint.split('\n')[1])
    const { hashes: inclusion } = await client.inclusion(index, size)
    const { root: oldRoot } = await client.inclusion(0, oldSize)
    const { hashes: consistency } = await client.consistency(oldSize, size)
    const names = ['0/000', '0/001', `0/002.p/${size - 512}`, '1/000.p/2']
    const tiles = await Promise.all(names.map(async (name) => [name, (await text(`tile/${name}`)).toString('base64')]))
    input = {
      Key: key,
      Checkpoint: checkpoint,
      Entry: entries[index]!.body,
      Index: index,
      Inclusion: inclusion,
      OldSize: oldSize,
      OldRoot: oldRoot,
      Consistency: consistency,
      Tiles: Object.fromEntries(tiles),
    }
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('verifies our checkpoint, inclusion proof, consistency proof and tiles', () => {
    expect(verdicts(input)).toEqual({ checkpoint: true, inclusion: true, consistency: true, tiles: true })
  })

  it('rejects each of them once it was altered', () => {
    const other = Buffer.alloc(32, 7).toString('base64')
    const size = Number(input.Checkpoint.split('\n')[1])
    const tile = Buffer.from(input.Tiles['0/001']!, 'base64')
    tile[0]! ^= 1
    const forged = { ...input, Checkpoint: input.Checkpoint.replace(`\n${size}\n`, `\n${size + 1}\n`) }
    expect(verdicts(forged).checkpoint).toBe(false)
    expect(verdicts({ ...input, Entry: `${input.Entry} ` })).toMatchObject({ inclusion: false, tiles: false })
    expect(verdicts({ ...input, Inclusion: input.Inclusion.with(0, other) }).inclusion).toBe(false)
    expect(verdicts({ ...input, OldRoot: other }).consistency).toBe(false)
    expect(verdicts({ ...input, Consistency: input.Consistency.with(1, other) }).consistency).toBe(false)
    expect(verdicts({ ...input, Tiles: { ...input.Tiles, '0/001': tile.toString('base64') } }).tiles).toBe(false)
  })
})
