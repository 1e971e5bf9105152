/**
 * Every fault of every provider, as the primary and as the replica of a chain, over real sockets: who answers, and
 * with what. The table is printed.
 */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PosternError } from '../../../../core/errors.ts'
import {
  FAULTS,
  type Fault,
  type FaultServer,
  SERVED_KINDS,
  type ServedKind,
  startFaultServer,
} from '../../../support/fault_server.ts'
import { openApp } from '../../worker/provider_access/provider_access_fixture.ts'

type Outcome = 'primary' | 'replica' | 'denied' | 'credentials' | 'not_found' | 'unavailable' | 'bad_request'

/** What a fault of the primary comes to when the replica is well; and one of the replica when the primary is gone. */
const EXPECTED: Record<Fault, { primary: Outcome; replica: Outcome }> = {
  none: { primary: 'primary', replica: 'replica' },
  refused: { primary: 'replica', replica: 'unavailable' },
  hangs: { primary: 'replica', replica: 'unavailable' },
  '503': { primary: 'replica', replica: 'unavailable' },
  '429': { primary: 'replica', replica: 'unavailable' },
  '429 with Retry-After': { primary: 'replica', replica: 'unavailable' },
  '403': { primary: 'denied', replica: 'denied' },
  // From the replica alone this answers nothing: the primary may have the secret.
  '404': { primary: 'not_found', replica: 'unavailable' },
  '403 of a proxy': { primary: 'replica', replica: 'unavailable' },
  '404 of a proxy': { primary: 'replica', replica: 'unavailable' },
  'garbage 200': { primary: 'replica', replica: 'unavailable' },
  'truncated body': { primary: 'replica', replica: 'unavailable' },
  // A fault of one secret is an answer about that secret.
  '10 MB body': { primary: 'bad_request', replica: 'bad_request' },
  'redirect to another host': { primary: 'replica', replica: 'unavailable' },
  // Credentials that it does not take: an answer, and no reason to send them anywhere.
  'challenge of another host': { primary: 'credentials', replica: 'credentials' },
  'clock 10 minutes off': { primary: 'primary', replica: 'replica' },
}

const cells = new Map<string, Outcome>()

/** The address that redirects and challenges point to. No request may reach it. */
const stranger = { asked: 0, server: createServer((_, response) => response.end()) }
beforeAll(async () => {
  stranger.server.on('connection', () => stranger.asked++)
  stranger.server.listen(0, '127.0.0.1')
  await once(stranger.server, 'listening')
})
afterAll(() => {
  stranger.server.close()
  expect(stranger.asked).toBe(0)
})

afterAll(() => {
  const columns = [...SERVED_KINDS, 'file'].flatMap((kind) => [kind, `${kind} as replica`])
  const body = FAULTS.map((fault) => [fault, ...columns.map((column) => cells.get(`${fault}/${column}`) ?? '')])
  const head = ['fault', ...columns]
  const lines = [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`)
  const wrong = [...cells].filter(([place, outcome]) => outcome !== expectedAt(place)).length
  process.stdout.write(`\n${lines.join('\n')}\n\n${cells.size} outcomes, ${wrong} wrong\n\n`)
})

/** A file is one answer for all secrets: when it is too large, so is the store. */
function expectedOf(fault: Fault, kind: string): { primary: Outcome; replica: Outcome } {
  return EXPECTED[kind === 'file' && fault === '10 MB body' ? 'refused' : fault]
}

function expectedAt(place: string): Outcome {
  const [fault, column = ''] = place.split('/') as [Fault, string]
  const kind = column.replace(' as replica', '')
  return expectedOf(fault, kind)[column.endsWith('as replica') ? 'replica' : 'primary']
}

function note(fault: Fault, kind: string, { primary, replica }: { primary: Outcome; replica: Outcome }): void {
  cells.set(`${fault}/${kind}`, primary)
  cells.set(`${fault}/${kind} as replica`, replica)
  expect({ primary, replica }).toEqual(expectedOf(fault, kind))
}

/** The other one of a chain: of another kind. */
const otherOf = (kind: string): ServedKind => (kind === 'http' ? 'aws' : 'http')

/** Reads through a chain, and says who answered, or with what. */
async function outcomeOf(
  members: [string, string],
  environment: Record<string, string>,
  values: { primary: string; replica: string },
): Promise<Outcome> {
  const limits = { POSTERN_PROVIDERS__ATTEMPT_MS: '1500', POSTERN_PROVIDERS__DEADLINE_MS: '6000' }
  const bench = await openApp(null, { environment: { ...limits, ...environment } })
  await bench.admin.putChain('c', { resource: '**', members: members.map((provider) => ({ provider })) })
  try {
    const { value, provider } = await bench.admin.get('prod/db')
    const by = provider === members[0] ? 'primary' : 'replica'
    expect(value.reveal()).toBe(values[by])
    return by
  } catch (error) {
    if (!(error instanceof PosternError)) throw error
    return error.detail.reason === 'provider_credentials' ? 'credentials' : (error.code as Outcome)
  }
}

/** One cell: two servers, one of them with the fault. */
async function cell(kind: ServedKind, fault: Fault, position: 'primary' | 'replica'): Promise<Outcome> {
  const values = { primary: 'of the primary', replica: 'of the replica' }
  const kinds: [ServedKind, ServedKind] = position === 'primary' ? [kind, otherOf(kind)] : [otherOf(kind), kind]
  const servers: FaultServer[] = [
    await startFaultServer(kinds[0], values.primary),
    await startFaultServer(kinds[1], values.replica),
  ]
  const faulty = servers[position === 'primary' ? 0 : 1]!
  faulty.fault = fault
  faulty.elsewhere = `http://127.0.0.1:${(stranger.server.address() as AddressInfo).port}/stolen`
  const environment = Object.assign({}, ...servers.map((server) => server.environment))
  const stopped = new Set<FaultServer>()
  const stop = async (server: FaultServer) => {
    if (!stopped.has(server)) await server.stop()
    stopped.add(server)
  }
  try {
    if (position === 'replica') await stop(servers[0]!)
    if (fault === 'refused') await stop(faulty)
    const outcome = await outcomeOf(kinds, environment, values)
    // The one that is well must not have been asked before the one that answered no.
    if (position === 'primary' && outcome !== 'replica') expect(servers[1]!.reads).toBe(0)
    return outcome
  } finally {
    for (const server of servers) await stop(server)
  }
}

describe.each(FAULTS)('%s', (fault) => {
  it.each(SERVED_KINDS)(
    '%s',
    async (kind) => {
      const primary = await cell(kind, fault, 'primary')
      const replica = await cell(kind, fault, 'replica')
      note(fault, kind, { primary, replica })
    },
    30_000,
  )
})

describe('a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-faults-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** What a file can fail with, as the fault that it is most like. */
  const FILES: Partial<Record<Fault, (path: string) => void>> = {
    none: (path) => writeFileSync(path, '{"prod/db": "of the primary"}'),
    '404': (path) => writeFileSync(path, '{"prod/other": "x"}'),
    refused: (path) => mkdirSync(path),
    'garbage 200': (path) => writeFileSync(path, '{"prod/db": "half'),
    '10 MB body': (path) => writeFileSync(path, `{"prod/db": "${'x'.repeat(10 * 1024 * 1024)}"}`),
  }

  it.each(Object.keys(FILES) as Fault[])('%s', async (fault) => {
    const path = join(folder, `${fault.replaceAll(' ', '-')}.json`)
    FILES[fault]!(path)
    const http = await startFaultServer('http', 'of the replica')
    const environment = { ...http.environment, POSTERN_PROVIDERS__FILE_PATH: path }
    const values = { primary: 'of the primary', replica: 'of the replica' }
    const primary = await outcomeOf(['file', 'http'], environment, values)
    await http.stop()
    const replica = await outcomeOf(['http', 'file'], environment, { primary: '', replica: 'of the primary' })
    note(fault, 'file', { primary, replica })
  })
})
