/** The secrets of a vault against a model that is too simple to be wrong. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openVault, writeOf } from '../../../support/core.ts'
import { merkleTreeHash } from '../../../support/reference/rfc6962.ts'

interface Version {
  number: number
  value: string
  destroyed: boolean
  expiresAt: number | null
}
interface Secret {
  versions: Version[]
  /** Whether it can be read, was deleted, or has no version left. */
  state: 'there' | 'deleted' | 'gone'
}
interface Model {
  secrets: Map<string, Secret>
  entries: number
  now: number
}
type Real = ReturnType<typeof openVault>
type Command = fc.Command<Model, Real>

const current = (secret: Secret | undefined) => secret?.versions.at(-1)
const live = (secret: Secret | undefined) => secret !== undefined && secret.state !== 'gone'

/** A command that is always possible. The model predicts its outcome. */
function command(text: string, step: (model: Model, real: Real) => void): Command {
  return {
    check: () => true,
    run(model, real) {
      step(model, real)
      model.entries++
      expect(real.entryCount()).toBe(model.entries)
    },
    toString: () => text,
  }
}

function write(name: string, expected: number | 'absent' | undefined, lifetime: number | undefined): Command {
  return command(`write(${name}, expect ${expected}, lifetime ${lifetime})`, (model, real) => {
    const secret = model.secrets.get(name)
    const number = live(secret) ? current(secret)!.number : null
    const outcome =
      expected === 'absent' && number !== null
        ? 'exists'
        : typeof expected === 'number' && expected !== number
          ? 'version_mismatch'
          : secret?.state === 'deleted'
            ? 'restore_first'
            : 'ok'
    const expiresAt = lifetime === undefined ? null : model.now + lifetime
    const input = writeOf(name, {
      ...(expected === undefined ? {} : { expect: expected }),
      ...(expiresAt === null ? {} : { expiresAt }),
    })
    const answer = real.ask('admin', 'secret.write', input)
    expect(answer.ok ? 'ok' : answer.reason).toBe(outcome)
    if (!answer.ok) return
    const versions = secret?.versions ?? []
    const next = (current(secret)?.number ?? 0) + 1
    expect(answer.value.version).toBe(next)
    versions.push({ number: next, value: Buffer.from(input.sealed).toString(), destroyed: false, expiresAt })
    model.secrets.set(name, { versions, state: 'there' })
  })
}

function read(name: string, version: number | undefined): Command {
  return command(`read(${name}, ${version})`, (model, real) => {
    const secret = model.secrets.get(name)
    const found = version === undefined ? current(secret) : secret?.versions.find(({ number }) => number === version)
    const expected = !live(secret)
      ? 'no_secret'
      : secret!.state === 'deleted'
        ? 'deleted'
        : found === undefined
          ? 'no_version'
          : found.destroyed
            ? 'destroyed'
            : found.expiresAt !== null && found.expiresAt <= model.now
              ? 'expired'
              : found.value
    const answer = real.ask('admin', 'secret.read', version === undefined ? { name } : { name, version })
    expect(
      answer.ok && 'sealed' in answer.value ? Buffer.from(answer.value.sealed).toString() : !answer.ok && answer.reason,
    ).toBe(expected)
  })
}

function remove(name: string, expected: number | undefined): Command {
  return command(`delete(${name}, expect ${expected})`, (model, real) => {
    const secret = model.secrets.get(name)
    const outcome = !live(secret)
      ? 'no_secret'
      : secret!.state === 'deleted'
        ? 'deleted'
        : expected !== undefined && expected !== current(secret)!.number
          ? 'version_mismatch'
          : 'ok'
    expect(real.reason('admin', 'secret.delete', expected === undefined ? { name } : { name, expect: expected })).toBe(
      outcome,
    )
    if (outcome === 'ok') secret!.state = 'deleted'
  })
}

function restore(name: string): Command {
  return command(`restore(${name})`, (model, real) => {
    const secret = model.secrets.get(name)
    expect(real.reason('admin', 'secret.restore', { name })).toBe(live(secret) ? 'ok' : 'no_secret')
    if (live(secret)) secret!.state = 'there'
  })
}

function destroy(name: string, version: number | undefined): Command {
  return command(`destroy(${name}, ${version})`, (model, real) => {
    const secret = model.secrets.get(name)
    const found = secret?.versions.filter(({ number }) => version === undefined || number === version) ?? []
    const outcome = !live(secret) ? 'no_secret' : found.length === 0 ? 'no_version' : 'ok'
    expect(real.reason('admin', 'secret.destroy', version === undefined ? { name } : { name, version })).toBe(outcome)
    if (outcome !== 'ok') return
    for (const one of found) one.destroyed = true
    if (version === undefined) secret!.state = 'gone'
  })
}

function versions(name: string): Command {
  return command(`versions(${name})`, (model, real) => {
    const secret = model.secrets.get(name)
    const answer = real.ask('admin', 'secret.versions', { name, below: 1000, limit: 1000 })
    const history = answer.ok && 'items' in answer.value ? answer.value : null
    const numbers = history?.items.map(({ number, destroyedAt }) => [number, destroyedAt !== null]) ?? null
    expect(numbers).toEqual(secret?.versions.map(({ number, destroyed }) => [number, destroyed]).reverse() ?? null)
    if (history !== null) {
      expect(history.current).toBe(live(secret) ? current(secret)!.number : null)
      expect(history.deletedAt !== null).toBe(secret!.state === 'deleted')
    }
  })
}

function list(deleted: boolean, prefix: string): Command {
  return command(`list(${deleted}, "${prefix}")`, (model, real) => {
    const { items } = real.granted('admin', 'secret.list', { prefix, after: '', deleted, limit: 100 })
    const state = deleted ? 'deleted' : 'there'
    const expected = [...model.secrets]
      .filter(([name, secret]) => secret.state === state && name.startsWith(prefix))
      .map(([name, secret]) => [name, current(secret)!.number])
      .toSorted(([a], [b]) => (a! < b! ? -1 : 1))
    expect(items.map(({ name, version }) => [name, version])).toEqual(expected)
  })
}

/** Time passes; a read that finds nothing shows that it does nothing else. */
function wait(ms: number): Command {
  return command(`wait(${ms})`, (model, real) => {
    model.now += ms
    real.now += ms
    expect(real.reason('admin', 'secret.read', { name: 'never/written' })).toBe('no_secret')
  })
}

const name = fc.constantFrom('a', 'a/b', 'b')
const number = fc.integer({ min: 1, max: 4 })
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const commands = fc.commands<Model, Real>(
  [
    fc
      .tuple(
        name,
        optional(fc.oneof(number, fc.constant('absent' as const))),
        optional(fc.integer({ min: 1, max: 100 })),
      )
      .map(([one, expected, lifetime]) => write(one, expected, lifetime)),
    name.map((one) => write(one, undefined, undefined)),
    fc.tuple(name, optional(number)).map(([one, version]) => read(one, version)),
    fc.tuple(name, optional(number)).map(([one, expected]) => remove(one, expected)),
    name.map((one) => remove(one, undefined)),
    name.map(restore),
    fc.tuple(name, optional(number)).map(([one, version]) => destroy(one, version)),
    name.map(versions),
    fc.tuple(fc.boolean(), fc.constantFrom('', 'a', 'a/', 'c')).map(([deleted, prefix]) => list(deleted, prefix)),
    fc.integer({ min: 1, max: 120 }).map(wait),
  ],
  { maxCommands: 60, size: 'max' },
)

describe('the secrets of a vault', () => {
  it('follow the model for any requests in any order, with one entry each', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const real = openVault()
        const model: Model = { secrets: new Map(), entries: real.entryCount(), now: real.now }
        fc.modelRun(() => ({ model, real }), steps)
        const { head, entries } = real.granted('admin', 'audit.entries', { from: 0, limit: 1000 })
        expect(head.size).toBe(model.entries)
        expect(Buffer.from(head.root)).toEqual(merkleTreeHash(entries.map(({ body }) => body)))
        real.database.close()
      }),
      { numRuns: 100 },
    )
  })
})
