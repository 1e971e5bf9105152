/**
 * A vault whose secret rotates, a target that knows which credentials it accepts, and processes that die.
 *
 * @module
 */
import { vi } from 'vitest'
import { dekCache } from '../../../../../core/crypto/envelope.ts'
import { Keyring, parseRootKey } from '../../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { openVersion, sealValue } from '../../../../../core/sealing/version.ts'
import { sealWebhookSecret } from '../../../../../core/sealing/webhook_secret.ts'
import { parseSettings } from '../../../../../core/settings/settings.ts'
import type { RotationConfig } from '../../../../../core/vault/rotation/state_machine.ts'
import { unwrap } from '../../../../../core/vault/rpc.ts'
import { rotateSecrets } from '../../../../../worker/background/rotate_secrets.ts'
import type { VaultServices } from '../../../../../worker/vault_services.ts'
import { bytesOf, openVault } from '../../../../support/core.ts'

export const NAME = 'prod/db'
const VAULT = 'acme'
const URL = 'https://target.example/rotate'
export const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const settings = parseSettings({ environment: {} })

export const byWebhook: RotationConfig = {
  rotateEvery: 30,
  jitterSeconds: 0,
  freeze: [],
  target: { kind: 'webhook', hook: 'db' },
  generate: { kind: 'password', length: 32 },
  graceSeconds: 3600,
}

/** What a target is told, parsed. */
export interface Told {
  type: string
  data: {
    run: number
    fence: number
    version?: number
    pending?: { version: number; value: string }
    current?: { version: number; value: string }
    previous?: { version: number; value: string }
  }
}

/** A target with room for several credentials at once, as docs/how-to/rotation.md asks: each step may come again. */
export class DualTarget {
  readonly accepted = new Set<string>()
  readonly told: Told[] = []
  #fence = 0
  /** In place of the next answers, first of all. */
  answers: ((told: Told) => Response | null)[] = []

  answer(told: Told): Response {
    this.told.push(told)
    const instead = this.answers.shift()?.(told)
    if (instead) return instead
    const { fence, pending, current, previous } = told.data
    if (fence < this.#fence) return new Response(null, { status: 409 })
    this.#fence = fence
    if (told.type === 'rotation.set') this.accepted.add(pending!.value)
    if (told.type === 'rotation.test' && !this.accepted.has(pending!.value)) return new Response(null, { status: 422 })
    if (told.type === 'rotation.finish' && previous) this.accepted.delete(previous.value)
    if (told.type === 'rotation.undo') {
      if (pending) this.accepted.delete(pending.value)
      if (current) this.accepted.add(current.value)
    }
    return new Response(null, { status: 204 })
  }
}

/** Ends a process where it stands. */
export class Crash extends Error {}

/** Makes the bench. `fetch` is stubbed: call `vi.unstubAllGlobals()` afterwards. */
export async function rotationBench(config: RotationConfig = byWebhook) {
  const bench = openVault()
  const target = new DualTarget()
  const values = new Map<number, string>()

  /** As an operator would: makes a credential valid, then keeps it. */
  async function writeByHand(value: string): Promise<boolean> {
    target.accepted.add(value)
    const number = bench.nextVersion(NAME)
    const place = { vault: VAULT, name: NAME, version: number, contentType: 'text/plain', encoding: 'utf8' } as const
    const { term, root } = bench.granted('admin', 'secret.prepare', { name: NAME })
    const sealed = await sealValue(keyring, new Redacted(bytesOf(value)), place, { term, root })
    const input = { name: NAME, version: number, ...sealed, contentType: 'text/plain', encoding: 'utf8' } as const
    const written = bench.ask('admin', 'secret.write', input).ok
    if (!written) target.accepted.delete(value)
    return written
  }

  /** What a reader gets now. */
  async function read(version?: number): Promise<string> {
    const sealed = bench.granted(
      'admin',
      'secret.read',
      version === undefined ? { name: NAME } : { name: NAME, version },
    )
    const value = await openVersion(keyring, dekCache(1), VAULT, sealed)
    if (typeof value === 'string') throw new Error(value)
    return Buffer.from(value.reveal()).toString()
  }

  /** Whether a read now returns a credential that the target rejects. A deleted secret is never read. */
  async function isDead(): Promise<boolean> {
    const readable = bench.reason('admin', 'secret.read', { name: NAME }) === 'ok'
    return config.target.kind === 'webhook' && readable && !target.accepted.has(await read())
  }

  /**
   * One process: it does the duty until nothing is due, or until it dies at the `crashAt`-th thing that it does, before
   * or after it. After each it is looked whether the reader's credential works.
   */
  async function process({ crashAt = Number.POSITIVE_INFINITY, after = false } = {}): Promise<number | null> {
    let events = 0
    let dead = false
    const step = async <T>(act: () => T | Promise<T>): Promise<T> => {
      if (dead) throw new Crash()
      const isLast = ++events === crashAt
      if (isLast && !after) {
        dead = true
        throw new Crash()
      }
      const result = await act()
      if (await isDead()) throw new Error(`Reader has a dead credential after ${events} events`)
      if (isLast) {
        dead = true
        throw new Crash()
      }
      return result
    }
    const services = {
      vault: VAULT,
      settings,
      keyring,
      perform: (task: never, input: never) =>
        step(() => unwrap(bench.vault.perform(task, input, bench.now) as never) as { value: unknown }).then(
          ({ value }) => value,
        ),
    } as unknown as VaultServices
    vi.stubGlobal('fetch', async (request: Request) => {
      const told = JSON.parse(await request.text()) as Told
      return step(() => target.answer(told))
    })
    try {
      return await rotateSecrets.run(services)
    } catch (error) {
      if (error instanceof Crash) return null
      throw error
    }
  }

  /** Processes, one after another, with time between, until nothing runs any more. */
  async function settle(): Promise<void> {
    for (let i = 0; i < 60; i++) {
      await process()
      if (active() === undefined) return
      bench.now += 3_600_000
    }
    throw new Error('Rotation does not end')
  }

  const active = () =>
    bench.database.all<{ step: string; attempts: number }>('SELECT step, attempts FROM run WHERE outcome IS NULL')[0]
  const outcomes = () =>
    bench.database.all<{ outcome: string | null }>('SELECT outcome FROM run ORDER BY id').map(({ outcome }) => outcome)
  const secret = () =>
    bench.database.all<{ current: number; previous: number | null; pending: number | null; latest: number }>(
      'SELECT current, previous, pending, latest FROM secret',
    )[0]!
  const rotate = (restores: number | null = null) =>
    bench.granted('admin', 'rotation.start', { name: NAME, restores, force: false })

  await writeByHand('first value')
  const sealed = await sealWebhookSecret(
    keyring,
    { vault: VAULT, id: 'db', url: URL, term: 1 },
    new Redacted(bytesOf('k'.repeat(32))),
  )
  bench.granted('admin', 'hook.put', { id: 'db', url: URL, newSecret: false, ...sealed })
  bench.granted('admin', 'rotation.put', { name: NAME, config })
  return { bench, target, values, writeByHand, read, process, settle, active, outcomes, secret, rotate }
}
