import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Editor, startEditor } from './editor.ts'
let editor: Editor
beforeAll(async () => {
  editor = await startEditor({ files: { '.env': 'A=postern://default/dev/a\n' } })
})
afterAll(() => editor?.close())
it('activates', async () => {
  const state = await editor.evaluate(async (vscode) => {
    const extension = vscode.extensions.getExtension('postern.postern')!
    await extension.activate()
    return { active: extension.isActive, version: vscode.version, commands: (await vscode.commands.getCommands(true)).filter((c) => c.startsWith('postern.')) }
  })
  console.log(state)
  await editor.shot('first')
  expect(state.active).toBe(true)
})
