/** Moving secrets from a document into the vault, and the messages when that fails. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { registerMoveToVault } from '../../../../extension/edit/move_to_vault.ts'
import { registerPaste } from '../../../../extension/edit/paste.ts'
import { IgnoredFindings } from '../../../../extension/language/ignored_findings.ts'
import { api, editor, stubMachine, uriOf } from '../stub_editor.ts'
import { stubServices } from '../stub_services.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

const [harmless, first, second] = [1, 2, 3].map((n) => `k${n}-${crypto.randomUUID()}`) as [string, string, string]
const secrets: Record<string, string> = {}
let ignored: IgnoredFindings

beforeEach(() => {
  editor.reset()
  for (const name of Object.keys(secrets)) delete secrets[name]
  const services = stubServices(stubMachine().machine, secrets)
  ignored = new IgnoredFindings(services.workspaceState)
  registerMoveToVault(services, ignored)
  registerPaste(services, ignored)
  editor.settings.set('postern.endpoints', { here: 'https://secrets.example' })
  editor.openFolder('/w', { '.env': `NO_TOKEN=${harmless}\nA_TOKEN=${first}\nB_TOKEN=${second}\n` })
  editor.active = uriOf('/w/.env')
})

const moveAll = () => editor.commands.get('postern.moveAllInFile')!()
const titles = () => editor.questions.map(({ question }) => question)

describe('moving all secrets of a file', () => {
  it('does not offer a finding that the user ignores', async () => {
    await ignored.add(harmless)
    editor.answers.push('dev/a', 'dev/b')
    await moveAll()
    expect(titles()).toHaveLength(2)
    expect(editor.document('/w/.env').getText()).toBe(
      `NO_TOKEN=${harmless}\nA_TOKEN=postern://default/dev/a\nB_TOKEN=postern://default/dev/b\n`,
    )
  })

  it('continues with the next finding when the user skips one', async () => {
    editor.answers.push(undefined, 'dev/a', 'dev/b')
    await moveAll()
    expect(editor.document('/w/.env').getText()).toBe(
      `NO_TOKEN=${harmless}\nA_TOKEN=postern://default/dev/a\nB_TOKEN=postern://default/dev/b\n`,
    )
    expect(secrets).toEqual({ 'postern://default/dev/a': first, 'postern://default/dev/b': second })
  })

  it('offers each finding once when the user skips all of them', async () => {
    await moveAll()
    expect(titles()).toHaveLength(3)
    expect(secrets).toEqual({})
  })

  it('offers a secret again where it stands a second time', async () => {
    editor.files.set(`${uriOf('/w/.env')}`, `A_TOKEN=${first}\nB_TOKEN=${first}\n`)
    editor.answers.push('dev/a', 'dev/b')
    await moveAll()
    expect(editor.document('/w/.env').getText()).not.toContain(first)
  })

  it('offers whole secrets when the document changes while the ignored ones are looked up', async () => {
    const { has } = ignored
    let changes = 1
    vi.spyOn(ignored, 'has').mockImplementation(async (text) => {
      const answer = await has.call(ignored, text)
      if (changes-- > 0) editor.files.set(`${uriOf('/w/.env')}`, `# new\nA_TOKEN=${first}\nB_TOKEN=${second}\n`)
      return answer
    })
    editor.answers.push('dev/a', 'dev/b')
    await moveAll()
    expect(secrets).toEqual({ 'postern://default/dev/a': first, 'postern://default/dev/b': second })
    expect(editor.document('/w/.env').getText()).toBe(
      '# new\nA_TOKEN=postern://default/dev/a\nB_TOKEN=postern://default/dev/b\n',
    )
  })

  it('points out a listed name that differs in case alone, and stores under the name that was entered', async () => {
    secrets['postern://default/dev/Token'] = 'other'
    editor.files.set(`${uriOf('/w/.env')}`, `A_TOKEN=${first}\nB_TOKEN=${second}\n`)
    editor.answers.push('dev/token', 'dev/free')
    await moveAll()
    expect(editor.notices).toEqual(['dev/Token exists. Case counts, so this is another secret'])
    expect(secrets).toEqual({
      'postern://default/dev/Token': 'other',
      'postern://default/dev/token': first,
      'postern://default/dev/free': second,
    })
  })

  it('says so when every finding is ignored', async () => {
    for (const text of [harmless, first, second]) await ignored.add(text)
    await moveAll()
    expect(titles()).toEqual([])
    expect(editor.told).toEqual(['Postern: No plain-text secrets found in this file'])
  })
})

it('says where the reference belongs when the document changed while the secret was stored', async () => {
  const { Position, Range } = api
  const range = new Range(new Position(1, 8), new Position(1, 8 + first.length))
  Object.defineProperty(secrets, 'postern://default/dev/a', {
    set: () => void editor.files.set(`${uriOf('/w/.env')}`, 'A=changed\n'),
    enumerable: true,
    configurable: true,
  })
  editor.answers.push('dev/a')
  await editor.commands.get('postern.storeSelection')!(uriOf('/w/.env'), range)
  expect(editor.complaints).toEqual([
    'Postern: Refused: the document has changed in the meantime. Insert postern://default/dev/a yourself',
  ])
})

describe('a secret that is pasted', () => {
  const paste = (text: string) =>
    editor.pastes[0]!.provideDocumentPasteEdits(editor.document('/w/.env'), [{ start: new api.Position(0, 0) }], {
      get: () => ({ asString: async () => text }),
    })

  it('is offered a place in the vault', async () => {
    await paste(first)
    expect(titles()).toEqual(['Postern: What you pasted looks like a secret'])
  })

  it('is not warned of when the user ignores it', async () => {
    await ignored.add(first)
    await paste(first)
    expect(titles()).toEqual([])
  })
})
