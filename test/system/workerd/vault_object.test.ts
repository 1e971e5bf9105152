/** The vault inside a real Durable Object: transactions, the log, eviction and RPC. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { mintToken } from '../../../core/authentication/token.ts'
import { type Bytes, base64, concat, utf8 } from '../../../core/bytes.ts'
import { open, seal } from '../../../core/crypto/envelope.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { leafHash, nodeHash } from '../../../core/tlog/merkle.ts'
import { declaredSchema, migrate } from '../../../core/vault/migrate.ts'
import type { Answer, Call, Caller } from '../../../core/vault/rpc.ts'
import { NEWEST_SCHEMA } from '../../../core/vault/schema.ts'
import { type SchemaObject, schemaOf } from '../../../core/vault/schema_check.ts'
import type { VaultStub } from '../../../worker/vault_host/durable.ts'
import { openStorage, type VaultObject } from '../../../worker/vault_object.ts'
import { bootstrapOf, exchangeOf, RECOVERY, ticketOf } from '../../support/tickets.ts'

declare global {
  namespace Cloudflare {
    interface Env {
      VAULT: DurableObjectNamespace<VaultObject>
      POSTERN_ROOT_KEY: string
      POSTERN_FORMER_ROOT_KEYS: string
    }
    interface GlobalProps {
      mainModule: typeof import('../../../worker/cloudflare.ts')
    }
  }
}

// RPC types cannot say that an answer's value may be anything; ours do.
const vaultOf = (name: string) => env.VAULT.getByName(name) as unknown as VaultStub

const keyring = await Keyring.open(parseRootKey(env.POSTERN_ROOT_KEY))

async function callerOf(vault: string): Promise<Caller> {
  const { hash } = mintToken(vault, await keyring.macKey(vault, 'token'))
  const about = { requestId: crypto.randomUUID(), address: null, agent: null }
  await vaultOf(vault).execute([bootstrapOf(hash, Date.now())])
  return { credential: { kind: 'token', hash }, proof: null, ...about }
}

function writeOf(caller: Caller, name: string): Call {
  const input = { name, version: 1, kid: 'k', sealed: utf8('sealed'), contentType: 'text/plain', encoding: 'utf8' }
  return { operation: 'secret.write', caller, input }
}

/** RFC 6962 section 2.1, by definition. */
function treeHash(leaves: Bytes[]): Bytes {
  if (leaves.length === 1) return leafHash(leaves[0]!)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)))
}

async function logOf(stub: VaultStub, caller: Caller) {
  const call: Call = { operation: 'audit.entries', caller, input: { from: 0, limit: 1000 } }
  const [answer] = (await stub.execute([call])) as Answer<{
    head: { size: number; root: Bytes }
    entries: { body: Bytes }[]
  }>[]
  if (!answer?.ok) throw new Error('Log cannot be read')
  return answer.value
}

describe('a vault object', () => {
  it('keeps one log of 200 concurrent calls, with the root of RFC 6962', async () => {
    const stub = vaultOf('race')
    const caller = await callerOf('race')
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => stub.execute([writeOf(caller, `n${i}`)])))
    expect(answers.flat().every(({ ok }) => ok)).toBe(true)
    expect(new Set(answers.flat().map(({ index }) => index)).size).toBe(200)
    const { head, entries } = await logOf(stub, caller)
    // The calls and the bootstrap.
    expect(head.size).toBe(201)
    expect(base64(head.root)).toBe(base64(treeHash(entries.map(({ body }) => concat(body)))))
  })

  it('answers concurrent calls in few transactions', async () => {
    const stub = vaultOf('joined')
    const caller = await callerOf('joined')
    await stub.execute([writeOf(caller, 'first')])
    const transactions = await runInDurableObject(env.VAULT.getByName('joined'), async (object, { storage }) => {
      const spy = vi.spyOn(storage, 'transactionSync')
      const calls = Array.from({ length: 50 }, (_, i) => object.execute([writeOf(caller, `n${i}`)]))
      const answers = (await Promise.all(calls)).flat()
      expect(answers.map(({ ok }) => ok)).toEqual(Array.from({ length: 50 }, () => true))
      return spy.mock.calls.length
    })
    expect(transactions).toBeGreaterThan(0)
    expect(transactions).toBeLessThan(50 / 5)
  })

  it('keeps everything after eviction and after an abort', async () => {
    const stub = vaultOf('evicted')
    const object = env.VAULT.getByName('evicted')
    const caller = await callerOf('evicted')
    await stub.execute([writeOf(caller, 'a')])
    await evictDurableObject(object)
    await stub.execute([writeOf(caller, 'b')])
    await abortAllDurableObjects()
    const { entries } = await logOf(vaultOf('evicted'), caller)
    const written = entries
      .map(({ body }) => JSON.parse(new TextDecoder().decode(body)))
      .filter(({ operation }) => operation === 'secret.write')
    expect(written.map(({ resource }) => resource)).toEqual(['a', 'b'])
  })

  it('row 46: returns refusals as values with their code, and no detail of an error', async () => {
    const stub = vaultOf('refusals')
    const caller = await callerOf('refusals')
    const broken = { ...writeOf(caller, 'x'), input: null } as Call
    // A busy machine joins fewer calls.
    const [missing] = await stub.execute([{ operation: 'secret.read', caller, input: { name: 'none' } }])
    const [failed] = await stub.execute([broken])
    expect(missing).toMatchObject({ ok: false, reason: 'no_secret', index: expect.any(Number) })
    expect(failed).toEqual({ ok: false, reason: 'failed', index: null, quota: null })
  })

  it('row 37: keeps vaults apart', async () => {
    const caller = await callerOf('one')
    await vaultOf('one').execute([writeOf(caller, 'mine')])
    const [answer] = await vaultOf('two').execute([{ operation: 'secret.read', caller, input: { name: 'mine' } }])
    expect(answer).toEqual({ ok: false, reason: 'unauthenticated', index: null, quota: null })
  })

  it('writes nothing for a stranger to a vault that does not exist', async () => {
    const known = await callerOf('somewhere')
    const stranger = { ...known, credential: null }
    const calls: Call[] = [
      { operation: 'secret.read', caller: known, input: { name: 'a' } },
      { operation: 'issuer.trusted', caller: stranger, input: { issuer: 'https://x.example' } },
      exchangeOf(ticketOf(RECOVERY), new Uint8Array(16)),
    ]
    const answers = await vaultOf('nowhere').execute(calls)
    const reasons = ['unauthenticated', 'unauthenticated', 'has_no_principals']
    expect(answers.map((answer) => !answer.ok && answer.reason)).toEqual(reasons)
    await runInDurableObject(env.VAULT.getByName('nowhere'), (_, state) => {
      expect(
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
      ).toEqual([])
    })
  })

  it('rolls back a failed transaction, and reads blobs as bytes', async () => {
    await runInDurableObject(env.VAULT.getByName('storage'), (_, state) => {
      const sql = openStorage(state.storage)
      migrate(sql, 1)
      const insert = () => sql.all("INSERT INTO entry VALUES (0, x'0102', 'ann')")
      const fail = () => {
        insert()
        throw new Error('undone')
      }
      expect(() => sql.atomic(fail)).toThrow('undone')
      expect(sql.all('SELECT * FROM entry')).toEqual([])
      sql.atomic(insert)
      expect(sql.all('SELECT * FROM entry')).toEqual([{ n: 0, body: Uint8Array.of(1, 2), principal: 'ann' }])
    })
  })
})

describe('the schema of an object', () => {
  it('matches the schema that this engine declares', async () => {
    await runInDurableObject(env.VAULT.getByName('schema'), (_, state) => {
      const sql = openStorage(state.storage)
      migrate(sql, 1)
      const byName = (one: SchemaObject, other: SchemaObject) => (one.name < other.name ? -1 : 1)
      expect(schemaOf(sql)).toEqual([...declaredSchema(NEWEST_SCHEMA)].sort(byName))
    })
  })

  it('row 77: refuses every call after a trigger was added', async () => {
    const caller = await callerOf('triggered')
    expect((await vaultOf('triggered').execute([writeOf(caller, 'first')]))[0]).toMatchObject({ ok: true })
    await runInDurableObject(env.VAULT.getByName('triggered'), (_, { storage }) => {
      storage.sql.exec('CREATE TRIGGER upkeep AFTER INSERT ON session BEGIN DELETE FROM rule; END')
    })
    await evictDurableObject(env.VAULT.getByName('triggered'))
    expect((await vaultOf('triggered').execute([writeOf(caller, 'second')]))[0]).toMatchObject({
      ok: false,
      reason: 'schema_changed',
    })
  })
})

describe('inside workerd', () => {
  it('seals and opens, and refuses a moved envelope', async () => {
    const kek = await keyring.currentKek('v')
    const binding = { vault: 'v', name: 'n', version: 7n, contentType: 'text/plain' }
    const sealed = await seal(kek, utf8('value'), binding)
    expect((await open(kek, sealed, binding)).reveal()).toEqual(utf8('value'))
    await expect(open(kek, sealed, { ...binding, name: 'm' })).rejects.toMatchObject({ code: 'tampered' })
  })

  it('answers over HTTP, and refuses a token of another vault without waking an object', async () => {
    const { text } = mintToken('other', await keyring.macKey('other', 'token'))
    const ask = (path: string, headers = {}) => exports.default.fetch(`https://postern.test${path}`, { headers })
    expect((await ask('/healthz')).status).toBe(200)
    const refused = await ask('/v1/vaults/asked/secrets/a', { Authorization: `Bearer ${text.reveal()}` })
    expect(refused.status).toBe(401)
    expect(await refused.json()).toMatchObject({ code: 'unauthenticated' })
  })
})

/**
 * Rings the alarm, and waits for its jobs and for those that run already. The alarm is set to a later time first, since
 * one that is due may ring by itself, and then there would be none to wait for.
 */
async function ring(object: DurableObjectStub<VaultObject>): Promise<void> {
  await runInDurableObject(object, (_, state) => state.storage.setAlarm(Date.now() + 600_000))
  await runDurableObjectAlarm(object)
}

describe('the scheduler', () => {
  it('is run by the alarm, under the name of the object, and sets the next alarm', async () => {
    const object = env.VAULT.getByName('kept-up')
    const stub = vaultOf('kept-up')
    // A year ago.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 366 * 86_400_000 })
    const caller = await callerOf('kept-up')
    const calls = Array.from({ length: 300 }, (_, i) => writeOf(caller, `n${i}`))
    // A busy machine joins fewer calls.
    for (let at = 0; at < calls.length; ) at += (await stub.execute(calls.slice(at, at + 50))).length
    vi.useRealTimers()
    // After a new opening everything is due, and the alarm rings by itself.
    const until = async (column: 'min' | 'announced', wanted: number) => {
      await evictDurableObject(object)
      await vi.waitUntil(
        async () => {
          await runDurableObjectAlarm(object)
          const read = (_: unknown, { storage }: DurableObjectState) =>
            storage.sql.exec('SELECT min, announced FROM retention').one()[column]
          return (await runInDurableObject(object, read)) === wanted
        },
        { timeout: 30_000 },
      )
    }
    await until('announced', 256)
    // As if this had been logged the day before.
    await runInDurableObject(object, (_, state) => {
      expect(state.storage.sql.exec('SELECT min FROM retention').one()).toEqual({ min: 0 })
      state.storage.sql.exec('UPDATE retention SET announced_when = 0')
    })
    await until('min', 256)
    await runInDurableObject(object, async (_, state) => {
      expect(state.storage.sql.exec('SELECT min FROM retention').one()).toEqual({ min: 256 })
      const note = String(state.storage.sql.exec('SELECT note FROM checkpoint ORDER BY size').toArray()[0]?.note)
      expect(note.split('\n')[0]).toBe('postern.invalid/audit/kept-up')
      expect(await state.storage.getAlarm()).not.toBeNull()
    })
  })
})

describe('rotation by the alarm', () => {
  it('makes a new value when it is due, also if the object is evicted in the middle', async () => {
    const object = env.VAULT.getByName('rotated')
    const stub = vaultOf('rotated')
    const caller = await callerOf('rotated')
    const ask = async (operation: Call['operation'], input: unknown) => {
      const [answer] = await stub.execute([{ operation, caller, input }])
      if (!answer?.ok) throw new Error(`${operation} was refused`)
      return answer.value
    }
    await stub.execute([writeOf(caller, 'db')])
    const config = {
      ...{ rotateEvery: 'PT1H', jitterSeconds: 0, freeze: [], target: { kind: 'generate' }, graceSeconds: 60 },
      generate: { kind: 'password', length: 32 },
    }
    await ask('rotation.put', { name: 'db', config })
    await ring(object)
    const stored = (query: string) =>
      runInDurableObject(object, (_, state) => state.storage.sql.exec(query).toArray() as Record<string, unknown>[])
    const versions = 'SELECT current, previous, pending FROM secret'
    expect(await stored(versions)).toEqual([{ current: 1, previous: null, pending: null }])
    // As if the hour had passed, and as if a process had died holding a lease that has expired.
    await stored('UPDATE rotation SET next_at = 1')
    await stored(`INSERT INTO run (secret, why, by, body, step, fence, attempts, next_at, started_at)
      SELECT secret, 'schedule', '(schedule)', body, 'create', 7, 1, 1, 1 FROM rotation`)
    await evictDurableObject(object)
    await ring(object)
    expect(await stored(versions)).toEqual([{ current: 2, previous: 1, pending: null }])
    expect(await stored('SELECT outcome, fence > 7 AS later FROM run')).toEqual([{ outcome: 'rotated', later: 1 }])
    const { sealed, kid } = (await ask('secret.read', { name: 'db' })) as { sealed: Bytes; kid: string }
    const binding = { vault: 'rotated', name: 'db', version: 2n, contentType: 'utf8;text/plain; charset=utf-8' }
    expect((await open(await keyring.kek('rotated', kid), sealed, binding)).reveal()).toHaveLength(32)
  })

  it('moves sealed values to another root key in an object that its alarm woke', async () => {
    const object = env.VAULT.getByName('replaced')
    const stub = vaultOf('replaced')
    const caller = await callerOf('replaced')
    const formerRing = await Keyring.open(parseRootKey(env.POSTERN_FORMER_ROOT_KEYS))
    const binding = { vault: 'replaced', name: 'a', version: 1n, contentType: 'utf8;text/plain' }
    const sealed = await seal(await formerRing.currentKek('replaced'), utf8('value'), binding)
    await stub.execute([writeOf(caller, 'a')])
    // As if it had been created under the former root key, and deployed again with both.
    await runInDurableObject(object, (_, state) => {
      const { sql } = state.storage
      for (const table of ['term', 'token']) sql.exec(`UPDATE ${table} SET root = ?`, formerRing.rootId)
      sql.exec('UPDATE version SET kid = ?, sealed = ?', `${formerRing.rootId}.1`, sealed)
    })
    await evictDurableObject(object)
    const stored = (query: string) =>
      runInDurableObject(object, (_, state) => state.storage.sql.exec(query).toArray() as Record<string, unknown>[])
    await ring(object)
    expect(await stored('SELECT number, root, moved, failed FROM term ORDER BY number')).toEqual([
      { number: 1, root: formerRing.rootId, moved: 0, failed: 0 },
      { number: 2, root: keyring.rootId, moved: 1, failed: 0 },
    ])
    expect(await stored('SELECT term, root FROM log_key ORDER BY term')).toEqual([
      { term: 1, root: formerRing.rootId },
      { term: 2, root: keyring.rootId },
    ])
    const [answer] = (await stub.execute([{ operation: 'secret.read', caller, input: { name: 'a' } }])) as Answer<{
      kid: string
      sealed: Bytes
    }>[]
    if (!answer?.ok) throw new Error('It was refused')
    const { kid, sealed: moved } = answer.value
    expect(kid).toBe(`${keyring.rootId}.2`)
    expect((await open(await keyring.kek('replaced', kid), moved, binding)).reveal()).toEqual(utf8('value'))
  })

  it('moves sealed values to a new term', async () => {
    const object = env.VAULT.getByName('rekeyed')
    const stub = vaultOf('rekeyed')
    const caller = await callerOf('rekeyed')
    const sealed = await seal(await keyring.currentKek('rekeyed'), utf8('value'), {
      ...{ vault: 'rekeyed', name: 'a', version: 1n, contentType: 'utf8;text/plain' },
    })
    const write = writeOf(caller, 'a')
    write.input = { ...(write.input as object), kid: `${keyring.rootId}.1`, sealed }
    await stub.execute([write, { operation: 'keys.rekey', caller, input: {} }])
    const stored = (query: string) => runInDurableObject(object, (_, state) => state.storage.sql.exec(query).one())
    // The first alarm rings by itself: its jobs may have run just before the new term began.
    const isMoved = async () => {
      await ring(object)
      return (await stored('SELECT moved FROM term WHERE number = 2')).moved === 1
    }
    await vi.waitUntil(isMoved, { timeout: 30_000 })
    expect(await stored('SELECT kid FROM version')).toEqual({ kid: `${keyring.rootId}.2` })
  })
})
