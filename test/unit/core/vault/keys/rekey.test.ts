/** Rekey and rewrap: everything that is sealed moves to the new term, whenever the process dies, and opens as before. */
import { describe, expect, it } from 'vitest'
import { dekCache, headSize, open, rewrap, seal } from '../../../../../core/crypto/envelope.ts'
import { Keyring, parseRootKey } from '../../../../../core/crypto/keyring.ts'
import { DAY_MS } from '../../../../../core/durations.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { openTotp, sealTotp } from '../../../../../core/sealing/totp_secret.ts'
import { openVersion, sealValue } from '../../../../../core/sealing/version.ts'
import { openWebhookSecret, sealWebhookSecret } from '../../../../../core/sealing/webhook_secret.ts'
import { parseSettings } from '../../../../../core/settings/settings.ts'
import type { SealedTotp } from '../../../../../core/vault/access/factor_store.ts'
import { unwrap } from '../../../../../core/vault/rpc.ts'
import { rewrapKeys } from '../../../../../worker/background/rewrap_keys.ts'
import type { VaultServices } from '../../../../../worker/vault_services.ts'
import { bytesOf, openVault, rejectionOf } from '../../../../support/core.ts'

const VAULT = 'acme'
const ring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const settingsWith = (days: number) =>
  parseSettings({ environment: { POSTERN_SECURITY__ENCRYPTION_KEY_ROTATION_DAYS: String(days) } })

/** A vault with some of everything that is sealed. */
async function filled(secrets: number) {
  const bench = openVault()
  bench.vault.claim(ring.rootId)
  const place = (name: string, version: number) =>
    ({ vault: VAULT, name, version, contentType: 'text/plain', encoding: 'utf8' }) as const
  async function write(name: string, value: string): Promise<ReturnType<typeof bench.ask>> {
    const { version, ...under } = bench.granted('admin', 'secret.prepare', { name })
    const sealed = await sealValue(ring, new Redacted(bytesOf(value)), place(name, version), under)
    return bench.ask('admin', 'secret.write', { name, version, ...sealed, contentType: 'text/plain', encoding: 'utf8' })
  }
  async function read(name: string, version?: number): Promise<string> {
    const sealed = bench.granted('admin', 'secret.read', version === undefined ? { name } : { name, version })
    const value = await openVersion(ring, dekCache(1), VAULT, sealed)
    return typeof value === 'string' ? value : Buffer.from(value.reveal()).toString()
  }
  for (let i = 0; i < secrets; i++) expect((await write(`s/${i}`, `value ${i}`)).ok).toBe(true)
  const hook = await sealWebhookSecret(
    ring,
    { vault: VAULT, id: 'h', url: 'https://x.example/', term: 1 },
    new Redacted(bytesOf('hook secret')),
  )
  bench.granted('admin', 'hook.put', { id: 'h', url: 'https://x.example/', newSecret: false, ...hook })
  const totp = await sealTotp(ring, { vault: VAULT, term: 1 }, 'admin', new Redacted(bytesOf('12345678901234567890')))
  bench.granted('admin', 'totp.enrol', { id: 'totp-1', ...totp })

  /** Does the duty until it has nothing to do at once; dies at the `crashAt`-th task. */
  async function process({ crashAt = Number.POSITIVE_INFINITY, days = 0 } = {}): Promise<void> {
    let tasks = 0
    const perform = async (task: never, input: never) => {
      if (++tasks >= crashAt) throw new Error('crash')
      return unwrap(bench.vault.perform(task, input, bench.now) as never).value
    }
    const services = { vault: VAULT, settings: settingsWith(days), keyring: ring, perform } as unknown as VaultServices
    while ((await rewrapKeys.run(services))! <= Date.now());
  }
  const kids = () =>
    ['version', 'totp', 'hook'].map((table) =>
      bench.database
        .all<{ term: string }>(
          `SELECT DISTINCT substr(kid, 18) AS term FROM ${table} WHERE sealed IS NOT NULL ORDER BY 1`,
        )
        .map(({ term }) => term),
    )
  return { bench, write, read, process, kids }
}

describe('rewrap', () => {
  it('moves the key of an envelope, and leaves the rest byte for byte', async () => {
    const [one, two] = [await ring.currentKek(VAULT, 1), await ring.currentKek(VAULT, 12)]
    const binding = { vault: VAULT, name: 'n', version: 1n, contentType: 't' }
    const sealed = await seal(one, bytesOf('value'), binding)
    const head = await rewrap(one, two, sealed.slice(0, headSize(one.kid)))
    expect(head.length).toBe(headSize(two.kid))
    const rest = sealed.slice(headSize(one.kid))
    const moved = Uint8Array.from([...head, ...rest])
    expect((await open(two, moved, binding)).reveal()).toEqual(bytesOf('value'))
    await expect(open(one, moved, binding)).rejects.toThrow()
  })

  it('refuses a head that was changed anywhere, cut, or is of another key', async () => {
    const [one, two] = [await ring.currentKek(VAULT, 1), await ring.currentKek(VAULT, 2)]
    const sealed = await seal(one, bytesOf('value'), { vault: VAULT, name: 'n', version: 1n, contentType: 't' })
    const head = sealed.slice(0, headSize(one.kid))
    for (let i = 0; i < head.length; i++) {
      const changed = head.slice()
      changed[i]! ^= 1
      expect((await rejectionOf(rewrap(one, two, changed))).code).toBe('tampered')
    }
    expect((await rejectionOf(rewrap(one, two, head.slice(0, -1)))).code).toBe('tampered')
    expect((await rejectionOf(rewrap(two, one, head))).code).toBe('tampered')
  })
})

describe('a new term', () => {
  it('moves every sealed value, and all of them open as before', { timeout: 60_000 }, async () => {
    const { bench, write, read, process, kids } = await filled(450)
    expect(bench.granted('admin', 'keys.rekey', {})).toMatchObject({ number: 2, doneAt: null, moved: 0 })
    expect((await write('s/1', 'newer')).ok).toBe(true)
    await process()
    expect(kids()).toEqual([['2'], ['2'], ['2']])
    expect(bench.granted('admin', 'keys.show', {}).terms[0]).toMatchObject({ moved: 452, failed: 0, doneAt: bench.now })
    expect([await read('s/0'), await read('s/1', 1), await read('s/1'), await read('s/449')]).toEqual([
      ...['value 0', 'value 1', 'newer', 'value 449'],
    ])
    const { database } = bench
    const [hook] = database.all<never>('SELECT * FROM hook')
    expect(Buffer.from((await openWebhookSecret(ring, VAULT, hook!)).reveal()).toString()).toBe('hook secret')
    const [totp] = database.all<SealedTotp>('SELECT * FROM totp')
    const secret = await openTotp(ring, VAULT, { ...totp!, principal: 'admin' })
    expect(Buffer.from(secret.reveal()).toString()).toBe('12345678901234567890')
    expect(bench.log().filter(({ operation }) => operation === 'keys.rewrap')).toMatchObject([
      { facts: { term: 2, moved: 452, failed: 0 } },
    ])
  })

  it('refuses values sealed under the previous term, so that nothing remains there', async () => {
    const { bench, read } = await filled(1)
    const { version, ...under } = bench.granted('admin', 'secret.prepare', { name: 's/0' })
    bench.granted('admin', 'keys.rekey', {})
    const place = { vault: VAULT, name: 's/0', version, contentType: 'text/plain', encoding: 'utf8' } as const
    const sealed = await sealValue(ring, new Redacted(bytesOf('late')), place, under)
    const input = { name: 's/0', version, ...sealed, contentType: 'text/plain', encoding: 'utf8' } as const
    expect(bench.reason('admin', 'secret.write', input)).toBe('raced')
    expect(bench.reason('admin', 'totp.enrol', { id: 'x', kid: sealed.kid, sealed: sealed.sealed })).toBe('raced')
    expect(await read('s/0')).toBe('value 0')
  })

  it('resumes after a crash at any task', { timeout: 60_000 }, async () => {
    for (let crashAt = 1; crashAt <= 8; crashAt++) {
      const { bench, read, process, kids } = await filled(250)
      bench.granted('admin', 'keys.rekey', {})
      for (let i = 0; i < 2; i++) await process({ crashAt }).catch(() => {})
      await process()
      expect(kids()).toEqual([['2'], ['2'], ['2']])
      expect(await read('s/249')).toBe('value 249')
      bench.database.close()
    }
  })

  it('begins by itself when the previous term is old, and not while that term still moves', async () => {
    const { bench, process, kids } = await filled(3)
    await process({ days: 90 })
    expect(kids()[0]).toEqual(['1'])
    bench.now += 90 * DAY_MS
    await process({ days: 90 })
    expect(kids()).toEqual([['2'], ['2'], ['2']])
    await process({ days: 90 })
    expect(bench.granted('admin', 'keys.show', {}).terms).toHaveLength(2)
    bench.now += 900 * DAY_MS
    await process({ days: 0 })
    expect(bench.granted('admin', 'keys.show', {}).terms).toHaveLength(2)
  })

  it('is not done while a value cannot be moved, reports that, and moves it once possible', async () => {
    const { bench, process, kids } = await filled(3)
    const [{ sealed }] = bench.database.all<{ sealed: Uint8Array }>('SELECT sealed FROM version WHERE secret = 2') as [
      { sealed: Uint8Array },
    ]
    const broken = sealed.slice()
    broken[30]! ^= 1
    bench.database.all('UPDATE version SET sealed = ? WHERE secret = 2', broken)
    bench.granted('admin', 'keys.rekey', {})
    await process()
    expect(bench.granted('admin', 'keys.show', {}).terms[0]).toMatchObject({ moved: 4, failed: 1, doneAt: null })
    expect(kids()[0]).toEqual(['1', '2'])
    bench.database.all('UPDATE version SET sealed = ? WHERE secret = 2', sealed)
    await process()
    expect(bench.granted('admin', 'keys.show', {}).terms[0]).toMatchObject({ moved: 5, failed: 0, doneAt: bench.now })
    expect(kids()[0]).toEqual(['2'])
  })

  it('moves a hook that is put again during the last batch', async () => {
    const { bench, process, kids } = await filled(1)
    bench.granted('admin', 'keys.rekey', {})
    const rewrap = bench.vault.perform.bind(bench.vault)
    let puts = 0
    bench.vault.perform = ((task, input: { place?: { stage: number } }, now) => {
      if (task === 'keys.rewrap' && input.place?.stage === 2 && puts++ === 0) {
        const kid = bench.database.all<{ kid: string }>('SELECT kid FROM hook')[0]!.kid.replace(/1$/, '2')
        const same = { id: 'h', url: 'https://x.example/', newSecret: false, kid, sealed: bytesOf('not taken') }
        bench.granted('admin', 'hook.put', same)
      }
      return rewrap(task, input as never, now)
    }) as typeof bench.vault.perform
    await process()
    expect(puts).toBe(1)
    expect(kids()).toEqual([['2'], ['2'], ['2']])
    const [hook] = bench.database.all<never>('SELECT * FROM hook')
    expect(Buffer.from((await openWebhookSecret(ring, VAULT, hook!)).reveal()).toString()).toBe('hook secret')
  })

  it('puts no new head on an envelope that changed since it was read', async () => {
    const { bench, read } = await filled(2)
    bench.granted('admin', 'keys.rekey', {})
    const batch = unwrap(bench.vault.perform('keys.stale', {}, bench.now)).value!
    const to = await ring.currentKek(VAULT, 2)
    const [one, two] = batch.items.map((item) => ({ ...item, head: item.head.slice(0, headSize(item.kid)) }))
    const heads = await Promise.all(
      [one!, two!].map(async ({ kid, head }) => ({
        kid: to.kid,
        head: await rewrap(await ring.kek(VAULT, kid), to, head),
      })),
    )
    // As if the rows had changed places since.
    const items = [
      { ...one!, at: two!.at },
      { ...two!, at: one!.at },
    ]
    bench.vault.perform('keys.rewrap', { ...batch, items, heads }, bench.now)
    expect([await read('s/0'), await read('s/1')]).toEqual(['value 0', 'value 1'])
  })

  it('is for an admin of keys', async () => {
    const { bench } = await filled(1)
    bench.enrol('ann')
    bench.rule('ann', 'ann', ['read', 'write', 'rotate'], '**')
    expect(['keys.rekey', 'keys.show'].map((one) => bench.reason('ann', one as 'keys.show', {}))).toEqual([
      'denied',
      'denied',
    ])
    expect(bench.granted('ann', 'keys.term', {})).toEqual({ term: 1, root: ring.rootId })
  })
})
