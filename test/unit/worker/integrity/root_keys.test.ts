/** Replacing the root key: opening a vault with it, its effects, and interruption at every step. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { mintToken } from '../../../../core/authentication/token.ts'
import { type Bytes, randomBytes, utf8 } from '../../../../core/bytes.ts'
import { dekCache } from '../../../../core/crypto/envelope.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { openCached, sealCached } from '../../../../core/sealing/cached_value.ts'
import { openTotp, sealTotp } from '../../../../core/sealing/totp_secret.ts'
import { openVersion, sealValue } from '../../../../core/sealing/version.ts'
import { openWebhookSecret, sealWebhookSecret } from '../../../../core/sealing/webhook_secret.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import type { Anchor } from '../../../../core/tlog/anchor.ts'
import { openCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import { parseVerifierKey } from '../../../../core/tlog/signed_note.ts'
import { verifyLog } from '../../../../core/tlog/verify_log.ts'
import { CacheStore } from '../../../../core/vault/chains/cache_store.ts'
import type { Input, OperationName, Output } from '../../../../core/vault/operation_table.ts'
import type { Answer, Caller } from '../../../../core/vault/rpc.ts'
import type { Sql, SqlValue } from '../../../../core/vault/sql.ts'
import type { Scheduler } from '../../../../worker/background/scheduler.ts'
import { registryOf } from '../../../../worker/compose.ts'
import { signHead, verifierKeys } from '../../../../worker/integrity/sign_checkpoint.ts'
import { openSqlite, type Sqlite } from '../../../../worker/local/sqlite.ts'
import { openVault } from '../../../../worker/vault_host/open_vault.ts'
import { copyOf } from '../../../support/copied_store.ts'
import { bootstrapOf } from '../../../support/tickets.ts'

const VAULT = 'acme'
const settings = parseSettings({ environment: {} })
const [a, b, c] = Array.from({ length: 3 }, () => new Redacted(randomBytes(32))) as [
  Redacted<Bytes>,
  Redacted<Bytes>,
  Redacted<Bytes>,
]
const ids = await Promise.all([a, b, c].map(async (key) => (await Keyring.open(key)).rootId))
const [ID_A, ID_B, ID_C] = ids as [string, string, string]
const CANARY = 'canary-7f3a'

interface GivenKeys {
  former?: Redacted<Bytes>[]
  next?: Redacted<Bytes>
  anchor?: Anchor
}

/** Opens a store as a server with these root keys would. */
async function open(sql: Sql, key: Redacted<Bytes>, { former = [], next, anchor }: GivenKeys = {}) {
  let scheduler: Scheduler | null = null
  const keyring = await Keyring.open(key, { formerRootKeys: former, nextRootKey: next })
  const surroundings = {
    ...{ settings, keyring, registry: registryOf({ settings }, null) },
    anchors: anchor === undefined ? [] : [anchor],
  }
  const { vault } = await openVault(sql, VAULT, surroundings, (one) => {
    scheduler = one
  })
  function ask<K extends OperationName>(operation: K, input: Input<K>): Answer<Output<K>> {
    if (vault.isEmpty()) vault.execute([bootstrapOf(TOKEN_HASH, Date.now())], Date.now())
    return vault.execute([{ operation, caller, input }], Date.now())[0] as Answer<Output<K>>
  }
  function granted<K extends OperationName>(operation: K, input: Input<K>): Output<K> {
    const answer = ask(operation, input)
    if (!answer.ok) throw new Error(`${operation} was refused: ${answer.reason}`)
    return answer.value
  }
  const keepUp = async () => {
    scheduler?.notifyWrite(0)
    // Late enough for what failed to be tried again.
    await scheduler?.run(Date.now() + 86_400_000)
  }
  return { vault, keyring, ask, granted, keepUp }
}
type OpenedVault = Awaited<ReturnType<typeof open>>

const tokenKeyOf = async (key: Redacted<Bytes>) => (await Keyring.open(key)).macKey(VAULT, 'token')

const TOKEN_HASH = new Uint8Array(16).fill(1) as Bytes

/** The caller. The edge checks the root key of a token before the vault gets a request: see auth.test.ts. */
const caller: Caller = {
  credential: { kind: 'token', hash: TOKEN_HASH },
  ...{ proof: null, requestId: 'r', address: null, agent: null },
}

async function write({ granted, keyring }: OpenedVault, name: string, value: string) {
  const prepared = granted('secret.prepare', { name })
  if (!('term' in prepared)) throw new Error('Not sealed')
  const place = { vault: VAULT, name, version: prepared.version, contentType: 't', encoding: 'utf8' } as const
  const sealed = await sealValue(keyring, new Redacted(utf8(value)), place, prepared)
  return granted('secret.write', { ...place, ...sealed })
}

async function read({ granted, keyring }: OpenedVault, name: string): Promise<string> {
  const sealed = granted('secret.read', { name })
  if (!('sealed' in sealed)) throw new Error('Not sealed')
  const value = await openVersion(keyring, dekCache(1), VAULT, sealed)
  return typeof value === 'string' ? value : Buffer.from(value.reveal()).toString()
}

const CACHED = {
  ...{ name: 'p/x', asked: '', revision: 'r', provider: 'aws', version: '1', contentType: null },
  ...{ encoding: 'utf8' as const, createdAt: null, expiresAt: null, fetchedAt: 1 },
} as const

/** A vault with some of everything that derives from its root key, and its log's verifier key. */
async function filled(sql: Sqlite, key = a, secrets = 230) {
  const opened = await open(sql, key)
  const { granted, keyring } = opened
  for (let i = 0; i < secrets; i++) await write(opened, `s/${i}`, `${CANARY} ${i}`)
  const under = granted('keys.term', {})
  const hook = await sealWebhookSecret(
    keyring,
    { vault: VAULT, id: 'h', url: 'https://x.example/', ...under },
    new Redacted(utf8('hook')),
  )
  granted('hook.put', { id: 'h', url: 'https://x.example/', newSecret: false, ...hook })
  const totp = await sealTotp(keyring, { vault: VAULT, ...under }, 'admin', new Redacted(utf8('totp')))
  granted('totp.enrol', { id: 'totp-1', ...totp })
  new CacheStore(sql).keep(await sealCached(keyring, VAULT, new Redacted(utf8('cached')), CACHED), 2 ** 50)
  const head = granted('audit.head', {})
  return { opened, verifier: (await verifierKeys({ vault: VAULT, keyring, settings }, head))[0]! }
}

/** Everything of {@link filled} opens. */
async function expectWhole(sql: Sqlite, opened: OpenedVault, secrets = 230) {
  const { keyring } = opened
  for (const i of [0, 1, secrets - 1]) expect(await read(opened, `s/${i}`)).toBe(`${CANARY} ${i}`)
  const [hook] = sql.all<never>('SELECT * FROM hook')
  expect(Buffer.from((await openWebhookSecret(keyring, VAULT, hook!)).reveal()).toString()).toBe('hook')
  const [totp] = sql.all<{ principal: string; kid: string; sealed: Bytes }>('SELECT * FROM totp')
  expect(Buffer.from((await openTotp(keyring, VAULT, totp!)).reveal()).toString()).toBe('totp')
  const cached = new CacheStore(sql).value('p/x', '')!
  expect(Buffer.from((await openCached(keyring, dekCache(1), VAULT, cached))!.reveal()).toString()).toBe('cached')
}

/** The root keys of all sealed values, by table. A new table that is not moved shows up here. */
function rootsIn(sql: Sqlite): Record<string, string[]> {
  const tables = sql.all<{ name: string }>(
    `SELECT name FROM sqlite_master WHERE type = 'table'
     AND EXISTS (SELECT 1 FROM pragma_table_info(sqlite_master.name) AS info WHERE info.name = 'kid') ORDER BY name`,
  )
  const of = (table: string) => sql.all<{ root: string }>(`SELECT DISTINCT substr(kid, 1, 16) AS root FROM ${table}`)
  return Object.fromEntries(tables.map(({ name }) => [name, of(name).map(({ root }) => root)]))
}
const allUnder = (root: string) => ({ cached: [root], hook: [root], totp: [root], version: [root] })
const entriesOf = (sql: Sqlite) =>
  sql.all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n').map(({ body }) => Buffer.from(body).toString())
const operationsOf = (sql: Sqlite, ...names: string[]) =>
  entriesOf(sql)
    .map((entry) => JSON.parse(entry))
    .filter(({ operation }) => names.includes(operation))

async function checkpointOf({ granted, keyring }: OpenedVault): Promise<string> {
  const keys = { vault: VAULT, keyring, settings }
  return signHead(granted('audit.head', {}), keys, async (signed) => granted('audit.sign', signed))
}

let lines: string[]
beforeEach(() => {
  lines = []
  for (const method of ['error', 'warn', 'info', 'log'] as const)
    vi.spyOn(console, method).mockImplementation((line) => void lines.push(String(line)))
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('another root key', () => {
  it('takes the place of the former one, and all that is sealed moves to it', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql)
    const during = await open(sql, b, { former: [a] })
    await expectWhole(sql, during)
    expect(during.granted('keys.show', {})).toMatchObject({
      terms: [
        { number: 2, root: ID_B, doneAt: null },
        { number: 1, root: ID_A },
      ],
      roots: [
        { id: ID_B, needed: true, tokens: 0 },
        { id: ID_A, needed: true, tokens: 1, principals: 1, sessions: 0, recoveryCodes: 0 },
      ],
    })
    expect(during.granted('keys.show', {}).left).toBeGreaterThanOrEqual(233)
    await write(during, 's/0', `${CANARY} 0`)
    // Done before, and by another: it is not done again.
    const again = during.vault.perform('root.replace', { from: ID_A, to: ID_C }, Date.now())
    expect(again).toMatchObject({ ok: false, reason: 'superseded', index: null })
    // By an edge that has the former one still for its own: the term is right, and the root key is not.
    const place = { vault: VAULT, name: 's/0', version: 3, contentType: 't', encoding: 'utf8' } as const
    const late = await sealValue(await Keyring.open(a), new Redacted(utf8('late')), place, { term: 2, root: null })
    expect(during.ask('secret.write', { ...place, ...late })).toMatchObject({ ok: false, reason: 'raced' })
    await during.keepUp()
    expect(rootsIn(sql)).toEqual(allUnder(ID_B))
    const shown = during.granted('keys.show', {})
    expect(shown).toMatchObject({ left: 0, unmoved: [], terms: [{ number: 2, moved: 233, failed: 0 }, {}] })
    expect(shown.roots.map(({ id, needed }) => [id, needed])).toEqual([
      [ID_B, true],
      [ID_A, false],
    ])
    expect(lines.join()).toContain(`"event":"root_key_unneeded","vault":"acme","rootKey":"${ID_A}"`)
    await expectWhole(sql, await open(sql, b))
    const [replaced, rekeyed, moved] = operationsOf(sql, 'root.replace', 'audit.rekey', 'keys.rewrap')
    expect(replaced).toMatchObject({ severity: 'alert', principal: null, facts: { rootKey: ID_B, before: ID_A } })
    expect(rekeyed).toMatchObject({ severity: 'notice', principal: null, facts: { term: 2 } })
    expect(moved).toMatchObject({ facts: { term: 2, moved: 233, failed: 0, unneededRootKeys: [ID_A] } })
  })

  it('is on record for as long as it is given, and so is that it went', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 1)
    await (await open(sql, b, { former: [a] })).keepUp()
    await open(sql, b)
    const changes = operationsOf(sql, 'vault.configure').map(({ facts }) => facts)
    const [given, gone] = [changes.at(-2), changes.at(-1)]
    expect([given.before.formerRootKeys ?? null, given.after.formerRootKeys]).toEqual([null, `["${ID_A}"]`])
    expect([gone.before.formerRootKeys, gone.after.formerRootKeys]).toEqual([`["${ID_A}"]`, null])
  })

  it('signs the log with a key of its own: who has the older key learns the new one, and the whole log verifies', async () => {
    const sql = openSqlite(':memory:')
    const { verifier } = await filled(sql, a, 3)
    const before = await checkpointOf(await open(sql, a))
    const remembered = (await openCheckpoint(before, [await parseVerifierKey(verifier)]))!
    const during = await open(sql, b, { former: [a] })
    await during.keepUp()
    const both = await checkpointOf(during)
    const learnt = await verifyLog(entriesOf(sql), {
      ...{ checkpoint: both, verifiers: [await parseVerifierKey(verifier)], remembered },
    })
    if ('flaw' in learnt) throw new Error(learnt.flaw.message)
    expect(learnt.keys).toHaveLength(1)
    const after = await open(sql, b)
    await write(after, 's/9', 'x')
    const alone = await checkpointOf(after)
    const [old, renewed] = await Promise.all([verifier, learnt.keys[0]!].map((key) => parseVerifierKey(key)))
    expect(await openCheckpoint(alone, [old!])).toBeNull()
    const whole = await verifyLog(entriesOf(sql), {
      ...{ checkpoint: alone, verifiers: [renewed!], remembered: learnt.checkpoint },
    })
    expect(whole).toMatchObject({ keys: learnt.keys })
    // What verifies the oldest checkpoints is told for ever.
    const keys = await verifierKeys({ vault: VAULT, keyring: after.keyring, settings }, after.granted('audit.head', {}))
    expect(keys).toEqual([learnt.keys[0], verifier])
    expect(await openCheckpoint(before, [await parseVerifierKey(keys[1]!)])).toEqual(remembered)
  })

  it('leaves no way in by the tokens of the one that went: the last that can be checked stays', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 1)
    const during = await open(sql, b, { former: [a] })
    const fresh = {
      accessor: 'fresh',
      principal: 'admin',
      label: '',
      expiresAt: null,
      hash: randomBytes(16),
      root: ID_B,
    }
    during.granted('token.create', fresh)
    await during.keepUp()
    const refusals = (opened: OpenedVault) => [
      opened.ask('token.revoke', { accessor: 'fresh' }),
      opened.ask('principal.put', { id: 'admin', kind: 'user', disabled: true }),
      opened.ask('rule.delete', { id: 'admin' }),
    ]
    const reasonOf = (answer: Answer) => (answer.ok ? 'ok' : answer.reason)
    const alone = await open(sql, b)
    expect(refusals(alone).map(reasonOf)).toEqual(['last_admin', 'last_admin', 'last_admin'])
    // With another that can be checked it can go; and one of the root key that went can at any time.
    alone.granted('token.create', { ...fresh, accessor: 'second', hash: randomBytes(16) })
    expect(reasonOf(alone.ask('token.revoke', { accessor: 'fresh' }))).toBe('ok')
    const [dead] = alone.granted('token.list', {}).filter(({ root }) => root === ID_A)
    expect(reasonOf(alone.ask('token.revoke', { accessor: dead!.accessor }))).toBe('ok')
  })

  it('may be replaced before all moved to it, and a third one takes everything along', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql)
    const second = await open(sql, b, { former: [a] })
    await write(second, 's/1', `${CANARY} 1`)
    const third = await open(sql, c, { former: [b, a] })
    await expectWhole(sql, third)
    await third.keepUp()
    expect(rootsIn(sql)).toEqual(allUnder(ID_C))
    await expectWhole(sql, await open(sql, c))
  })

  it('leaves a vault whose log was rolled back unchanged', async () => {
    const kept = new Map<string, string>()
    const anchor: Anchor = {
      target: 'anchor:memory',
      read: async (vault) => kept.get(vault) ?? null,
      write: async (vault, note) => void kept.set(vault, note),
    }
    const sql = openSqlite(':memory:')
    await filled(sql, a, 1)
    const backup = copyOf(sql)
    const during = await open(sql, b, { former: [a], anchor })
    await during.keepUp()
    expect(Number(kept.get(VAULT)?.split('\n')[1])).toBeGreaterThan(entriesOf(backup).length)
    const dump = dumpOf(backup)
    const restored = await open(backup, b, { former: [a], anchor })
    expect(restored.ask('keys.show', {})).toMatchObject({ ok: false, reason: 'rolled_back' })
    expect(dumpOf(backup)).toEqual(dump)
  })
})

describe('root keys that are wrong', () => {
  /** Opening is refused, says so, and changes nothing. */
  async function refused(sql: Sqlite, key: Redacted<Bytes>, keys: GivenKeys = {}): Promise<string> {
    const dump = dumpOf(sql)
    const error = await open(sql, key, keys).then(
      () => null,
      (error: unknown) => error,
    )
    expect(error).toMatchObject({ code: 'unavailable' })
    expect(dumpOf(sql)).toEqual(dump)
    return (error as Error).message
  }

  it('are refused when the former one is not given', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 2)
    expect(await refused(sql, b)).toContain(`it is ${ID_B}, and the vault is under ${ID_A}`)
    // The next one of a server is not what its own takes the place of.
    expect(await refused(sql, b, { next: a })).toContain(`the vault is under ${ID_A}`)
  })

  it('are refused when they were swapped: before, and after all has moved, and for a vault that came later', async () => {
    const [sql, later] = [openSqlite(':memory:'), openSqlite(':memory:')]
    await filled(sql, a, 2)
    const during = await open(sql, b, { former: [a] })
    await filled(later, b, 1)
    const young = openSqlite(':memory:')
    await open(young, b, { former: [a] })
    const message = `${ID_A} was replaced by ${ID_B}, and cannot return`
    expect(await refused(sql, a, { former: [b] })).toContain(message)
    expect(await refused(sql, a)).toContain(message)
    await during.keepUp()
    expect(await refused(sql, a, { former: [b] })).toContain(message)
    expect(await refused(young, a, { former: [b] })).toContain(message)
  })

  it('are refused without one that something is sealed under, and say how much', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 3)
    const during = await open(sql, b, { former: [a] })
    const lost = `${ID_A} (3 versions of secrets, 1 second factors, 1 signing secrets of hooks would be lost)`
    expect(await refused(sql, b)).toContain(lost)
    expect(await refused(sql, c, { former: [b] })).toContain(lost)
    await during.keepUp()
    await expectWhole(sql, await open(sql, b), 3)
  })

  it('are refused while the log is signed by the former one, though nothing is sealed under it', async () => {
    const sql = openSqlite(':memory:')
    await open(sql, a)
    // It dies as soon as it was replaced.
    for (let n = 1; operationsOf(sql, 'root.replace').length === 0; n++)
      await open(failingAt(sql, n, 'after'), b, { former: [a] }).catch(() => {})
    expect(operationsOf(sql, 'audit.rekey')).toEqual([])
    sql.all('UPDATE term SET done_at = 1')
    expect(await refused(sql, b)).toContain(`${ID_A} (it signs the log)`)
    await open(sql, b, { former: [a] })
    await open(sql, b)
  })

  it('reports a useless key among them, and opens the vault all the same', async () => {
    const sql = openSqlite(':memory:')
    await open(sql, a)
    await open(sql, a, { former: [c], next: b })
    expect(lines.join()).toContain(`"event":"root_key_unknown","vault":"acme","rootKey":"${ID_C}"`)
    expect(operationsOf(sql, 'root.replace')).toEqual([])
  })

  it('do not come to need the former one again by a later term of the same', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 2)
    await (await open(sql, b, { former: [a] })).keepUp()
    const alone = await open(sql, b)
    alone.granted('keys.rekey', {})
    // Before anything moved to that term.
    await expectWhole(sql, await open(sql, b), 2)
  })
})

describe('a value that could not be moved', () => {
  it('keeps the former root key, is named, and is done with when it is destroyed', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 3)
    sql.all('UPDATE version SET sealed = zeroblob(length(sealed)) WHERE secret = 2')
    sql.all('UPDATE cached SET sealed = zeroblob(length(sealed))')
    const during = await open(sql, b, { former: [a] })
    await during.keepUp()
    const shown = during.granted('keys.show', {})
    expect(shown.unmoved).toEqual([{ kind: 'version', name: 's/1', version: 1 }])
    expect(shown).toMatchObject({ terms: [{ failed: 1, doneAt: null }, {}], roots: [{}, { id: ID_A, needed: true }] })
    // The cache is not a loss.
    expect(sql.all('SELECT * FROM cached')).toEqual([])
    await expect(open(sql, b)).rejects.toThrow('1 versions of secrets would be lost')
    during.granted('secret.destroy', { name: 's/1' })
    await during.keepUp()
    expect(during.granted('keys.show', {})).toMatchObject({ unmoved: [], roots: [{}, { id: ID_A, needed: false }] })
    await open(sql, b)
  })

  it('is not named to a caller who may not read it', async () => {
    const sql = openSqlite(':memory:')
    await filled(sql, a, 3)
    sql.all('UPDATE version SET sealed = zeroblob(length(sealed)) WHERE secret = 2')
    const during = await open(sql, b, { former: [a] })
    await during.keepUp()
    const rule = { effect: 'forbid', principal: 'admin', actions: ['read'], resource: 's/**' } as const
    during.granted('rule.put', { id: 'blind', ...rule })
    expect(during.granted('keys.show', {})).toMatchObject({ unmoved: [], terms: [{ failed: 1 }, {}] })
  })
})

describe('a replacement that is broken off', () => {
  it.each(['before', 'after'] as const)(
    '%s any transaction continues where it stopped, and everything opens',
    { timeout: 180_000 },
    async (when) => {
      let steps = 0
      const original = openSqlite(':memory:')
      const { verifier } = await filled(original, a, 205)
      for (let finished = false; !finished; steps++) {
        const sql = copyOf(original)
        const failing = failingAt(sql, steps + 1, when)
        const broken = await open(failing, b, { former: [a] }).catch(() => null)
        await broken?.keepUp()
        finished = !failing.failed
        // Half a move is not a move: without the former key the vault opens or is refused.
        const copy = copyOf(sql)
        const lone = await open(copy, b).catch(() => null)
        if (lone !== null) await expectWhole(copy, lone, 205)
        const again = await open(sql, b, { former: [a] })
        await expectWhole(sql, again, 205)
        await again.keepUp()
        expect(rootsIn(sql)).toEqual(allUnder(ID_B))
        const done = operationsOf(sql, 'root.replace', 'audit.rekey', 'keys.rewrap').map(({ operation }) => operation)
        expect(done).toEqual(['root.replace', 'audit.rekey', 'keys.rewrap'])
        const checkpoint = await checkpointOf(again)
        const verifiers = [await parseVerifierKey(verifier)]
        expect(await verifyLog(entriesOf(sql), { checkpoint, verifiers })).toMatchObject({ keys: [expect.any(String)] })
        await expectWhole(sql, await open(sql, b), 205)
        sql.close()
      }
      // Claim, replacement, key of the log, configuration, and the batches of four tables, at least.
      expect(steps).toBeGreaterThan(8)
    },
  )
})

describe('tokens of a former root key', () => {
  it('belong to the root key they were made under, for any owner', async () => {
    const sql = openSqlite(':memory:')
    const { opened } = await filled(sql, a, 1)
    const { hash } = mintToken(VAULT, await tokenKeyOf(a))
    const about = { principal: 'admin', label: '', expiresAt: null }
    opened.granted('token.create', { ...about, hash, accessor: 'of-a', root: ID_A })
    const during = await open(sql, b, { former: [a] })
    during.granted('token.create', { ...about, hash: hash.map((byte) => byte ^ 1), accessor: 'of-b', root: ID_B })
    const roots = Object.fromEntries(during.granted('token.list', {}).map(({ accessor, root }) => [accessor, root]))
    expect(roots).toMatchObject({ 'of-a': ID_A, 'of-b': ID_B })
    const bearersOf = (id: string) => during.granted('keys.show', {}).roots.find((root) => root.id === id)
    expect([bearersOf(ID_A)?.tokens, bearersOf(ID_A)?.principals, bearersOf(ID_B)?.tokens]).toEqual([2, 1, 1])
    during.granted('token.revoke', { accessor: 'of-a' })
    expect(bearersOf(ID_A)?.tokens).toBe(1)
  })
})

/** A store that fails at its n-th transaction: before it is begun, or after it is durable. */
function failingAt(sql: Sqlite, n: number, when: 'before' | 'after'): Sql & { failed: boolean } {
  let left = n
  const failing = {
    failed: false,
    all: <Row>(query: string, ...params: SqlValue[]) => sql.all<Row>(query, ...params),
    scrub: () => sql.scrub(),
    atomic<T>(fn: () => T): T {
      // A process that died does nothing more.
      if (failing.failed) throw new Error('crash')
      const isIt = --left === 0
      if (isIt) failing.failed = true
      if (isIt && when === 'before') throw new Error('crash')
      const result = sql.atomic(fn)
      if (isIt) throw new Error('crash')
      return result
    },
  }
  return failing
}

function dumpOf(sql: Sqlite): Record<string, unknown> {
  const names = sql.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
  return Object.fromEntries(names.map(({ name }) => [name, sql.all(`SELECT * FROM ${name}`)]))
}
