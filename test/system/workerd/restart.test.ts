/** A Durable Object that is aborted repeatedly under writes. */
import { abortAllDurableObjects } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { mintToken } from '../../../core/authentication/token.ts'
import { utf8 } from '../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { sleep } from '../../../core/sleep.ts'
import type { Answer, Call, Caller } from '../../../core/vault/rpc.ts'
import type { FaultRow } from '../../../scripts/fault_table.ts'
import type { VaultStub } from '../../../worker/vault_host/durable.ts'
import { bootstrapOf } from '../../support/tickets.ts'

const RESTARTS = 20
const WRITERS = 8

const vaultOf = () => env.VAULT.getByName('restarted') as unknown as VaultStub

async function callerOf(vault: string): Promise<Caller> {
  const keyring = await Keyring.open(parseRootKey(env.POSTERN_ROOT_KEY))
  const { hash } = mintToken(vault, await keyring.macKey(vault, 'token'))
  const about = { requestId: crypto.randomUUID(), address: null, agent: null }
  await vaultOf().execute([bootstrapOf(hash, Date.now())])
  return { credential: { kind: 'token', hash }, proof: null, ...about }
}

async function ask(caller: Caller, operation: Call['operation'], input: unknown): Promise<Answer> {
  const [answer] = await vaultOf().execute([{ operation, caller, input }])
  return answer!
}

it(`row 42: loses nothing acknowledged when the object is aborted ${RESTARTS} times under writes`, async ({ task }) => {
  const caller = await callerOf('restarted')
  const acknowledged = new Map<string, number>()
  const version = { version: 1, kid: 'k', sealed: utf8('sealed'), contentType: 'text/plain', encoding: 'utf8' }
  let failed = 0
  let going = true
  const writer = async (w: number) => {
    for (let i = 0; going; i++) {
      const name = `w${w}/${i}`
      const answer = await ask(caller, 'secret.write', { name, ...version }).catch(() => null)
      if (answer?.ok && answer.index !== null) acknowledged.set(name, answer.index)
      else failed++
    }
  }
  const writers = Array.from({ length: WRITERS }, (_, w) => writer(w))
  for (let i = 0; i < RESTARTS; i++) {
    const before = acknowledged.size
    while (acknowledged.size === before) await sleep(1)
    await abortAllDurableObjects()
  }
  const aborted = performance.now()
  const last = acknowledged.size
  while (acknowledged.size === last) await sleep(1)
  const backMs = performance.now() - aborted
  going = false
  await Promise.all(writers)

  const entries = new Map<number, { operation: string; resource: string; outcome: string }>()
  for (let size = 1; entries.size < size; ) {
    const answer = await ask(caller, 'audit.entries', { from: entries.size, limit: 500 })
    if (!answer.ok) throw new Error('Log cannot be read')
    const page = answer.value as { head: { size: number }; entries: { body: Uint8Array }[] }
    if (size === 1) size = page.head.size
    for (const { body } of page.entries) {
      const entry = JSON.parse(new TextDecoder().decode(body))
      entries.set(entry.index, entry)
    }
  }
  const isThere = ([name, index]: [string, number]) => {
    const { operation, resource, outcome } = entries.get(index) ?? {}
    return operation === 'secret.write' && resource === name && outcome === 'ok'
  }
  const lost = [...acknowledged].filter((one) => !isThere(one)).length
  expect(lost).toBe(0)
  expect(new Set(acknowledged.values()).size).toBe(acknowledged.size)
  for (const name of acknowledged.keys()) {
    expect([name, await ask(caller, 'secret.read', { name })]).toEqual([name, expect.objectContaining({ ok: true })])
  }
  task.meta.fault = {
    fault: `a Durable Object that is aborted ${RESTARTS} times under writes`,
    runtime: 'workerd',
    acknowledged: acknowledged.size,
    lost,
    recovered: `next write acknowledged ${backMs.toFixed(0)} ms after the last abort; ${failed} calls refused meanwhile`,
  } satisfies FaultRow
})
