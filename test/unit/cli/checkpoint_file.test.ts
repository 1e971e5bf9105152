import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readCheckpointFile } from '../../../cli/checkpoint_file.ts'
import { refusalFrom } from '../../support/core.ts'

const NOTE = 'example.com/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— example.com/log AAAA\n'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-checkpoint-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = () => join(folder, 'a.checkpoint')

it.each([NOTE, `\ufeff${NOTE}`, NOTE.replaceAll('\n', '\r\n'), `\ufeff${NOTE.replaceAll('\n', '\r\n')}`])(
  'reads a note as it was signed, though an editor saved it: %#',
  (text) => {
    writeFileSync(file(), text)
    expect(readCheckpointFile(file(), '--checkpoint')).toBe(NOTE)
  },
)

it.each([
  ['missing', () => {}, 'cannot be read'],
  ['empty', () => writeFileSync(file(), ''), 'is empty'],
  ['blank', () => writeFileSync(file(), '\ufeff\r\n'), 'is empty'],
])('names a file that is %s', (_, lay, problem) => {
  lay()
  const { message, detail } = refusalFrom(() => readCheckpointFile(file(), '--checkpoint'))
  expect(detail.field).toBe('--checkpoint')
  expect(message).toContain(`${file()} ${problem}`)
})
