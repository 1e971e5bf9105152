/**
 * Clients that send a mix of requests, and know the correct outcomes.
 *
 * @module
 */

import { sleep } from '../../../core/sleep.ts'
import type { Answered, Asked, Connections } from './requests.ts'

/** Names that all may read. */
export const SHARED = 100
/** How often an ordinary client asks at most, a second; and how often one principal may. */
const PACE = 10
export const PRINCIPAL_RATE = 12

export const KINDS = [
  'read',
  'read own',
  'write',
  'hydrate',
  'denied',
  'not found',
  'conflict',
  'hasty',
  'stranger',
] as const
export type Kind = (typeof KINDS)[number]

/** Counts of requests, answers and wrong answers. */
export interface Tally {
  answers: Record<Kind, number>
  /** The number of throttled answers to hasty clients. */
  throttled: number
  /** How long each answer took, in milliseconds. */
  latencies: number[]
  /** The entries that answers named, of which request, and how many entries of one operation that makes. */
  recorded: { index: number; requestId: string; reads: number }[]
  /** Requests that were told they took too long, and how many entries of one operation each may have all the same. */
  late: { requestId: string; reads: number }[]
  /** The first of what was wrong. */
  wrong: string[]
}

export function newTally(): Tally {
  const answers = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Tally['answers']
  return { answers, throttled: 0, latencies: [], recorded: [], late: [], wrong: [] }
}

/** Whether hasty clients got no more answers than the limit of their principal allows, plus one second's burst. */
export function isHeldBack({ answers, throttled }: Tally, seconds: number): boolean {
  return answers.hasty - throttled <= PRINCIPAL_RATE * (seconds + 1)
}

/** Whether so few were told that they took too long that the others count as served: one in a hundred. */
export function isServed({ answers, late }: Tally): boolean {
  return late.length * 100 <= Object.values(answers).reduce((sum, n) => sum + n, 0)
}

const SECRETS = '/v1/vaults/default/secrets'

export function sharedValue(i: number): string {
  return `shared value ${i} ${'x'.repeat(40)}`
}

/** Runs one client until the end of the test. */
export async function work(
  { ask }: Connections,
  client: { id: number; token: string; kind: 'ordinary' | 'hasty' | 'stranger' },
  tally: Tally,
  goesOn: () => boolean,
): Promise<void> {
  const own: Own = { path: `${SECRETS}/own/c${client.id}`, version: 0, value: '', unsure: null }
  for (let turn = client.id; goesOn(); turn++) {
    const begun = performance.now()
    const { kind, asked, statuses, check } = stepOf(client, own, turn)
    const answer = await ask({ ...asked, token: client.token }).catch((error: Error) => error)
    if (answer instanceof Error) tally.wrong.push(`${kind}: ${answer.message}`)
    else note(tally, { kind, statuses, check }, answer, performance.now() - begun)
    if (client.kind !== 'hasty') await sleep(Math.max(0, 1000 / PACE - (performance.now() - begun)))
  }
}

/** The secret of a client, as far as it knows. */
interface Own {
  path: string
  version: number
  value: string
  /** A write whose outcome is unknown. It is retried with its key before any other request. */
  unsure: { value: string; key: string } | null
}

interface Step {
  kind: Kind
  asked: Omit<Asked, 'token'>
  /** The acceptable statuses. */
  statuses: readonly number[]
  /** Whether an answer of the first of these is the right one. */
  check?: ((body: Answered['body']) => boolean) | undefined
}

function stepOf({ kind, id }: { kind: string; id: number }, own: Own, turn: number): Step {
  const shared = turn % SHARED
  const read = { method: 'GET', path: `${SECRETS}/shared/s${shared}` }
  const isShared = ({ value }: Answered['body']) => value === sharedValue(shared)
  // A client that guesses tokens is answered like one without a token, until there are too many.
  if (kind === 'stranger') return { kind: 'stranger', asked: read, statuses: [401, 429] }
  if (kind === 'hasty') return { kind: 'hasty', asked: read, statuses: [200, 429], check: isShared }
  // A turn of 25: neighbours are at different places of it.
  const at = (turn * 7 + id) % 25
  if (own.unsure !== null || at < 3 || own.version === 0) return writeOf(own, `${id}.${turn}`)
  if (at === 3) return { kind: 'denied', asked: { method: 'GET', path: `${SECRETS}/closed/a` }, statuses: [403] }
  if (at === 4) return { kind: 'not found', asked: { method: 'GET', path: `${SECRETS}/shared/none` }, statuses: [404] }
  if (at === 5) {
    const headers = { 'If-Match': '"999999"' }
    const asked = { method: 'PUT', path: own.path, body: { value: 'never' }, headers }
    return { kind: 'conflict', asked, statuses: [412] }
  }
  if (at === 6) {
    const references = [`postern://default/shared/s${shared}`, 'postern://default/closed/a']
    const asked = { method: 'POST', path: '/v1/vaults/default/hydrate', body: { references } }
    const check = (body: Answered['body']) => {
      const [good, bad] = body.items as { secret?: { value: string }; error?: { code: string } }[]
      return good?.secret?.value === sharedValue(shared) && bad?.error?.code === 'denied'
    }
    return { kind: 'hydrate', asked, statuses: [200], check }
  }
  if (at < 9) {
    const isOwn = ({ value, version }: Answered['body']) => value === own.value && version === own.version
    return { kind: 'read own', asked: { method: 'GET', path: own.path }, statuses: [200], check: isOwn }
  }
  return { kind: 'read', asked: read, statuses: [200], check: isShared }
}

/** A write, or a retry of the previous write if its outcome is unknown. */
function writeOf(own: Own, id: string): Step {
  own.unsure ??= { value: `own value ${id}`, key: `key-${id}` }
  const { value, key } = own.unsure
  const asked = { method: 'PUT', path: own.path, body: { value }, headers: { 'Idempotency-Key': key } }
  const check = ({ version }: Answered['body']) => {
    // Also of a repeat: whether the first was done or not, there is one version of it.
    const isNext = version === own.version + 1
    Object.assign(own, { value, version, unsure: null })
    return isNext
  }
  return { kind: 'write', asked, statuses: [201], check }
}

/** Notes an answer. One that came too late says nothing of what was done: it is kept apart, for the log to be compared with. */
export function note(
  tally: Tally,
  { kind, statuses, check }: Omit<Step, 'asked'>,
  { status, body, requestId, auditIndex }: Answered,
  ms: number,
): void {
  tally.answers[kind]++
  tally.latencies.push(ms)
  if (kind === 'hasty' && status === 429) tally.throttled++
  const reads = kind === 'hydrate' ? 2 : 1
  if (status === 503 && body.reason === 'late') return void tally.late.push({ requestId, reads })
  if (auditIndex !== null) tally.recorded.push({ index: auditIndex, requestId, reads })
  if (!statuses.includes(status)) tally.wrong.push(`${kind}: ${status} ${body.code} ${body.reason ?? ''}`)
  else if (status === statuses[0] && check?.(body) === false) tally.wrong.push(`${kind}: another answer`)
}
