/** What the tool of a model shows of a run: no value of the `.env`, and which values are too short to be found. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { registerLanguageModelTools } from '../../../extension/language_model_tools.ts'
import { canary, leaks } from '../../support/canary.ts'
import { editor, stubMachine } from './stub_editor.ts'
import { stubServices } from './stub_services.ts'

vi.mock('vscode', async () => (await import('./stub_editor.ts')).api)

const secret = canary()
const plain = `plain-${crypto.randomUUID()}`
const SECRETS = {
  'postern://default/dev/one': 'a',
  'postern://default/dev/zero': '0',
  'postern://default/dev/two': '80',
  'postern://default/dev/pin': 'x7K2',
  'postern://default/dev/db': secret,
}
const stub = stubMachine()
const run = (env: string, output: string) => {
  editor.openFolder('/w', { '.env': env })
  registerLanguageModelTools(stubServices(stub.machine, SECRETS))
  stub.print(() => output)
  return editor.useTool('postern_run_with_secrets', { command: 'npm test' })
}

beforeEach(() => editor.reset())

it('row 44: has neither secrets nor plain entries of eight characters or more', async () => {
  const told = await run(`DB=postern://default/dev/db\nTOKEN=${plain}\n`, `${secret} ${plain} ${btoa(plain)}`)
  expect(told).toBe('Exit code: 0\n[postern:DB] [postern:TOKEN] [postern:TOKEN]')
  expect(leaks(told, [secret, plain])).toEqual([])
})

it('leaves words whole that have a short value in them, and names its key', async () => {
  const env = 'X=postern://default/dev/one\nPORT=postern://default/dev/zero\nTWO=postern://default/dev/two\n'
  expect(await run(env, 'banana 8080')).toBe(
    'Exit code: 0\nToo short to be taken out of the output everywhere: X, PORT, TWO\nbanana 8080',
  )
})

it('takes out a short secret that stands alone, but not a short plain entry', async () => {
  const told = await run('PIN=postern://default/dev/pin\nMODE=test\nEMPTY=\n', 'PIN x7K2, a test x7K2x')
  expect(told).toBe(
    'Exit code: 0\nToo short to be taken out of the output everywhere: PIN, MODE\nPIN [postern:PIN], a test x7K2x',
  )
})

it('tells the keys and never the values that are too short', async () => {
  expect(await run('PIN=postern://default/dev/pin\n', '')).not.toContain('x7K2')
})

describe('a tool that a model calls wrongly', () => {
  const calls: [string, object, string][] = [
    ['postern_run_with_secrets', {}, '"command" must be a string'],
    ['postern_run_with_secrets', { command: ['npm', 'test'] }, '"command" must be a string'],
    // The confirmation shows this as `.env.prod`: another file must not be read for it.
    ['postern_run_with_secrets', { command: 'npm test', envFile: ['.env.prod'] }, '"envFile" must be a string'],
    ['postern_list_secrets', { prefix: 7 }, '"prefix" must be a string'],
  ]
  it.each(calls)('is told the field that is wrong: %s %j', async (tool, input, reason) => {
    editor.openFolder('/w', { '.env': 'DB=postern://default/dev/db\n' })
    registerLanguageModelTools(stubServices(stub.machine, SECRETS))
    stub.started.splice(0)
    expect(await editor.useTool(tool, input)).toBe(`Error: Refused: ${reason}`)
    expect(stub.started).toEqual([])
  })

  it('is told that no folder is open', async () => {
    registerLanguageModelTools(stubServices(stub.machine, SECRETS))
    const told = await editor.useTool('postern_run_with_secrets', { command: 'npm test' })
    expect(told).toBe('Error: Refused: no folder is open')
  })
})

describe('a list of names for a model', () => {
  const list = (secrets: Record<string, string>, prefix?: string) => {
    registerLanguageModelTools(stubServices(stub.machine, secrets))
    return editor.useTool('postern_list_secrets', { prefix })
  }

  it('says when it is not the whole list', async () => {
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`postern://default/dev/n${n}`, 'x']))
    const lines = (await list(many)).split('\n')
    expect(lines).toHaveLength(201)
    expect(lines.at(-1)).toBe('Not all names of the vault default are listed: give a longer prefix')
    delete many['postern://default/dev/n0']
    expect(await list(many)).not.toContain('Not all')
  })

  it('says when no name has the prefix', async () => {
    expect(await list(SECRETS, 'prod/')).toBe('No secret that you may list has a name with this prefix')
  })
})
