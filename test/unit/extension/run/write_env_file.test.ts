/** Writing values to the disk: why it is refused. */
import { beforeEach, expect, it, vi } from 'vitest'
import { registerWriteEnvFile } from '../../../../extension/run/write_env_file.ts'
import { editor, stubMachine, uriOf } from '../stub_editor.ts'
import { stubServices } from '../stub_services.ts'

vi.mock('vscode', async () => (await import('../stub_editor.ts')).api)

beforeEach(() => {
  editor.reset()
  editor.settings.set('postern.allowWriteToDisk', true)
  editor.openFolder('/w', { '.env': 'PORT=8080\n' })
  editor.active = uriOf('/w/.env')
})

const write = async (machine: object) => {
  const { machine: whole } = stubMachine()
  registerWriteEnvFile(stubServices({ ...whole, ...machine }))
  editor.answers.push('Write')
  await editor.commands.get('postern.writeEnvFile')!()
  return editor.complaints
}

it('says that git does not ignore the file', async () => {
  expect(await write({ isIgnored: async () => false })).toEqual([
    'Postern: Refused: git does not ignore .env.hydrated: add it to .gitignore first',
  ])
})

it('says that there is no git, or no repository, where a line in .gitignore would not help', async () => {
  expect(await write({ isIgnored: async () => null })).toEqual([
    'Postern: Refused: git cannot tell whether it ignores .env.hydrated: git is not installed, or the file is not in a repository',
  ])
})

it('says that the file cannot be written', async () => {
  const writePrivate = () => Promise.reject(new Error('EEXIST'))
  expect(await write({ writePrivate })).toEqual(['Postern: Refused: .env.hydrated already exists or cannot be written'])
})
