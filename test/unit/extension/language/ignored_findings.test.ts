/** Findings that the user put aside: kept so that nothing can be read from them. */
import { createHash } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { IgnoredFindings } from '../../../../extension/language/ignored_findings.ts'
import { keyedHash } from '../../../../extension/shared/keyed_hash.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

function storage(kept = new Map<string, unknown>()) {
  return {
    kept,
    memento: {
      get: (key: string, usual?: unknown) => kept.get(key) ?? usual,
      update: async (key: string, value: unknown) =>
        void (value === undefined ? kept.delete(key) : kept.set(key, value)),
    },
    secrets: {
      get: async (key: string) => kept.get(key),
      store: async (key: string, value: string) => void kept.set(key, value),
    },
  } as never as { kept: Map<string, unknown>; memento: never; secrets: never }
}

const SECRET = 'hunter2hunter2'

it('are known again in the next window, and no other text is', async () => {
  const { memento } = storage()
  const { secrets } = storage()
  await new IgnoredFindings(memento, keyedHash(secrets)).add(SECRET)
  const later = new IgnoredFindings(memento, keyedHash(secrets))
  expect([await later.has(SECRET), await later.has('hunter3hunter3')]).toEqual([true, false])
  expect(await new IgnoredFindings(memento, keyedHash(storage().secrets)).has(SECRET)).toBe(false)
})

it('row 44: do not have the key beside them by which a guess could be tested', async () => {
  const { memento, kept } = storage()
  const safe = storage()
  await new IgnoredFindings(memento, keyedHash(safe.secrets)).add(SECRET)
  const stored = JSON.stringify([...kept])
  for (const key of safe.kept.values()) expect(stored).not.toContain(key)
  for (const text of [SECRET, `\n${SECRET}`]) {
    const digest = createHash('sha256').update(text).digest('hex')
    expect(stored).not.toContain(digest.slice(0, 24))
  }
})

it('row 44: drop what 0.1 kept, which had its key beside it', async () => {
  const { memento, kept } = storage(new Map([['ignored', { key: 'k', hashes: ['00'] }]]))
  new IgnoredFindings(memento, keyedHash(storage().secrets))
  await vi.waitFor(() => expect(kept.size).toBe(0))
})

it('are kept for this window alone where the secret storage fails', async () => {
  const { memento } = storage()
  const broken = { get: () => Promise.reject(new Error('locked')), store: () => Promise.reject(new Error('locked')) }
  const ignored = new IgnoredFindings(memento, keyedHash(broken as never))
  await ignored.add(SECRET)
  expect(await ignored.has(SECRET)).toBe(true)
})

it('come to one key in two windows that make it at the same time', async () => {
  const { secrets } = storage()
  const [one, other] = [keyedHash(secrets), keyedHash(secrets)]
  const both = await Promise.all([one('p', SECRET), other('p', SECRET)])
  expect(new Set([...both, await keyedHash(secrets)('p', SECRET)]).size).toBe(1)
  // A text has another hash for each purpose.
  expect(both).not.toContain(await one('q', SECRET))
})
