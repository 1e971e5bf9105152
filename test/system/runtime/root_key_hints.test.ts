/** A root key is made only where nothing says that there should be one: on each runtime that makes one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { base64url, randomBytes } from '../../../core/bytes.ts'
import { leaks } from '../../support/canary.ts'
import { needs, UNPRIVILEGED } from '../../support/needs.ts'
import { cleanEnvironment } from './servers.ts'

const WORKER = resolve(import.meta.dirname, '../../../worker')
const KEY = base64url(randomBytes(32))
const COMMANDS = {
  bun: ['bun', join(WORKER, 'bun.ts')],
  node: ['node', join(WORKER, 'node.ts')],
  deno: ['deno', 'run', '--quiet', '-A', join(WORKER, 'deno.ts')],
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-hints-'))
  mkdirSync(join(folder, 'secrets'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Starts a server in a folder of its own, until it listens or ends. */
async function start(runtime: keyof typeof COMMANDS, environment: Record<string, string> = {}): Promise<string> {
  const [command, ...args] = COMMANDS[runtime]
  const env = { ...cleanEnvironment(), POSTERN_PORT: '0', ...environment }
  const child = spawn(command!, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const ended = once(child, 'exit')
  const listens = new Promise<void>((found) => {
    const note = (chunk: Buffer) => {
      output += chunk
      if (output.includes('listens on')) found()
    }
    child.stdout.on('data', note)
    child.stderr.on('data', note)
  })
  await Promise.race([listens, ended])
  if (child.exitCode === null) process.kill(child.pid!, 'SIGTERM')
  await ended
  return output
}

const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content)
const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')

/** The files in the folder, the environment, and the source that the message names. */
type Hint = [title: string, lay: () => void, environment: Record<string, string>, named: string | RegExp]
const HINTS: Hint[] = [
  ['an empty variable', () => {}, { POSTERN_ROOT_KEY: '' }, 'POSTERN_ROOT_KEY is empty in the environment'],
  // Bun itself reads `.env` into the environment first.
  [
    'an empty value in .env',
    () => write('.env', 'POSTERN_ROOT_KEY=\n'),
    {},
    /POSTERN_ROOT_KEY is empty in (?:\.env|the environment)/,
  ],
  ['an empty file', () => write('secrets/postern_root_key', '\n'), {}, 'postern_root_key is empty in secrets'],
  ['a line without an equals sign', () => write('.env', '# ours\nPOSTERN_ROOT_KEY\n'), {}, '.env, line 2: '],
  ['.env as UTF-16', () => write('.env', utf16(`POSTERN_ROOT_KEY=${KEY}\n`)), {}, '.env, line 1: Is UTF-16'],
  ['a file with a hyphen', () => write('secrets/postern-root-key', KEY), {}, 'secrets/postern-root-key: '],
  ['another ending', () => write('secrets/postern_root_key.txt', KEY), {}, 'secrets/postern_root_key.txt: '],
  ['a file without separators', () => write('secrets/posternrootkey', KEY), {}, 'secrets/posternrootkey is not read'],
  ['another case', () => write('secrets/Postern_Root_Key', KEY), {}, 'Postern_Root_Key: Unknown setting'],
  ['a variable of another name', () => {}, { POSTERN_ROOTKEY: KEY }, 'POSTERN_ROOTKEY: Unknown setting'],
  ['a variable with hyphens', () => {}, { 'POSTERN-ROOT-KEY': KEY }, 'POSTERN-ROOT-KEY in the environment'],
  [
    'a folder in place of the file',
    () => mkdirSync(join(folder, 'secrets/postern_root_key')),
    {},
    'secrets/postern_root_key: ',
  ],
  [
    'a link that leads nowhere',
    () => symlinkSync('nowhere', join(folder, 'secrets/postern_root_key')),
    {},
    'secrets/postern_root_key: ',
  ],
  [
    'bytes that are not UTF-8',
    () => write('secrets/postern_app_name', Uint8Array.of(0x61, 0xff)),
    {},
    'secrets/postern_app_name, line 1: Is not UTF-8',
  ],
  [
    'a missing secrets folder',
    () => {},
    { POSTERN_SECRETS_DIR: '/nope' },
    'POSTERN_SECRETS_DIR: Must be an existing folder',
  ],
  [
    'a missing secrets folder, named in .env',
    () => write('.env', 'POSTERN_SECRETS_DIR=nope'),
    {},
    'POSTERN_SECRETS_DIR: Must be an existing folder',
  ],
  [
    'a file in its place',
    () => write('one', KEY),
    { POSTERN_SECRETS_DIR: 'one' },
    'POSTERN_SECRETS_DIR: Must be an existing folder',
  ],
  ['an empty name of it', () => {}, { POSTERN_SECRETS_DIR: '' }, 'POSTERN_SECRETS_DIR is empty'],
  ['an empty name of the data folder', () => {}, { POSTERN_DATA: '' }, 'POSTERN_DATA is empty in the environment'],
  ['an empty setting in a file', () => write('secrets/POSTERN_DATA', '\n'), {}, 'POSTERN_DATA is empty in secrets'],
  ['a former root key', () => {}, { POSTERN_FORMER_ROOT_KEYS: KEY }, 'POSTERN_FORMER_ROOT_KEYS is set'],
  [
    'a former root key beside the data',
    () => void [mkdirSync(join(folder, 'data')), write('data/root.former.key', KEY)],
    {},
    'root.former.key is there',
  ],
]

/** Cases in which the runtimes' own readers of files and `.env` might differ. */
const BY_RUNTIME = ['an empty value in .env', '.env as UTF-16', 'an empty file', 'a missing secrets folder']

describe.each(['bun', 'deno', 'node'] as const)('on %s', (runtime) => {
  const hints = HINTS.filter(([title]) => runtime === 'node' || BY_RUNTIME.includes(title))
  it.each(hints)('row 62: %s stops the start, and no root key is made', async (_, lay, environment, named) => {
    lay()
    const output = await start(runtime, environment)
    if (typeof named === 'string') expect(output).toContain(named)
    else expect(output).toMatch(named)
    expect(output).not.toContain('listens on')
    expect(leaks(output, [KEY])).toEqual([])
    expect(existsSync(join(folder, 'data/root.key'))).toBe(false)
  })

  it.each<[string, () => void, Record<string, string>]>([
    ['in .env behind a byte order mark', () => write('.env', `\ufeffPOSTERN_ROOT_KEY=${KEY}\n`), {}],
    ['in a file behind a byte order mark', () => write('secrets/postern_root_key', `\ufeff${KEY}\r\n`), {}],
    ['in .env behind an empty variable', () => write('.env', `POSTERN_ROOT_KEY=${KEY}`), { POSTERN_ROOT_KEY: '' }],
    ['in a file behind an empty variable', () => write('secrets/postern_root_key', KEY), { POSTERN_ROOT_KEY: '' }],
    [
      'in a file behind an empty line of .env',
      () => void [write('.env', 'POSTERN_ROOT_KEY='), write('secrets/postern_root_key', KEY)],
      {},
    ],
    [
      'in a folder that .env names',
      () =>
        void [
          mkdirSync(join(folder, 'mine')),
          write('.env', 'POSTERN_SECRETS_DIR=mine'),
          write('mine/POSTERN_ROOT_KEY', KEY),
        ],
      {},
    ],
  ])('row 62: the root key is read %s', async (_, lay, environment) => {
    lay()
    const output = await start(runtime, environment)
    expect(output).toContain('Root key: from POSTERN_ROOT_KEY')
    expect(existsSync(join(folder, 'data/root.key'))).toBe(false)
  })

  it('uses the key that it made before, though a variable is empty', async () => {
    expect(await start(runtime)).toContain('made now')
    const made = readFileSync(join(folder, 'data/root.key'), 'utf8')
    const output = await start(runtime, { POSTERN_ROOT_KEY: '' })
    expect(output).toContain('listens on')
    expect(output).not.toContain('made now')
    expect(readFileSync(join(folder, 'data/root.key'), 'utf8')).toBe(made)
  })
})

it.each<[string, Record<string, string>]>([
  ['a provider that is not configured', { POSTERN_PROVIDERS__PRIMARY_PROVIDER: 'aws' }],
  ['a provider that is half configured', { POSTERN_PROVIDERS__AWS_REGION: 'eu-central-1' }],
  ['a missing backup folder', { POSTERN_BACKUP__FOLDER: '/nope' }],
  ['a missing anchor', { POSTERN_AUDIT__ANCHOR: '/nope' }],
  ['a missing certificate', { POSTERN_TLS__CERT_FILE: '/nope', POSTERN_TLS__KEY_FILE: '/nope' }],
])('row 62: makes no root key for a start that fails over %s', async (_, environment) => {
  expect(await start('node', environment)).not.toContain('listens on')
  expect(existsSync(join(folder, 'data/root.key'))).toBe(false)
})

it('row 62: stops over a file of secrets that it may not read', needs(UNPRIVILEGED), async () => {
  write('secrets/postern_root_key', KEY)
  chmodSync(join(folder, 'secrets/postern_root_key'), 0)
  expect(await start('node')).toContain('secrets/postern_root_key: Must be a file that can be read')
})
