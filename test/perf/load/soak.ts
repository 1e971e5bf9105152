/**
 * Many clients at once for a while, on one runtime, and what must hold afterwards.
 *
 * @module
 */

import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { parseVerifierKey } from '../../../core/tlog/signed_note.ts'
import { verifyLog } from '../../../core/tlog/verify_log.ts'
import { makeSite, type Runtime, type Site } from '../../system/runtime/servers.ts'
import { startAlone } from '../../system/runtime/workerd.ts'
import { type Memory, watchMemory } from './memory.ts'
import { KINDS, newTally, PRINCIPAL_RATE, SHARED, sharedValue, type Tally, work } from './mix.ts'
import { openConnections } from './requests.ts'

/** Clients in a hundred that send requests as fast as they can as one principal, and clients with an invalid token. */
const HASTY = 5
const STRANGERS = 2
const SETUP_AT_ONCE = 32
/** When a server is given up that has not answered each kind of request. */
const MOST_MS = 90_000

const OPEN = { POSTERN_SECURITY__PRINCIPAL_RATE: 'none', POSTERN_SECURITY__SOURCE_RATE: 'none' }

export interface Soaked {
  runtime: Runtime
  clients: number
  /** How long it took until the last answer. */
  seconds: number
  tally: Tally
  memory: Memory | null
  log: LogFindings
}

/** The comparison of the log with the answers. */
export interface LogFindings {
  entries: number
  /** Answers that name a missing entry, or the entry of another request. */
  lost: number
  /** Entries of a request that answered twice or that no answer names. */
  duplicated: number
  /** Entries of requests that were answered as late, and were carried out and recorded afterwards. */
  unanswered: number
  /** `null` when the log verifies; else the first flaw. */
  flaw: string | null
}

/** Runs clients, restarts the server, and checks the log. */
export async function soak(runtime: Runtime, clients: number, seconds: number): Promise<Soaked> {
  const site = await makeSite()
  try {
    const tokens = await prepare(runtime, site, clients)
    // All clients share one address.
    const limits = { ...OPEN, POSTERN_SECURITY__PRINCIPAL_RATE: `${PRINCIPAL_RATE}/s` }
    const server = await startAlone(runtime, site, limits)
    const tally = newTally()
    const connections = openConnections(server.endpoint)
    const memory = watchMemory(server.pid)
    const begun = performance.now()
    const isRunning = () => {
      const elapsed = performance.now() - begun
      // On a busy machine, some kinds of requests may not have been sent yet.
      return elapsed < seconds * 1000 || (elapsed < MOST_MS && KINDS.some((kind) => tally.answers[kind] === 0))
    }
    await Promise.all(tokens.map((client) => work(connections, client, tally, isRunning)))
    const took = Math.ceil((performance.now() - begun) / 1000)
    const remembered = memory()
    connections.close()
    await server.stop()
    const log = await findings(runtime, site, tally)
    return { runtime, clients, seconds: took, tally, memory: remembered, log }
  } finally {
    site.remove()
  }
}

/** Makes the principals, each with a token, and what they read. */
async function prepare(runtime: Runtime, site: Site, clients: number): Promise<Parameters<typeof work>[1][]> {
  const server = await startAlone(runtime, site, OPEN)
  const admin = clientOf(server.endpoint, site)
  await admin.putRule('open', { effect: 'permit', principal: '*', actions: ['read'], resource: 'shared/*' })
  await admin.putRule('own', { effect: 'permit', principal: '*', actions: ['read', 'write'], resource: 'own/*' })
  const hasty = Math.ceil((clients * HASTY) / 100)
  const strangers = Math.ceil((clients * STRANGERS) / 100)
  await many(SHARED, async (i) => void (await admin.put(`shared/s${i}`, new Redacted(sharedValue(i)))))
  await admin.putPrincipal('hasty', { kind: 'service' })
  const shared = (await admin.createToken({ principal: 'hasty' })).token.reveal()
  const made = await many(clients, async (id) => {
    if (id < hasty) return { id, token: shared, kind: 'hasty' as const }
    // The tag is of another token.
    if (id < hasty + strangers) return { id, token: `${shared.slice(0, -8)}00000000`, kind: 'stranger' as const }
    await admin.putPrincipal(`c${id}`, { kind: 'service' })
    return { id, token: (await admin.createToken({ principal: `c${id}` })).token.reveal(), kind: 'ordinary' as const }
  })
  await server.stop()
  return made
}

async function many<T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let at = 0; at < count; at += SETUP_AT_ONCE) {
    const length = Math.min(SETUP_AT_ONCE, count - at)
    all.push(...(await Promise.all(Array.from({ length }, (_, i) => make(at + i)))))
  }
  return all
}

/** What of an entry is compared with answers. */
interface Seen {
  request: string
  operation: string
  principal: string | null
}

/** Reads the whole log from a restarted server, verifies it, and compares it with the answers. */
async function findings(runtime: Runtime, site: Site, { recorded, late }: Tally): Promise<LogFindings> {
  const server = await startAlone(runtime, site, OPEN)
  const admin = clientOf(server.endpoint, site)
  // Before the entries: asking for those is recorded too.
  const checkpoint = await admin.checkpoint()
  const verifiers = await Promise.all((await admin.auditKey()).split('\n').map((key) => parseVerifierKey(key)))
  const seen = new Map<number, Seen>()
  const entries = entriesOf(admin, Number(checkpoint.split('\n')[1]), seen)
  const verified = await verifyLog(entries, { checkpoint, verifiers })
  await server.stop()
  const flaw = 'flaw' in verified ? `${verified.flaw.kind} at ${verified.flaw.index}` : null
  return { entries: seen.size, ...compare(recorded, late, seen), flaw }
}

/** Compares what answers said with what the log says. */
export function compare(
  recorded: Tally['recorded'],
  late: Tally['late'],
  seen: ReadonlyMap<number, Seen>,
): Pick<LogFindings, 'lost' | 'duplicated' | 'unanswered'> {
  const lost = recorded.filter(({ index, requestId }) => seen.get(index)?.request !== requestId).length
  // Answers that share an entry.
  const shared = recorded.length - new Set(recorded.map(({ index }) => index)).size
  const due = new Map([...recorded, ...late].map(({ requestId, reads }) => [requestId, reads]))
  const given = new Set(late.map(({ requestId }) => requestId))
  const counted = new Map<string, number>()
  let [duplicated, unanswered] = [0, 0]
  for (const { request, operation, principal } of seen.values()) {
    // What the clients did, and nothing else, is by these.
    if (principal === null || !/^(?:c\d+|hasty)$/.test(principal)) continue
    const key = `${request} ${operation}`
    counted.set(key, (counted.get(key) ?? 0) + 1)
    // The entry of a request without an answer, or one entry more than the answer names.
    if (counted.get(key)! > (due.get(request) ?? 0)) duplicated++
    else if (given.has(request)) unanswered++
  }
  return { lost, duplicated: shared + duplicated, unanswered }
}

async function* entriesOf(admin: Client, size: number, seen: Map<number, Seen>): AsyncGenerator<string> {
  for (let from: number | undefined = 0; from !== undefined && from < size; ) {
    const page: Awaited<ReturnType<Client['auditEntries']>> = await admin.auditEntries({ from, limit: 1000 })
    for (const { index, body } of page.entries) {
      const { request, operation, principal } = JSON.parse(body)
      seen.set(index, { request, operation, principal })
      yield body
    }
    from = page.next
  }
}

function clientOf(endpoint: string, site: Site): Client {
  return connect({ endpoint, vault: site.vault, token: site.token, timeoutMs: 60_000 })
}
