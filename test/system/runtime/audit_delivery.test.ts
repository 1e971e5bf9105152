/** The log where it is not: a sink that gets every entry, an anchor and a witness that hold its head, and a store that was rolled back. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { openCheckpoint } from '../../../core/tlog/checkpoint.ts'
import { parseVerifierKey } from '../../../core/tlog/signed_note.ts'
import { verifyLog } from '../../../core/tlog/verify_log.ts'
import { until } from '../../support/until.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { Collector, SINK_SECRET } from './collector.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let client: Client
  let collector: Collector
  let old: string

  const settings = () => ({
    POSTERN_LOG_ORIGIN: 'example.com/audit',
    POSTERN_AUDIT__PUBLISH_SECONDS: '1',
    POSTERN_AUDIT__SINK_URL: `${collector.url}/sink`,
    POSTERN_AUDIT__SINK_SECRET: `whsec_${SINK_SECRET.toString('base64')}`,
    POSTERN_AUDIT__ANCHOR: `${collector.url}/anchor`,
    POSTERN_AUDIT__WITNESSES: `${collector.url} ${collector.witnessKey}`,
  })
  const start = async () => {
    server = await startServer(runtime, site, settings())
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
  }
  const logKey = async () => {
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    const response = await fetch(`${server.endpoint}/v1/vaults/default/audit/key`, { headers })
    return (await response.text()).trim()
  }
  /** Nothing is written meanwhile: to ask for the status is itself recorded. */
  const shipped = (size: number) => until(() => collector.lines().length >= size)

  beforeAll(async () => {
    collector = await new Collector().listen()
    site = await makeSite()
    old = mkdtempSync(join(tmpdir(), 'postern-old-'))
    await start()
    await client.whoami()
    collector.logKey = await logKey()
  })

  afterAll(async () => {
    await server?.stop()
    collector?.close()
    site?.remove()
    rmSync(old, { recursive: true, force: true })
  })

  it('sends every entry to the sink, signed, in order and byte for byte', async () => {
    for (let i = 0; i < 30; i++) await client.put(`n/${i}`, new Redacted('x'))
    const { size } = await client.auditEntries({ limit: 1 })
    await shipped(size)
    const { bodies } = await wholeLog(client)
    expect(collector.lines().slice(0, size)).toEqual(bodies.slice(0, size))
    expect(collector.posts.every(({ signed, type }) => signed && type === 'application/x-ndjson')).toBe(true)
    expect(collector.posts[0]?.id).toMatch(/^example\.com\/audit\/default\/0-\d+$/)
  })

  it('has its checkpoint cosigned by the witness, and kept by the anchor', async () => {
    await client.put('n/cosigned', new Redacted('x'))
    const verifiers = [await parseVerifierKey(collector.logKey), await parseVerifierKey(collector.witnessKey)]
    await until(async () => {
      const note = collector.anchors.get('/anchor/default') ?? ''
      const checkpoint = await openCheckpoint(note, verifiers).catch(() => null)
      return checkpoint !== null && checkpoint.size === collector.seen?.size && note.includes('— witness.test ')
    })
    const { deliveries } = await client.auditStatus()
    expect(deliveries.map(({ target, failure }) => [target.replace(/:\d+$/, ''), failure])).toEqual([
      ['anchor:127.0.0.1', undefined],
      ['sink:127.0.0.1', undefined],
      ['witness:witness.test', undefined],
    ])
  })

  it('answers while nothing takes anything, records that once, and loses nothing', async () => {
    collector.failing = 503
    for (let i = 0; i < 5; i++) await client.put(`m/${i}`, new Redacted('x'))
    await until(async () => (await client.auditStatus()).deliveries.every(({ failure }) => failure !== undefined))
    expect((await client.get('m/4')).value.reveal()).toBe('x')
    collector.failing = null
    const { size } = await client.auditEntries({ limit: 1 })
    await shipped(size)
    const { entries } = await wholeLog(client)
    const reports = entries.filter(({ operation }) => operation === 'delivery.report')
    const sink = reports
      .filter(({ facts }) => String(facts.target).startsWith('sink:'))
      .map(({ facts }) => facts.failure)
    expect(sink).toEqual(['status_503', null])
    expect(reports.every(({ principal }) => principal === null)).toBe(true)
  })

  it('continues after a restart where it stopped', async () => {
    await server.stop()
    cpSync(site.data, old, { recursive: true })
    await start()
    await client.put('n/after', new Redacted('x'))
    const { size } = await client.auditEntries({ limit: 1 })
    await shipped(size)
    const note = await client.checkpoint()
    const entries = collector.lines().sort((a, b) => JSON.parse(a).index - JSON.parse(b).index)
    const result = await verifyLog(entries, { checkpoint: note, verifiers: [await parseVerifierKey(collector.logKey)] })
    expect(result).toHaveProperty('checkpoint')
  })

  it('row 42: does not serve a store that was rolled back behind its anchor', async () => {
    await client.put('n/anchored', new Redacted('x'))
    const { size } = await client.auditEntries({ limit: 1 })
    await until(() => Number(collector.anchors.get('/anchor/default')?.split('\n')[1]) >= size)
    await server.stop()
    rmSync(site.data, { recursive: true, force: true })
    cpSync(old, site.data, { recursive: true })
    const anchor = collector.anchors.get('/anchor/default')
    await start()
    await expect(client.get('n/1')).rejects.toMatchObject({ code: 'tampered', detail: { reason: 'rolled_back' } })
    await expect(client.put('n/1', new Redacted('y'))).rejects.toMatchObject({ code: 'tampered' })
    await until(() => server.output().includes('"event":"rolled_back"'))
    expect(collector.anchors.get('/anchor/default')).toBe(anchor)
  })

  it('row 78: does not serve it either when the anchor is gone', async () => {
    await server.stop()
    collector.anchors.clear()
    await start()
    await expect(client.get('n/1')).rejects.toMatchObject({ code: 'tampered', detail: { reason: 'rolled_back' } })
    await until(() => /acceptRollback":\["default\/\d+\/[^/]+\/0\//.test(server.output()))
    expect(collector.anchors.size).toBe(0)
  })
})
