/** A `.env` is read once: what the user agreed to is what runs, from the server and the account that were named. */
import { beforeEach, expect, it, vi } from 'vitest'
import { Consents } from '../../../../extension/run/consent.ts'
import {
  accountsOf,
  environmentOf,
  runEnvironmentOf,
  snapshotOf,
} from '../../../../extension/run/process_environment.ts'
import { registerTasks } from '../../../../extension/run/tasks.ts'
import { Vaults } from '../../../../extension/vaults/vaults.ts'
import { editor, stubMachine, uriOf } from '../stub_editor.ts'
import { stubServices } from '../stub_services.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

const stub = stubMachine()
const TASK = { type: 'postern', command: 'printenv' }
const documentOf = (text: string) => ({ uri: uriOf('/w/.env'), getText: () => text }) as never

beforeEach(() => {
  editor.reset()
  stub.started.splice(0)
})

it('row 80: runs what was agreed to when the file changes while the values are fetched', async () => {
  const folder = editor.openFolder('/w', { '.env': 'A=postern://default/a\nLEVEL=debug\n' })
  const secrets = {
    get 'postern://default/a'() {
      editor.files.set('file:///w/.env', 'A=postern://default/b\nLEVEL=trace\nLD_PRELOAD=./x.so\n')
      return 'value-of-a'
    },
    'postern://default/b': 'value-of-b',
  }
  const services = stubServices(stub.machine, secrets)
  registerTasks(services, new Consents(services.workspaceState))
  editor.answers.push('Start')
  await editor.runTask(TASK, folder)
  expect(stub.started.map(({ values }) => values)).toEqual([{ A: 'value-of-a', LEVEL: 'debug' }])
  // The next run uses the file as it is now, which the user has not agreed to.
  await editor.runTask(TASK, folder)
  expect(stub.started).toHaveLength(1)
  expect(editor.questions).toHaveLength(2)
})

it('gives a program an entry whose name every object has', async () => {
  const folder = editor.openFolder('/w', { '.env': '__proto__=x\nconstructor=y\n' })
  const services = stubServices(stub.machine)
  registerTasks(services, new Consents(services.workspaceState))
  editor.answers.push('Start')
  await editor.runTask(TASK, folder)
  expect(Object.entries(stub.started[0]!.values)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
})

it('names the entries whose secrets are bytes, which no variable holds, and starts nothing', async () => {
  const env = 'KEY=postern://default/key\nTEXT=postern://default/text\nOTHER=postern://default/other\n'
  const folder = editor.openFolder('/w', { '.env': env })
  const services = stubServices(stub.machine, {
    ...{ 'postern://default/key': 'base64://4AAQ==', 'postern://default/other': 'base64:dGV4dA==' },
    'postern://default/text': '//4AAQ==',
  })
  const snapshot = snapshotOf({ uri: uriOf('/w/.env'), getText: () => env } as never)
  const refused = await environmentOf(services.leases, snapshot).catch((error) => error)
  expect(refused.message).toBe(
    ['KEY', 'OTHER'].map((key) => `${key}: the secret is bytes, and a variable is text. Store it as text`).join('; '),
  )
  registerTasks(services, new Consents(services.workspaceState))
  editor.answers.push('Start')
  await editor.runTask(TASK, folder)
  expect(stub.started).toEqual([])
  const { values } = await environmentOf(
    services.leases,
    snapshotOf({
      uri: uriOf('/w/.env'),
      getText: () => 'TEXT=postern://default/text',
    } as never),
  )
  expect(values.TEXT!.reveal()).toBe('//4AAQ==')
})

it('names the accounts of the vaults that it refers to, at its server', async () => {
  editor.settings.set('postern.endpoints', { one: 'https://one.example', two: 'https://two.example' })
  const account = (origin: string, id: string, principal: string) => ({
    origin: `https://${origin}.example`,
    id,
    principal,
  })
  let all = [account('two', 'acme', 'eve'), account('one', 'acme', 'ann'), account('one', 'beta', 'bob')]
  const vaults = { all: async () => all } as never
  const text = 'A=postern://acme/a\nB=postern://${POSTERN_ENV}/b\nC=postern://gamma/c\nD=plain\nE=postern://bad\n'
  const accounts = (environment: string) => accountsOf(vaults, snapshotOf(documentOf(text), { environment }))
  expect(await accounts('acme')).toEqual(['acme ann', 'gamma '])
  expect(await accounts('beta')).toEqual(['acme ann', 'beta bob', 'gamma '])
  // The first of two accounts for one vault is used, as it is for reading.
  all = [account('one', 'acme', 'zoe'), ...all]
  expect(await accounts('acme')).toEqual(['acme zoe', 'gamma '])
})

it('keeps the server that was agreed to, even if the folder chooses another one meanwhile', async () => {
  editor.settings.set('postern.endpoints', { one: 'https://one.example', two: 'https://two.example' })
  const { server } = snapshotOf(documentOf(''))
  const find = (endpoint?: typeof server) => Vaults.prototype.find.call({ all } as never, 'acme', undefined, endpoint)
  const all = async () => ['one', 'two'].map((name) => ({ id: 'acme', origin: `https://${name}.example` }))
  editor.settings.set('postern.endpoint', 'two')
  expect((await find(server)).origin).toBe('https://one.example')
  expect((await find()).origin).toBe('https://two.example')
  await expect(find(null)).rejects.toMatchObject({ kind: 'no_endpoint' })
})

it.each([
  ["A='abc\nB=postern://default/dev/ok\n", 1],
  ['A=postern://default/dev/ok\nB:abc\n', 2],
  ['A=postern://default/dev/ok\r\n\r\nJUST_A_WORD\r\n', 3],
  ['A=postern://default/dev/ok B\n', 1],
])('starts nothing over an unreadable line of %j, and names it', async (text, line) => {
  const folder = editor.openFolder('/w', { '.env': text })
  const services = stubServices(stub.machine, { 'postern://default/dev/ok': 'fine' })
  registerTasks(services, new Consents(services.workspaceState))
  editor.answers.push('Start')
  const told = await editor.runTask({ ...TASK, keys: ['A'] }, folder)
  expect(JSON.stringify(told)).toMatch(RegExp(`\\.env: line ${line}: `))
  expect(stub.started).toEqual([])
})

it('expands variables from the file and the environment, never those of a secret, and passes on the selected keys', async () => {
  const text =
    "URL=db://${USER_NAME}:${PASSWORD}@${HOME:-h}/$HOME\nPASSWORD=postern://default/p\nUSER_NAME=ann\nRAW='${NONE}'\n"
  const folder = editor.openFolder('/w', { '.env': text })
  const machine = { ...stub.machine, variable: (name: string) => ({ HOME: '/home/u' })[name] }
  const services = stubServices(machine, { 'postern://default/p': 'se${HOME}cret' })
  registerTasks(services, new Consents(services.workspaceState))
  editor.answers.push('Start', 'Start')
  await editor.runTask(TASK, folder)
  await editor.runTask({ ...TASK, keys: ['URL', 'RAW'] }, folder)
  const URL = 'db://ann:se${HOME}cret@/home/u/$HOME'
  expect(stub.started.map(({ values }) => values)).toEqual([
    { URL, PASSWORD: 'se${HOME}cret', USER_NAME: 'ann', RAW: '${NONE}' },
    { URL, RAW: '${NONE}' },
  ])
  // The prompt names the secret that is a part of another entry.
  expect(JSON.stringify(editor.questions[1])).toContain('PASSWORD')
})

it('starts nothing when a variable has no value, contains itself, or has another one for its default', async () => {
  const folder = editor.openFolder('/w', { '.env': 'A=${NONE}\nB=${C}\nC=${B}\nD=${NONE:-${A}}\n' })
  const services = stubServices({ ...stub.machine, variable: () => undefined })
  registerTasks(services, new Consents(services.workspaceState))
  editor.answers.push('Start')
  const told = JSON.stringify(await editor.runTask(TASK, folder))
  expect(told).toContain('A: the variable NONE is not set')
  expect(told).toContain('C: the variable B contains itself')
  expect(told).toContain('D: the default of the variable NONE must not contain another variable')
  expect(stub.started).toEqual([])
})

it('counts an entry that contains a secret among the secrets', async () => {
  editor.openFolder('/w', {})
  const { leases } = stubServices(stub.machine, { 'postern://default/p': 'secret' })
  const snapshot = snapshotOf(documentOf("URL=db://${P}@h\nP=postern://default/p\nQ='${P}'\nR=${URL}\nS=x\n"))
  const { secrets } = await runEnvironmentOf(leases, snapshot, { variable: () => undefined })
  expect(secrets).toEqual(['URL', 'P', 'R'])
})
