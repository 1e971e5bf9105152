/** Case counts, byte for byte, wherever the name of a secret goes. */
import { describe, expect, it } from 'vitest'
import { Redacted } from '../../../core/redacted.ts'
import { openApp } from './provider_access/provider_access_fixture.ts'

const NAMES = ['PROD/DB', 'Prod/DB', 'Prod/db', '_x', 'a+b', 'a-b', 'a.b', 'prod/db', 'prod/dB']

async function open() {
  const bench = await openApp(null)
  for (const name of NAMES) await bench.admin.put(name, new Redacted(`value of ${name}`))
  return bench
}

describe('names that differ in case alone', () => {
  it('are secrets of their own, with versions of their own', async () => {
    const { admin } = await open()
    await admin.put('Prod/db', new Redacted('changed'))
    expect((await admin.get('prod/db')).value.reveal()).toBe('value of prod/db')
    expect([(await admin.get('Prod/db')).version, (await admin.get('prod/db')).version]).toEqual([2, 1])
    await admin.delete('PROD/DB')
    await expect(admin.get('PROD/DB')).rejects.toMatchObject({ detail: { reason: 'deleted' } })
    expect((await admin.get('Prod/DB')).value.reveal()).toBe('value of Prod/DB')
    expect((await admin.versions('prod/dB')).items).toHaveLength(1)
  })

  it('are listed in the order of their bytes, each once, in pages of any size', async () => {
    const { admin } = await open()
    for (const limit of [1, 2, 50]) {
      const found: string[] = []
      let cursor: string | undefined
      do {
        const page = await admin.list({ limit, ...(cursor !== undefined && { cursor }) })
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
      } while (cursor !== undefined)
      expect(found).toEqual(NAMES.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    }
    expect((await admin.list({ prefix: 'Prod/' })).items.map(({ name }) => name)).toEqual(['Prod/DB', 'Prod/db'])
    expect((await admin.list({ prefix: 'prod/d' })).items.map(({ name }) => name)).toEqual(['prod/dB', 'prod/db'])
  })

  it('row 38: are permitted one by one, and forbidden together, in reads, lists and hydrations', async () => {
    const { reader, admin, log } = await open()
    const client = await reader('app', 'Prod/*')
    const listed = async () => (await client.list()).items.map(({ name }) => name)
    expect(await listed()).toEqual(['Prod/DB', 'Prod/db'])
    await expect(client.get('prod/db')).rejects.toMatchObject({ code: 'denied' })
    expect(log().at(-1)).toMatchObject({ resource: 'prod/db', outcome: 'denied' })
    const references = ['Prod/db', 'prod/db'].map((name) => `postern://default/${name}`)
    const hydrated = await client.hydrate(references)
    expect(hydrated.map((one) => ('secret' in one ? one.secret.value.reveal() : one.error.code))).toEqual([
      'value of Prod/db',
      'denied',
    ])
    await admin.putRule('never', { effect: 'forbid', principal: '*', actions: ['read'], resource: 'PROD/db' })
    expect(await listed()).toEqual([])
    for (const name of ['Prod/db', 'Prod/DB']) await expect(client.get(name)).rejects.toMatchObject({ code: 'denied' })
    const explained = await admin.explain({ principal: 'app', action: 'read', resource: 'Prod/db' })
    expect(explained).toMatchObject({ allow: false, rule: 'never' })
    expect(explained.considered.map(({ id, applies }) => [id, applies])).toEqual([
      ['app', true],
      ['never', true],
    ])
  })

  it('row 1: do not open each other', async () => {
    const { admin, sql } = await open()
    sql.all("UPDATE secret SET name = 'moved' WHERE name = 'Prod/db'")
    sql.all("UPDATE secret SET name = 'Prod/db' WHERE name = 'prod/db'")
    await expect(admin.get('Prod/db')).rejects.toMatchObject({ code: 'tampered' })
  })

  it('are approved one by one, and approvals are demanded of all', async () => {
    const { admin, send, secret } = await open()
    for (const id of ['ann', 'bob']) await admin.putPrincipal(id, { kind: 'user' })
    const unless = { approvals: { required: 1, from: ['ann', 'bob'] } }
    await admin.putRule('eyes', { effect: 'forbid', principal: '*', actions: ['read'], resource: 'prod/db', unless })
    const hashes = new Set<string>()
    for (const name of ['prod/db', 'Prod/db', 'PROD/DB', 'prod/dB']) {
      const asked = await send(secret(name), { headers: { Approval: 'ask', 'Approval-Reason': 'a look' } })
      const body = await asked.json()
      expect([name, asked.status, body.code]).toEqual([name, 403, 'approval_required'])
      hashes.add(body.approval.hash)
      // It is for this name alone.
      const other = await send(secret(name === 'prod/db' ? 'Prod/db' : 'prod/db'), {
        headers: { Approval: body.approval.id },
      })
      expect((await other.json()).reason).toBe('approval_mismatch')
    }
    expect(hashes.size).toBe(4)
    expect((await admin.get('a+b')).version).toBe(1)
  })
})
