/** The user's word before a task or a launch configuration gets secrets: once for each, and for nothing else. */
import { beforeEach, expect, it, vi } from 'vitest'
import { Consents, type Wish } from '../../extension/consent.ts'

interface Asked {
  question: string
  detail: string
}

const { asked, answers } = vi.hoisted(() => ({ asked: [] as Asked[], answers: [] as (string | undefined)[] }))
vi.mock('vscode', () => ({
  l10n: { t: (text: string, ...args: string[]) => text.replaceAll(/\{(\d)\}/g, (_, n: string) => args[Number(n)]!) },
  window: {
    async showWarningMessage(question: string, { detail, modal }: { detail: string; modal: boolean }) {
      expect(modal).toBe(true)
      asked.push({ question, detail })
      return answers.shift()
    },
    showInformationMessage: async () => undefined,
  },
  workspace: {
    asRelativePath: (uri: { path: string }) => uri.path,
    getConfiguration: () => ({ get: (_: string, usual: unknown) => usual }),
  },
  CancellationError: class extends Error {},
}))

const kept = new Map<string, unknown>()
const memory = {
  keys: () => [...kept.keys()],
  get: (key: string, usual?: unknown) => kept.get(key) ?? usual,
  update: async (key: string, value: unknown) => void kept.set(key, value),
}
const uri = (path: string) => ({ path, toString: () => `file://${path}` })
const ENV = 'DB=postern://acme/dev/db\nKEY=postern://acme/dev/key\nLEVEL=debug\n'
const wish = (more: Partial<Record<keyof Wish | 'env', unknown>> = {}): Wish => {
  const { env = ENV, ...rest } = more
  const usual = {
    ...{ folder: { uri: uri('/w') }, document: { uri: uri('/w/.env'), getText: () => env } },
    ...{ injection: { keys: ['DB'] }, name: 'test', runs: 'npm test' },
    definition: { type: 'postern', command: 'npm test', keys: ['DB'] },
  }
  return { ...usual, ...rest } as unknown as Wish
}
const consents = new Consents(memory as never)

beforeEach(() => {
  kept.clear()
  for (const list of [asked, answers]) list.splice(0)
})

it('asks about a definition once, with its command and its keys, and not again for what an editor notes', async () => {
  answers.push('Start')
  await consents.ask(wish({ runs: 'npm test #\u202e' }))
  await consents.ask(wish({ definition: { ...wish().definition, __sessionId: '1' } }))
  await new Consents(memory as never).ask(wish({ env: `${ENV}OTHER=postern://acme/x\n` }))
  expect(asked).toEqual([{ question: 'Give secrets of /w/.env to "test"?', detail: expect.any(String) }])
  expect(asked[0]!.detail).toMatch(/^npm test #\ufffd\n\nIt gets DB\. /)
  expect(JSON.stringify([...kept])).not.toMatch(/DB|dev|npm|acme/)
})

it.each<[string, Parameters<typeof wish>[0]]>([
  ['another command', { definition: { ...wish().definition, command: 'npm run evil' } }],
  ['another secret behind the same key', { env: ENV.replace('dev/db', 'prod/db') }],
  ['more keys', { injection: {} }],
  ['another environment', { injection: { keys: ['DB'], environment: 'prod' } }],
  ['another file', { document: { uri: uri('/w/prod.env'), getText: () => ENV } }],
  ['another folder', { folder: { uri: uri('/v') } }],
])('asks again for %s', async (_, other) => {
  answers.push('Start', undefined)
  await consents.ask(wish())
  await expect(consents.ask(wish(other))).rejects.toThrow()
  expect(asked).toHaveLength(2)
})

it('asks again when the file became another while the user read', async () => {
  const document = { uri: uri('/w/.env'), text: ENV, getText: () => document.text }
  answers.push('Start', undefined)
  const asking = consents.ask(wish({ document }))
  document.text = ENV.replace('dev/db', 'prod/db')
  await expect(asking).rejects.toThrow()
  expect(asked).toHaveLength(2)
})

it('keeps a yes until it is taken back, and never a no', async () => {
  answers.push(undefined, 'Start', 'Start')
  await expect(consents.ask(wish())).rejects.toThrow()
  await consents.ask(wish())
  await consents.ask(wish())
  expect(asked).toHaveLength(2)
  await consents.forget()
  await consents.ask(wish())
  expect(asked).toHaveLength(3)
})
