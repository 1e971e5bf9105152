/** What a parser would skip in a file of settings is refused by file and line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'dotenv'
import { afterAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../../../core/bytes.ts'
import { envValues } from '../../../../core/text/dotenv.ts'
import { readSettingsDotenv, readSettingsFile } from '../../../../worker/local/settings_files.ts'
import { refusalFrom } from '../../../support/core.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

const FILE = join(folder, '.env')
const laid = <T>(content: string | Uint8Array, read: (path: string) => T): T => {
  writeFileSync(FILE, content)
  return read(FILE)
}
const utf16 = (text: string) => new Uint8Array(Buffer.from(`\ufeff${text}`, 'utf16le'))

describe('readSettingsFile', () => {
  it('drops a single byte order mark', () => {
    const read = (text: string) => laid(text, readSettingsFile)
    expect(read('\ufeffA=1')).toBe('A=1')
    expect(read('\ufeff\ufeffA=1')).toBe('\ufeffA=1')
    expect(read('A=\ufeff1')).toBe('A=\ufeff1')
    expect(read('')).toBe('')
  })

  it.each([
    ['UTF-16, little end first', utf16('A=1'), 1, 'Is UTF-16'],
    ['UTF-16, big end first', utf16('A=1').map((_, i, all) => all[i ^ 1] ?? 0), 1, 'Is UTF-16'],
    ['UTF-16 without a mark', utf16('A=1\nB=2').subarray(2), 1, 'Has a NUL byte'],
    ['a NUL byte', utf8('A=1\nB=\0\n'), 2, 'Has a NUL byte'],
    ['a NUL byte after line ends of old', utf8('A=1\rB=2\r\nC=\0\n'), 3, 'Has a NUL byte'],
    ['Latin-1', Uint8Array.of(0x41, 0x3d, 0x31, 0x0a, 0x42, 0x3d, 0xe4, 0x0a, 0x43), 2, 'Is not UTF-8'],
    ['a character that is cut', Uint8Array.of(0x41, 0x0a, 0x0a, 0xc3), 3, 'Is not UTF-8'],
  ])('row 62: refuses %s by its line', (_, bytes, line, problem) => {
    const { code, message } = refusalFrom(() => laid(bytes, readSettingsFile))
    expect(code).toBe('bad_request')
    expect(message).toContain(`.env, line ${line}: ${problem}`)
    expect(message).toContain('Save the file as UTF-8')
  })
})

describe('readSettingsDotenv', () => {
  const read = (text: string) => laid(text, readSettingsDotenv)

  it.each([
    'A=1',
    '',
    '\n\n',
    '# a comment without an equals sign',
    '  # one that is indented\nA=1',
    'export A=1\nexport  B=2',
    'A =1\n B= 2 ',
    'A=\nB=2',
    'A=1\r\nB=2\r\n',
    'A=1\rB=2\r',
    'A="x\nno equals sign in here\n"\nB=1',
    "A='-----BEGIN KEY-----\nabc=\n-----END KEY-----'",
    'A=`x\ny`',
    "A=it's\nB=1",
    'A="x" # with a comment\nB=1',
    'my-name.of_another=1\n1A=2',
    "#A='x\nB=1\nC='y'",
    'A: b',
    'POSTERN_APP_NAME=abc$defg${HOME}',
    '\ufeff\ufeffA=1',
  ])('reads %j as dotenv does', (text) => {
    expect(Object.fromEntries(envValues(read(text)))).toEqual(parse(text))
  })

  it.each([
    ['no equals sign', 'A=1\nPOSTERN_ROOT_KEY\n', 2],
    ['a colon without a space', 'POSTERN_ROOT_KEY:abc', 1],
    ['an equals sign of another script', 'POSTERN_ROOT_KEY＝abc', 1],
    ['no name', '=abc', 1],
    ['a name with a space', 'POSTERN ROOT KEY=abc', 1],
    ['a name with an invisible character', 'A=1\n\u200bPOSTERN_ROOT_KEY=abc', 2],
    ['a command', 'source other.env', 1],
    ['a quote that is not closed', "A=1\n\nPOSTERN_ROOT_KEY='abc\nB=1", 3],
    ['a quote that takes another setting with it', "A='abc\nPOSTERN_ROOT_KEY=abc\nB='", 1],
    ['an unclosed quote before export', 'A="abc\n export POSTERN_ROOT_KEY=abc\nB="x"', 1],
    ['a colon that takes the next line for its value', 'A:\nPOSTERN_ROOT_KEY=abc', 1],
    ['a reference with text behind it', 'A=postern://v/x abc', 1],
  ])('row 62: refuses %s by its line', (_, text, line) => {
    const { code, message } = refusalFrom(() => read(text))
    expect(code).toBe('bad_request')
    expect(message).toContain(`.env, line ${line}: `)
    expect(message).not.toContain('abc')
  })

  it('row 62: names all unreadable lines at once', () => {
    const { message } = refusalFrom(() => read("A\nB=1\nC='abc\n\nD E=1\n"))
    expect(message.split('\n').map((line) => /line \d/.exec(line)![0])).toEqual(['line 1', 'line 3', 'line 5'])
  })
})
