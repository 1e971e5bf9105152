/** Opening a vault: its root key, its schema, its log, and its anchors. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Bytes, randomBytes } from '../../../../core/bytes.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import type { Anchor } from '../../../../core/tlog/anchor.ts'
import { signCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import type { Hash } from '../../../../core/tlog/merkle.ts'
import { encodeEvent } from '../../../../core/vault/audit/event.ts'
import { Log } from '../../../../core/vault/audit/log.ts'
import type { Answer, Caller } from '../../../../core/vault/rpc.ts'
import type { Scheduler } from '../../../../worker/background/scheduler.ts'
import { registryOf } from '../../../../worker/compose.ts'
import { openSqlite, type Sqlite } from '../../../../worker/local/sqlite.ts'
import { openVault } from '../../../../worker/vault_host/open_vault.ts'
import { copyOf } from '../../../support/copied_store.ts'
import { bootstrapOf } from '../../../support/tickets.ts'

/** An anchor in memory, which may be unreachable. */
function memoryAnchor() {
  const kept = new Map<string, string>()
  const state = { reachable: true, writable: true, reads: 0 }
  const reach = () => {
    state.reads++
    if (!state.reachable) throw new Error('unreachable')
  }
  const anchor: Anchor = {
    target: 'anchor:memory',
    async read(vault) {
      reach()
      return kept.get(vault) ?? null
    },
    async write(vault, note) {
      reach()
      if (!state.writable) throw new Error('read-only')
      kept.set(vault, note)
    },
  }
  return { anchor, kept, state }
}

const rootKey = randomBytes(32)
const TOKEN_HASH = new Uint8Array(16).fill(1) as Bytes
const caller: Caller = {
  credential: { kind: 'token', hash: TOKEN_HASH },
  ...{ proof: null, requestId: 'r', address: null, agent: null },
}

/** Opens a store as a server with these settings would, and waits for its jobs. */
async function open(
  sql: Sqlite,
  anchor: Anchor | Anchor[] | null,
  environment: Record<string, string> = {},
  key = rootKey,
) {
  let due: Scheduler | null = null
  const settings = parseSettings({ environment })
  const surroundings = {
    settings,
    registry: registryOf({ settings }, null),
    keyring: await Keyring.open(new Redacted(key)),
    anchors: anchor === null ? [] : [anchor].flat(),
  }
  const { vault } = await openVault(sql, 'acme', surroundings, (scheduler) => {
    due = scheduler
  })
  const list = (): Answer => {
    if (vault.isEmpty()) vault.execute([bootstrapOf(TOKEN_HASH, Date.now())], Date.now())
    return vault.execute([{ operation: 'rule.list', caller, input: {} }], Date.now())[0]!
  }
  const reasonOf = (answer: Answer) => (answer.ok ? 'ok' : answer.reason)
  // Makes the jobs that follow writes due at once.
  const keepUp = async () => {
    due?.notifyWrite(0)
    await due?.run(Date.now() + 3_600_000)
  }
  return { vault, list, ask: () => reasonOf(list()), keepUp }
}

let lines: string[]
beforeEach(() => {
  lines = []
  vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)))
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a vault', () => {
  it('opens under its own root key only', async () => {
    const sql = openSqlite(':memory:')
    await open(sql, null)
    await expect(open(sql, null, {}, randomBytes(32))).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('logs the accessor of a token that 0.1 printed at each opening, until it is revoked', async () => {
    const sql = openSqlite(':memory:')
    const { ask } = await open(sql, null)
    ask()
    const lines: string[] = []
    const spy = vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)))
    try {
      const warnings = () => lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'bootstrap_token')
      await open(sql, null)
      expect(warnings()).toEqual([])
      sql.all("UPDATE token SET label = 'bootstrap'")
      const [row] = sql.all<{ accessor: string }>('SELECT accessor FROM token')
      for (let opening = 1; opening <= 2; opening++) {
        await open(sql, null)
        expect(warnings()).toHaveLength(opening)
      }
      expect(warnings()[0]).toMatchObject({ level: 'warn', vault: 'acme', accessor: row!.accessor })
      sql.all('UPDATE token SET revoked_at = 1')
      await open(sql, null)
      expect(warnings()).toHaveLength(2)
    } finally {
      spy.mockRestore()
    }
  })

  it('writes aliases and blinded entries when settings ask for them, with the same alias after a restart', async () => {
    const sql = openSqlite(':memory:')
    const environment = { POSTERN_AUDIT__ALIAS_NAMES: 'true', POSTERN_AUDIT__BLIND: 'true' }
    for (let i = 0; i < 2; i++) {
      const { vault, ask } = await open(sql, null, environment)
      ask()
      vault.execute([{ operation: 'secret.read', caller, input: { name: 'prod/canary-name' } }], Date.now())
    }
    const entries = sql
      .all<{ body: Uint8Array }>('SELECT body FROM entry')
      .map(({ body }) => Buffer.from(body).toString())
    expect(entries.join()).not.toContain('canary-name')
    const reads = entries.map((entry) => JSON.parse(entry)).filter(({ operation }) => operation === 'secret.read')
    expect(reads[0].resource).toMatch(/^hmac:[A-Za-z0-9_-]{22}$/)
    expect(reads[1].resource).toBe(reads[0].resource)
    expect(reads.every(({ blind }) => blind.length === 24)).toBe(true)
  })
})

describe('a log that was edited in the storage', () => {
  const bodyAt = (sql: Sqlite, n: number) =>
    Buffer.from(sql.all<{ body: Uint8Array }>('SELECT body FROM entry WHERE n = ?', n)[0]!.body).toString()
  const put = (sql: Sqlite, n: number, body: string) =>
    sql.all('UPDATE entry SET body = ? WHERE n = ?', Buffer.from(body), n)
  const EDITS: [string, (sql: Sqlite, last: number) => void, number | null][] = [
    ['an edited entry', (sql) => put(sql, 5, bodyAt(sql, 5).replace('"ok"', '"no_rule"')), 6],
    ['an edited last entry', (sql, last) => put(sql, last, bodyAt(sql, last).replace('"ok"', '"no_rule"')), null],
    ['a deleted entry', (sql) => sql.all('DELETE FROM entry WHERE n = 7'), 7],
    [
      'two swapped entries',
      (sql) => {
        const [one, other] = [bodyAt(sql, 4), bodyAt(sql, 5)]
        put(sql, 4, other)
        put(sql, 5, one)
      },
      4,
    ],
    ['deleted last entries', (sql, last) => sql.all('DELETE FROM entry WHERE n >= ?', last - 2), null],
    [
      'an entry appended twice',
      (sql, last) => sql.all('INSERT INTO entry SELECT ?, body, principal FROM entry WHERE n = ?', last + 1, last),
      null,
    ],
    ['the deletion of all entries', (sql) => sql.all('DELETE FROM entry'), null],
    ['the deletion of its hashes', (sql) => sql.all('DELETE FROM hash'), null],
    [
      'a changed hash of its edge',
      (sql) => sql.all('UPDATE hash SET h = zeroblob(32) WHERE p = (SELECT MAX(p) FROM hash)'),
      null,
    ],
  ]

  it.each(EDITS)('rows 41, 42: is not served after %s', async (_, edit, entry) => {
    for (const anchor of [null, memoryAnchor().anchor]) {
      const sql = openSqlite(':memory:')
      const { ask, keepUp } = await open(sql, anchor)
      for (let i = 0; i < 14; i++) ask()
      await keepUp()
      expect((await open(sql, anchor)).ask()).toBe('ok')
      const last = sql.all<{ last: number }>('SELECT MAX(n) AS last FROM entry')[0]!.last
      lines = []
      edit(sql, last)
      const count = sql.all('SELECT COUNT(*) FROM entry')
      expect((await open(sql, anchor)).ask()).toBe('log_changed')
      expect(sql.all('SELECT COUNT(*) FROM entry')).toEqual(count)
      expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ event: 'log_changed', vault: 'acme', entry }])
    }
  })

  it('row 79: has its search columns rebuilt, and is logged once', async () => {
    const sql = openSqlite(':memory:')
    const { ask } = await open(sql, null)
    for (let i = 0; i < 5; i++) ask()
    const columns = () => [
      sql.all('SELECT n, principal FROM entry WHERE n < 6'),
      sql.all('SELECT * FROM notable WHERE n < 6'),
    ]
    const before = columns()
    sql.all('DELETE FROM notable')
    sql.all("UPDATE entry SET principal = 'eve' WHERE n = 2")
    sql.all('INSERT INTO notable VALUES (3, 3), (1000000, 3)')
    const alerts = async () => {
      const { vault } = await open(sql, null)
      const input = { from: 0, limit: 1000, severity: 'alert' } as const
      const [answer] = vault.execute([{ operation: 'audit.entries', caller, input }], Date.now())
      const { entries } = (answer as { value: { entries: { body: Uint8Array }[] } }).value
      return entries.map(({ body }) => JSON.parse(Buffer.from(body).toString()))
    }
    expect(await alerts()).toMatchObject([{ operation: 'audit.recheck', facts: { first: 0 } }])
    expect(columns()).toEqual(before)
    expect(await alerts()).toHaveLength(1)
  })

  it('rows 42, 79: is checked to its end while it is served, when it is long', async () => {
    const sql = openSqlite(':memory:')
    ;(await open(sql, null)).ask()
    const log = new Log(sql)
    const nobody = { request: null, principal: null, token: null, session: null, address: null, agent: null }
    const event = {
      at: 1,
      ...nobody,
      operation: 'test',
      action: null,
      resource: '',
      rule: null,
      outcome: 'ok',
    } as const
    sql.atomic(() => {
      while (log.size < 10_600) {
        const write = (index: number, previous: Hash | null) =>
          encodeEvent({ ...event, severity: 'info', facts: {} }, index, previous)
        log.append(write)
      }
    })
    sql.all('DELETE FROM notable')
    const whole = await open(sql, null)
    for (let i = 0; i < 5; i++) await whole.keepUp()
    expect(whole.ask()).toBe('ok')
    put(sql, 10_300, bodyAt(sql, 10_300).replace('"ok"', '"no_rule"'))
    const changed = await open(sql, null)
    expect(changed.ask()).toBe('ok')
    for (let i = 0; i < 5; i++) await changed.keepUp()
    expect(changed.ask()).toBe('log_changed')
  })
})

describe('a changed schema', () => {
  const TRIGGER = `CREATE TRIGGER upkeep AFTER INSERT ON session WHEN NEW.principal = 'eve'
    BEGIN UPDATE session SET principal = 'admin' WHERE hash = NEW.hash; END`
  const rowsOf = (sql: Sqlite) => sql.all('SELECT n, body FROM entry')
  const wordIn = () => JSON.parse(lines.find((line) => line.includes('"schema_changed"'))!)

  it('row 77: is not served, is logged with its differences, and is left as it is', async () => {
    const sql = openSqlite(':memory:')
    ;(await open(sql, null)).ask()
    sql.all(TRIGGER)
    const before = [rowsOf(sql), sql.all('SELECT * FROM meta')]
    const { ask, vault, keepUp } = await open(sql, null)
    expect(ask()).toBe('schema_changed')
    expect(vault.isEmpty()).toBe(false)
    expect(() => vault.probe(Date.now())).not.toThrow()
    await keepUp()
    expect([rowsOf(sql), sql.all('SELECT * FROM meta')]).toEqual(before)
    expect(wordIn()).toMatchObject({
      level: 'error',
      vault: 'acme',
      differences: ['trigger "upkeep" on "session" added'],
      count: 1,
    })
  })

  it('row 77: is served when the operator accepts exactly these differences, with one alert', async () => {
    const sql = openSqlite(':memory:')
    ;(await open(sql, null)).ask()
    sql.all('CREATE INDEX by_body ON entry (body)')
    await open(sql, null)
    const word = wordIn().acceptSchema as string
    const accepting = { POSTERN_AUDIT__ACCEPT_SCHEMA: word }
    for (let i = 0; i < 2; i++) expect((await open(sql, null, accepting)).ask()).toBe('ok')
    const alerts = () =>
      rowsOf(sql)
        .map((row) => JSON.parse(Buffer.from((row as { body: Uint8Array }).body).toString()))
        .filter(({ operation }) => operation === 'vault.schema')
    expect(alerts()).toMatchObject([
      { severity: 'alert', facts: { digest: word.split('/')[1], differences: ['index "by_body" on "entry" added'] } },
    ])
    // Without the setting it is refused again, and so are one more difference and another vault.
    expect((await open(sql, null)).ask()).toBe('schema_changed')
    expect((await open(sql, null, { POSTERN_AUDIT__ACCEPT_SCHEMA: word.replace('acme/', 'other/') })).ask()).toBe(
      'schema_changed',
    )
    sql.all(TRIGGER)
    expect((await open(sql, null, accepting)).ask()).toBe('schema_changed')
    // A difference that is gone needs no setting, and counts again when it comes back.
    sql.all('DROP TRIGGER upkeep')
    sql.all('DROP INDEX by_body')
    expect((await open(sql, null)).ask()).toBe('ok')
    sql.all('CREATE INDEX by_body ON entry (body)')
    expect((await open(sql, null, accepting)).ask()).toBe('ok')
    expect(alerts()).toHaveLength(2)
    await expect(open(sql, null, { POSTERN_AUDIT__ACCEPT_SCHEMA: 'acme/short' })).rejects.toMatchObject({
      code: 'bad_request',
    })
  })
})

describe('a log with an anchor', () => {
  it('is served while it continues the anchor', async () => {
    const [sql, { anchor, kept }] = [openSqlite(':memory:'), memoryAnchor()]
    const first = await open(sql, anchor)
    expect(first.ask()).toBe('ok')
    await first.keepUp()
    const size = Number(kept.get('acme')?.split('\n')[1])
    expect(size).toBeGreaterThan(0)
    const second = await open(sql, anchor)
    expect(second.ask()).toBe('ok')
    await second.keepUp()
    expect(Number(kept.get('acme')?.split('\n')[1])).toBeGreaterThan(size)
  })

  it('row 42: is not served when it is smaller than the anchor, and neither is written', async () => {
    const [sql, { anchor, kept }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    const backup = copyOf(sql)
    ask()
    await keepUp()
    const note = kept.get('acme')
    const entries = backup.all('SELECT COUNT(*) FROM entry')
    const restored = await open(backup, anchor)
    expect([restored.ask(), restored.ask()]).toEqual(['rolled_back', 'rolled_back'])
    await restored.keepUp()
    // One vault that was rolled back must not take the others out of service.
    expect(() => restored.vault.probe(Date.now())).not.toThrow()
    expect(kept.get('acme')).toBe(note)
    expect(backup.all('SELECT COUNT(*) FROM entry')).toEqual(entries)
    expect(lines.join()).toContain('"event":"rolled_back","vault":"acme"')
  })

  it('row 42: is served again when the operator accepts exactly this rollback, once, and records it first', async () => {
    const [sql, { anchor, kept, state }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    const [backup, another, later] = [copyOf(sql), copyOf(sql), copyOf(sql)]
    ask()
    await keepUp()
    expect((await open(backup, anchor)).ask()).toBe('rolled_back')
    const [word = ''] = JSON.parse(lines.find((line) => line.includes('"rolled_back"'))!).acceptRollback
    const accepting = { POSTERN_AUDIT__ACCEPT_ROLLBACK: word }
    const count = (of: Sqlite) => of.all<{ n: number }>('SELECT COUNT(*) AS n FROM entry')[0]!.n
    const before = count(backup)

    // An anchor that cannot be moved keeps the vault closed, and is logged once.
    state.writable = false
    for (let i = 0; i < 3; i++)
      await expect(open(backup, anchor, accepting)).rejects.toMatchObject({ code: 'unavailable' })
    expect(count(backup)).toBe(before + 1)
    state.writable = true
    const accepted = await open(backup, anchor, accepting)
    expect(accepted.ask()).toBe('ok')
    await accepted.keepUp()
    const [row] = backup.all<{ body: Uint8Array }>('SELECT body FROM entry WHERE n = ?', before)
    const alert = { operation: 'vault.restored', severity: 'alert', facts: { size: before } }
    expect(JSON.parse(Buffer.from(row!.body).toString())).toMatchObject(alert)
    expect(Number(kept.get('acme')?.split('\n')[1])).toBeGreaterThan(before)
    expect((await open(backup, anchor)).ask()).toBe('ok')

    // The anchor has moved: the same state is refused the next time, and so is another state under this setting.
    expect((await open(another, anchor, accepting)).ask()).toBe('rolled_back')
    for (let i = 0; i < 20; i++) (await open(later, null)).ask()
    expect((await open(later, anchor, accepting)).ask()).toBe('rolled_back')
  })

  it('row 42: is not served by an acceptance for another log, anchor or vault', async () => {
    const [sql, { anchor, kept }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    const backup = copyOf(sql)
    ask()
    await keepUp()
    const note = kept.get('acme')
    await open(backup, anchor)
    const [word = ''] = JSON.parse(lines.find((line) => line.includes('"rolled_back"'))!).acceptRollback
    const [vault, size, root, anchoredSize, anchoredRoot] = word.split('/')
    const wrong = [
      ['other', size, root, anchoredSize, anchoredRoot],
      [vault, size, anchoredRoot, anchoredSize, anchoredRoot],
      [vault, Number(size) - 1, root, anchoredSize, anchoredRoot],
      [vault, Number(size) + 1, root, anchoredSize, anchoredRoot],
      [vault, size, root, anchoredSize, root],
      [vault, size, root, Number(anchoredSize) + 1, anchoredRoot],
    ]
    for (const parts of wrong) {
      const environment = { POSTERN_AUDIT__ACCEPT_ROLLBACK: parts.join('/') }
      expect((await open(backup, anchor, environment)).ask()).toBe('rolled_back')
    }
    expect(kept.get('acme')).toBe(note)
    const malformed = { POSTERN_AUDIT__ACCEPT_ROLLBACK: 'acme/01/x/2/y' }
    await expect(open(backup, anchor, malformed)).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('row 42: is not served when it is longer and differs', async () => {
    const [sql, { anchor }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    const backup = copyOf(sql)
    ask()
    await keepUp()
    const fork = await open(backup, null)
    for (let i = 0; i < 20; i++) fork.ask()
    expect((await open(backup, anchor)).ask()).toBe('rolled_back')
  })

  it('row 78: is not served without the anchor that it had, until the operator accepts size 0', async () => {
    const [sql, { anchor, kept }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    await keepUp()
    const old = copyOf(sql)
    ask()
    await keepUp()
    kept.clear()
    const entries = old.all('SELECT COUNT(*) FROM entry')
    for (const store of [old, sql]) expect((await open(store, anchor)).ask()).toBe('rolled_back')
    expect(old.all('SELECT COUNT(*) FROM entry')).toEqual(entries)
    expect(kept.size).toBe(0)
    const [word = ''] = JSON.parse(lines.findLast((line) => line.includes('"rolled_back"'))!).acceptRollback
    expect(word.split('/')[3]).toBe('0')
    const accepted = await open(sql, anchor, { POSTERN_AUDIT__ACCEPT_ROLLBACK: word })
    expect(accepted.ask()).toBe('ok')
    expect(Number(kept.get('acme')?.split('\n')[1])).toBeGreaterThan(0)
    const entry = sql
      .all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
      .map(({ body }) => JSON.parse(Buffer.from(body).toString()))
      .find(({ operation }) => operation === 'vault.restored')
    expect(entry).toMatchObject({ severity: 'alert', facts: { replaces: [{ target: 'anchor:memory', size: 0 }] } })
    expect((await open(sql, anchor)).ask()).toBe('ok')
    // The acceptance is used up: the new anchor refuses the older store.
    expect((await open(old, anchor, { POSTERN_AUDIT__ACCEPT_ROLLBACK: word })).ask()).toBe('rolled_back')
  })

  it('row 78: may get its first anchor, and must continue each of several', async () => {
    const [sql, first, second] = [openSqlite(':memory:'), memoryAnchor(), memoryAnchor()]
    const other = { ...second.anchor, target: 'anchor:other' }
    ;(await open(sql, null)).ask()
    const given = await open(sql, first.anchor)
    expect(given.ask()).toBe('ok')
    await given.keepUp()
    const both = await open(sql, [first.anchor, other])
    expect(both.ask()).toBe('ok')
    await both.keepUp()
    second.kept.clear()
    expect((await open(sql, [first.anchor, other])).ask()).toBe('rolled_back')
    expect(second.kept.size).toBe(0)
  })

  it('row 78: does not recreate an anchor that is lost while the server runs, and recovers with it', async () => {
    const [sql, { anchor, kept, state }] = [openSqlite(':memory:'), memoryAnchor()]
    const running = await open(sql, anchor)
    running.ask()
    await running.keepUp()
    const note = kept.get('acme')!
    kept.clear()
    running.ask()
    await running.keepUp()
    expect(kept.size).toBe(0)
    expect(running.ask()).toBe('ok')
    expect(sql.all('SELECT failure FROM delivery')).toEqual([{ failure: 'gone' }])
    kept.set('acme', note)
    await running.keepUp()
    expect(sql.all('SELECT failure FROM delivery')).toEqual([{ failure: null }])

    // An anchor that was unreadable at the opening and is empty later may hide a rollback.
    state.reachable = false
    const blind = await open(sql, anchor)
    expect(blind.ask()).toBe('ok')
    state.reachable = true
    kept.clear()
    await blind.keepUp()
    expect(blind.ask()).toBe('rolled_back')
    expect(kept.size).toBe(0)
  })

  it('is not started again from nothing when it is lost', async () => {
    const { anchor } = memoryAnchor()
    const { ask, keepUp } = await open(openSqlite(':memory:'), anchor)
    ask()
    await keepUp()
    expect((await open(openSqlite(':memory:'), anchor)).ask()).toBe('rolled_back')
  })

  it('does not overwrite an unreadable anchor with an older log, once it is readable', async () => {
    const [sql, { anchor, kept, state }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    const backup = copyOf(sql)
    ask()
    await keepUp()
    const note = kept.get('acme')
    state.reachable = false
    const restored = await open(backup, anchor)
    expect(restored.ask()).toBe('ok')
    state.reachable = true
    await restored.keepUp()
    expect(kept.get('acme')).toBe(note)
    expect(restored.ask()).toBe('rolled_back')
  })

  it('is not served while a required anchor is unreadable', async () => {
    const { anchor, state } = memoryAnchor()
    state.reachable = false
    const environment = { POSTERN_AUDIT__ANCHOR_REQUIRED: 'true' }
    await expect(open(openSqlite(':memory:'), anchor, environment)).rejects.toMatchObject({ code: 'unavailable' })
    expect((await open(openSqlite(':memory:'), anchor)).ask()).toBe('ok')
  })

  it('is not served when the anchor holds something else, which is left as it is', async () => {
    const { anchor, kept } = memoryAnchor()
    kept.set('acme', 'not a checkpoint\n')
    await expect(open(openSqlite(':memory:'), anchor)).rejects.toMatchObject({ code: 'unavailable' })
    expect(kept.get('acme')).toBe('not a checkpoint\n')
  })

  it('row 42: is compared with an anchor that is many key terms ahead', async () => {
    const [sql, { anchor, kept }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    await keepUp()
    const old = copyOf(sql)
    const keyring = await Keyring.open(new Redacted(rootKey))
    const origin = kept.get('acme')!.split('\n')[0]!
    const signer = await keyring.noteSigner('acme', origin, 40)
    kept.set('acme', await signCheckpoint({ size: 1000, root: new Uint8Array(32) as Hash }, signer))
    expect((await open(old, anchor)).ask()).toBe('rolled_back')
  })

  it('row 42: cannot pose as a log whose beginning was pruned', async () => {
    const [sql, { anchor, kept }] = [openSqlite(':memory:'), memoryAnchor()]
    const { ask, keepUp } = await open(sql, anchor)
    ask()
    await keepUp()
    const note = kept.get('acme')
    const other = openSqlite(':memory:')
    const fork = await open(other, null)
    for (let i = 0; i < 300; i++) fork.ask()
    other.all('UPDATE retention SET min = 256, announced = 256')
    expect((await open(other, anchor)).ask()).toBe('rolled_back')
    expect(kept.get('acme')).toBe(note)
  })
})
