/** Completion of the keys of `.env` files in code. */
import { beforeEach, expect, it, vi } from 'vitest'
import { registerCompletion } from '../../../../extension/language/completion.ts'
import { api, editor, stubMachine } from '../stub_editor.ts'
import { stubServices } from '../stub_services.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

beforeEach(() => {
  editor.reset()
  editor.openFolder('/w', {
    '.env': 'DB=postern://default/dev/db\nPORT=8080\n',
    'api/.env.test': 'DB=other\nMODE=test\n',
    'main.ts': 'process.env.',
  })
  registerCompletion(stubServices(stubMachine().machine))
})

const complete = () =>
  editor.completions[1]!.provideCompletionItems(editor.document('/w/main.ts'), new api.Position(0, 12))

it('offers the keys of all .env files of the folder, and no value', async () => {
  const items = await complete()
  expect(items.map(({ label, detail }) => [label, detail])).toEqual([
    ['DB', 'postern://default/dev/db'],
    ['PORT', '.env'],
    ['MODE', 'api/.env.test'],
  ])
})

it('opens no document, which every other extension would look at', async () => {
  await complete()
  expect(editor.opened).toEqual([])
})

it('reads the unsaved text of an open file', async () => {
  const open = editor.document('/w/.env')
  api.workspace.textDocuments.push({ ...open, getText: () => 'UNSAVED=1\n' })
  try {
    expect((await complete()).map(({ label }) => label)).toEqual(['UNSAVED', 'DB', 'MODE'])
  } finally {
    api.workspace.textDocuments.pop()
  }
})
