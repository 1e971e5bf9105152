/**
 * What the tests of the core share.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { PosternError, type Reason } from '../../core/errors.ts'
import type { Action, Rule } from '../../core/vault/access/rules.ts'
import { type SecuritySettings, serverPolicy } from '../../core/vault/access/server_policy.ts'
import type { Severity } from '../../core/vault/audit/severity.ts'
import type { Input, OperationName, Output } from '../../core/vault/operation_table.ts'
import type { Answer, Call, Caller } from '../../core/vault/rpc.ts'
import type { WriteInput } from '../../core/vault/secrets/operations.ts'
import type { Sql } from '../../core/vault/sql.ts'
import { Vault } from '../../core/vault/vault.ts'
import { openSqlite } from '../../worker/local/sqlite.ts'
import { bootstrapOf } from './tickets.ts'

/** Runs what must refuse, and returns its error. It fails when nothing is thrown, or anything but a PosternError. */
export function refusalFrom(run: () => unknown): PosternError {
  let result: unknown
  try {
    result = run()
  } catch (error) {
    expect(error).toBeInstanceOf(PosternError)
    return error as PosternError
  }
  throw new Error(`Nothing was refused; the result was ${JSON.stringify(result)}`)
}

/** As {@link refusalFrom}, of a promise. */
export async function rejectionOf(promise: Promise<unknown>): Promise<PosternError> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(PosternError)
  return outcome as PosternError
}

/** Everything that a client or a log could see of an error. */
export function shownBy(error: PosternError): string {
  return `${error.message} ${JSON.stringify(error.detail)} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
}

/** The bytes of a text, as Node makes them: independent of the code under test. */
export function bytesOf(text: string, encoding: BufferEncoding = 'utf8'): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, encoding))
}

/** An entry of the log, parsed. */
export interface LogEntry {
  index: number
  time: string
  request: string
  operation: string
  principal: string
  token: string
  session: string | null
  action: Action | null
  resource: string
  rule: string | null
  outcome: 'ok' | Reason
  severity: Severity
  facts: Record<string, unknown>
}

/** No limit of a whole server stands in the way. */
export const UNLIMITED: SecuritySettings = {
  maxFailedAttempts: 3,
  lockoutDurationMinutes: 15,
  sessionTimeoutMinutes: 30,
  sessionMaxHours: 12,
  requireMfa: false,
  requireMfaForAdmin: false,
  secretComplexityRequireUpper: false,
  secretComplexityRequireLower: false,
  secretComplexityRequireDigit: false,
  secretComplexityRequireSpecial: false,
  principalRate: [],
  sourceRate: [],
  vaultRate: [],
  revalidationRate: [],
  refusalRate: [],
}

/** What an operation gives for names that no chain covers. */
type Sealed<T> = Exclude<T, { chain: unknown }>

/** The hash of a principal's token in these tests. */
export function tokenHashOf(who: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash('sha256').update(who).digest().subarray(0, 16))
}

/** The caller that the edge would make of a principal's request. */
export function callerFor(who: string): Caller {
  const credential = { kind: 'token', hash: tokenHashOf(who) } as const
  return { credential, proof: null, requestId: `request-of-${who}`, address: '192.0.2.1', agent: 'test/1' }
}

/** A call of an operation by a principal. */
export function callOf<K extends OperationName>(who: string, operation: K, input: Input<K>): Call {
  return { operation, caller: callerFor(who), input }
}

/** A write of a name, as its first version unless said otherwise, with bytes that stand for a sealed value. */
export function writeOf(name: string, more: Partial<WriteInput> = {}): WriteInput {
  const sealed = bytesOf(`sealed value ${++writes}`)
  return { name, version: 1, kid: 'root.1', sealed, contentType: 'text/plain', encoding: 'utf8', ...more }
}
let writes = 0

/**
 * A vault in memory, with a clock that stands still, and with the principal `admin`, who may do
 * everything. Queries that `fails` names throw as a full disk would.
 */
export function openVault(settings: Partial<SecuritySettings> = {}) {
  const database = openSqlite(':memory:')
  const bench = {
    now: 1_000_000,
    fails: (_query: string) => false,
  }
  const sql: Sql = {
    all: (query, ...params) => {
      if (bench.fails(query)) throw new Error('database or disk is full')
      return database.all(query, ...params)
    },
    atomic: (fn) => database.atomic(fn),
    scrub: () => database.scrub(),
  }
  const open = (more: Partial<SecuritySettings>) =>
    new Vault(sql, serverPolicy({ ...UNLIMITED, ...settings, ...more }), bench.now)
  let vault = open({})

  /** Opens the vault again, with other settings of the server. */
  function reopen(more: Partial<SecuritySettings>): void {
    vault = open(more)
    Object.assign(bench, { vault })
  }

  function execute(...calls: Call[]): Answer[] {
    const answers: Answer[] = []
    // A batch that takes long is answered in parts.
    while (answers.length < calls.length) answers.push(...vault.execute(calls.slice(answers.length), bench.now))
    return answers
  }

  /** The number that the next version of a secret has. */
  function nextVersion(name: string): number {
    const [row] = database.all<{ latest: number }>('SELECT latest FROM secret WHERE name = ?', name)
    return (row?.latest ?? 0) + 1
  }

  /** Calls an operation as a principal and returns the answer or refusal. A write is sealed for the next version. */
  function ask<K extends OperationName>(who: string, operation: K, input: Input<K>): Answer<Output<K>> {
    const call = callOf(who, operation, input)
    const write = operation === 'secret.write' ? (input as WriteInput) : null
    if (write !== null) call.input = { ...write, version: nextVersion(write.name) }
    return execute(call)[0] as Answer<Output<K>>
  }

  /** Calls an operation that must be granted, and returns its value, from the sealed store and not a provider. */
  function granted<K extends OperationName>(who: string, operation: K, input: Input<K>): Sealed<Output<K>> {
    const answer = ask(who, operation, input)
    if (!answer.ok) throw new Error(`${operation} was refused: ${answer.reason}`)
    return answer.value as Sealed<Output<K>>
  }

  /** Calls an operation and returns the reason for the refusal, or `ok`. */
  function reason<K extends OperationName>(who: string, operation: K, input: Input<K>): 'ok' | Reason {
    const answer = ask(who, operation, input)
    return answer.ok ? 'ok' : answer.reason
  }

  /** Creates a user with a token. */
  function enrol(who: string, expiresAt: number | null = null): void {
    granted('admin', 'principal.put', { id: who, kind: 'user', disabled: false })
    const token = { hash: tokenHashOf(who), accessor: `accessor-of-${who}`, principal: who, label: 'test', expiresAt }
    granted('admin', 'token.create', token)
  }

  /** Creates a rule that permits or forbids actions. */
  function rule(id: string, principal: string, actions: Action[], resource: string, effect: Rule['effect'] = 'permit') {
    granted('admin', 'rule.put', { id, effect, principal, actions, resource })
  }

  function entryCount(): number {
    return database.all<{ count: number }>('SELECT COUNT(*) AS count FROM entry')[0]!.count
  }

  function log(): LogEntry[] {
    const rows = database.all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
    return rows.map(({ body }) => JSON.parse(Buffer.from(body).toString()))
  }

  execute(bootstrapOf(tokenHashOf('admin'), bench.now, 'accessor-of-admin'))
  // Its first use, which ends the ticket.
  ask('admin', 'principal.list', {})
  return Object.assign(bench, {
    database,
    sql,
    vault,
    reopen,
    execute,
    ask,
    nextVersion,
    granted,
    reason,
    enrol,
    rule,
    entryCount,
    log,
  })
}
