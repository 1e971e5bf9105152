/** The user's word before a task or a launch configuration gets secrets: once for each, and for nothing else. */
import { beforeEach, expect, it, vi } from 'vitest'
import { isLoaderVariable } from '../../../../core/text/loader_variables.ts'
import { type ConsentRequest, Consents } from '../../../../extension/run/consent.ts'
import { keyedHash, windowHash } from '../../../../extension/shared/keyed_hash.ts'

interface Asked {
  question: string
  detail: string
}

const { asked, answers, settings } = vi.hoisted(() => ({
  asked: [] as Asked[],
  answers: [] as (string | undefined)[],
  settings: { endpoints: { dev: 'https://dev.example', prod: 'https://prod.example' }, endpoint: 'dev' },
}))
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
    getConfiguration: () => ({
      get: (key: keyof typeof settings, usual: unknown) => settings[key] ?? usual,
      inspect: (key: keyof typeof settings) => ({ globalValue: settings[key] }),
    }),
  },
  CancellationError: class extends Error {},
}))

/** The editor's secret storage. */
function memorySecrets() {
  const kept = new Map<string, string>()
  return {
    get: async (key: string) => kept.get(key),
    store: async (key: string, value: string) => void kept.set(key, value),
    delete: async (key: string) => void kept.delete(key),
    keys: async () => [...kept.keys()],
    onDidChange: () => ({ dispose() {} }),
  }
}

const kept = new Map<string, unknown>()
const memory = {
  keys: () => [...kept.keys()],
  get: (key: string, usual?: unknown) => kept.get(key) ?? usual,
  update: async (key: string, value: unknown) => void kept.set(key, value),
}
const uri = (path: string) => ({ path, toString: () => `file://${path}` })
const ENV = 'DB=postern://acme/dev/db\nKEY=postern://acme/dev/key\nLEVEL=debug\n'
const wish = (more: Partial<Record<keyof ConsentRequest | 'env', unknown>> = {}): ConsentRequest => {
  const { env = ENV, ...rest } = more
  const usual = {
    ...{ folder: { uri: uri('/w') }, document: { uri: uri('/w/.env'), getText: () => env } },
    ...{ injection: { keys: ['DB'] }, name: 'test', runs: 'npm test' },
    definition: { type: 'postern', command: 'npm test', keys: ['DB'] },
  }
  return { ...usual, ...rest } as unknown as ConsentRequest
}
let accounts: string[]
const secrets = memorySecrets()
const consentsAgain = () => new Consents(memory as never, keyedHash(secrets), async () => accounts)
const consents = consentsAgain()

beforeEach(() => {
  kept.clear()
  for (const list of [asked, answers]) list.splice(0)
  accounts = ['acme ann']
  settings.endpoint = 'dev'
})

it('asks about a definition once, with its command and its keys, and not again for what an editor notes', async () => {
  answers.push('Start')
  await consents.ask(wish({ runs: 'npm test #\u202e' }))
  await consents.ask(wish({ definition: { ...wish().definition, __sessionId: '1' } }))
  // Another window, and an entry that is not asked for.
  await consentsAgain().ask(wish({ env: `${ENV}OTHER=postern://acme/x\nPATH=./bin\n` }))
  expect(asked).toEqual([{ question: 'Pass the secrets of /w/.env to "test"?', detail: expect.any(String) }])
  expect(asked[0]!.detail).toMatch(/^npm test #\ufffd\n\nIt receives DB\. /)
  expect(JSON.stringify([...kept])).not.toMatch(/DB|dev|npm|acme/)
})

const all = { injection: {} }

it.each<[string, Parameters<typeof wish>[0], Parameters<typeof wish>[0]?]>([
  ['another command', { definition: { ...wish().definition, command: 'npm run evil' } }],
  ['another secret behind the same key', { env: ENV.replace('dev/db', 'prod/db') }],
  ['more keys', all],
  ['another environment', { injection: { keys: ['DB'], environment: 'prod' } }],
  ['another file', { document: { uri: uri('/w/prod.env'), getText: () => ENV } }],
  ['another folder', { folder: { uri: uri('/v') } }],
  ['another value of a plain entry', { ...all, env: ENV.replace('debug', 'trace') }, all],
  ['a plain entry more', { ...all, env: `${ENV}LD_PRELOAD=./x.so\n` }, all],
  ['a plain entry in the place of a reference', { ...all, env: ENV.replace('postern://acme/dev/key', 'x') }, all],
  ['a plain entry after one of its name', { ...all, env: `${ENV}LEVEL=trace\n` }, all],
])('row 80: asks again for %s', async (_, other, first) => {
  answers.push('Start', undefined)
  await consents.ask(wish(first))
  await expect(consents.ask(wish(other))).rejects.toThrow()
  expect(asked).toHaveLength(2)
})

it('row 80: asks again when the folder chooses another server, and when another account is signed in', async () => {
  answers.push('Start', undefined, undefined)
  await consents.ask(wish())
  settings.endpoint = 'prod'
  await expect(consents.ask(wish())).rejects.toThrow()
  settings.endpoint = 'dev'
  await consents.ask(wish())
  accounts = ['acme eve']
  await expect(consents.ask(wish())).rejects.toThrow()
  expect(asked).toHaveLength(3)
})

it('row 80: names plain entries, and marks those that decide what code runs', async () => {
  answers.push('Start')
  await consents.ask(wish({ injection: {}, env: `${ENV}LD_PRELOAD=./x.so\nPATH=./bin:/usr/bin\n` }))
  const { detail } = asked[0]!
  expect(detail).toContain('It receives DB, KEY.')
  expect(detail).toContain('these plain entries of the file: LEVEL, LD_PRELOAD, PATH.')
  expect(detail).toContain('WARNING: LD_PRELOAD, PATH can make the program load or run other code.')
  // The dialog shows the names of entries, and never their values.
  expect(detail).not.toMatch(/debug|x\.so|\.\/bin/)
})

it('marks a loader variable also when a secret is behind it', async () => {
  answers.push('Start')
  await consents.ask(wish({ injection: {}, env: 'NODE_OPTIONS=postern://acme/dev/options\n' }))
  expect(asked[0]!.detail).toContain('WARNING: NODE_OPTIONS')
})

it.each(
  'LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES PATH Path NODE_OPTIONS PYTHONPATH PYTHONSTARTUP BASH_ENV ENV GIT_SSH_COMMAND GIT_CONFIG_COUNT PERL5OPT PERL5LIB RUBYOPT JAVA_TOOL_OPTIONS npm_config_script_shell'.split(
    ' ',
  ),
)('knows %s as a variable that decides what code runs', (key) => {
  expect(isLoaderVariable(key)).toBe(true)
})

it.each(['DB_URL', 'API_PATH', 'PATHS', 'ENVIRONMENT', 'MY_NODE_OPTIONS', 'DIGITAL_GIT', 'LEVEL'])(
  'takes %s for an ordinary variable',
  (key) => {
    expect(isLoaderVariable(key)).toBe(false)
  },
)

it('row 80: asks again when the file changed while the prompt was open, and gives what was agreed to', async () => {
  const document = { uri: uri('/w/.env'), text: ENV, getText: () => document.text }
  answers.push('Start', undefined, 'Start')
  const asking = consents.ask(wish({ document }))
  document.text = ENV.replace('dev/db', 'prod/db')
  await expect(asking).rejects.toThrow()
  expect(asked).toHaveLength(2)
  const { entries } = await consents.ask(wish({ document }))
  document.text = 'DB=evil\n'
  expect([...entries]).toEqual([['DB', 'postern://acme/prod/db']])
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

it('keeps nothing by which a guess of a plain entry could be tested without the key', async () => {
  answers.push('Start', 'Start')
  await consents.ask(wish(all))
  const stored = JSON.stringify([...kept])
  expect(stored).not.toContain((await secrets.get('hash-key'))!)
  // The same agreement under another key is another fingerprint.
  await new Consents(memory as never, windowHash(), async () => accounts).ask(wish(all))
  expect(asked).toHaveLength(2)
  expect(new Set((kept.get('consents') as string[]).values()).size).toBe(2)
})
