/** One value of `.env` on every runtime, as each is started, and no other file. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildIn } from './built.ts'
import { cleanEnvironment, makeSite, type Site } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
const OTHER_FILES = ['.env.local', '.env.development', '.env.development.local', '.env.production', '.env.test']

let folder: string
let site: Site
beforeAll(async () => {
  site = await makeSite()
  buildIn(site)
}, 120_000)
afterAll(() => site.remove())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-env-'))
  for (const name of OTHER_FILES) writeFileSync(join(folder, name), 'POSTERN_APP_NAME=other\n')
  writeFileSync(join(folder, 'bunfig.toml'), 'preload = ["./preload.ts"]\n')
  writeFileSync(join(folder, 'preload.ts'), 'await Bun.write("preloaded", "")\n')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The command of an npm script, for a working folder other than the package's. */
const script = (name: string) => scripts[name]!.replaceAll('worker/', `${ROOT}/worker/`)
/** The command of the image. */
const entrypoint = () => {
  const [, list] = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))!
  const [, ...args] = JSON.parse(list!) as string[]
  return ['bun', ...args].join(' ').replace('dist/', `${buildIn(site)}/`)
}
/** The command of the systemd unit. */
const unit = () => {
  const service = readFileSync(join(ROOT, 'docs/examples/deploy/postern.service'), 'utf8')
  const [, command] = /^ExecStart=\S+\/bun (.*)$/m.exec(service)!
  return `bun ${command!.replace('/opt/postern/dist/', `${buildIn(site)}/`)}`
}

const STARTS: Record<string, () => string> = {
  'npm start': () => script('start'),
  'npm run start:deno': () => script('start:deno'),
  Node: () => `node ${ROOT}/worker/node.ts`,
  'the image': entrypoint,
  'the systemd unit': unit,
}

/** Starts a server until a line of its output matches, or it ends. Returns the output. */
async function outputOf(command: string, until: RegExp, env: Record<string, string> = {}): Promise<string> {
  const child = spawn(command, {
    ...{ cwd: folder, shell: true, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    env: { ...cleanEnvironment(), POSTERN_PORT: '0', ...env },
  })
  let output = ''
  const ended = once(child, 'exit')
  const found = new Promise<void>((resolve) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk) => {
        output += chunk
        if (until.test(output)) resolve()
      })
    }
  })
  await Promise.race([found, ended])
  if (child.exitCode === null) process.kill(-child.pid!, 'SIGTERM')
  await ended
  return output
}

describe.each(Object.keys(STARTS))('%s', { timeout: 120_000 }, (start) => {
  it.each([
    ['POSTERN_APP_NAME=abc$defg', 'abc$defg'],
    ["POSTERN_APP_NAME='abc$defg ${HOME}'", 'abc$defg ${HOME}'],
    ['export POSTERN_APP_NAME = `a "b" \'c\' $(d)` # c', `a "b" 'c' $(d)`],
    ['\ufeffPOSTERN_APP_NAME: "a\\tb\\$HOME" # c\r', 'a\\tb\\$HOME'],
  ])('reads %j as it is, and no other file', async (line, name) => {
    writeFileSync(join(folder, '.env'), `POSTERN_APP_NAME=first\nPOSTERN_ENV=dev\nPOSTERN_TOKEN=x\n${line}\n`)
    const output = await outputOf(STARTS[start]!(), /"started".*\n/)
    const started = output.split('\n').find((one) => one.includes('"started"'))
    expect(started, output).toBeDefined()
    expect(JSON.parse(started!)).toMatchObject({ app: name })
    expect(output).not.toContain('env_files_read_by_bun')
    expect(existsSync(join(folder, 'preloaded'))).toBe(false)
  })

  it('stops over every unreadable line, names each, and says where a value ends at a "#"', async () => {
    writeFileSync(join(folder, '.env'), "POSTERN_APP_NAME='abc\nB\nC=1\n")
    const output = await outputOf(STARTS[start]!(), /"started".*\n/)
    expect(output).toMatch(/\.env, line 1: .*quote.*\n.*\.env, line 2: Must be NAME=value/)
    writeFileSync(join(folder, '.env'), 'A=1\nPOSTERN_APP_NAME=b#canary\n')
    const cut = await outputOf(STARTS[start]!(), /"started".*\n/)
    expect(cut).toMatch(/"event":"dotenv_value_cut","file":"\.env","line":2,"name":"POSTERN_APP_NAME"/)
    expect(cut).not.toContain('canary')
  })
})

it('reports files that Bun has read itself', { timeout: 60_000 }, async () => {
  const output = await outputOf(`bun --config=/dev/null ${ROOT}/worker/bun.ts`, /"started".*\n/)
  expect(output).toMatch(/"event":"env_files_read_by_bun","files":\["\.env\.development",/)
})

it('npm run start:workerd reads .dev.vars alone', { timeout: 120_000 }, async () => {
  const wrangler = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8')
  writeFileSync(
    join(folder, 'wrangler.toml'),
    wrangler.replace('"worker/cloudflare.ts"', `"${ROOT}/worker/cloudflare.ts"`).replace('"./docs', `"${ROOT}/docs`),
  )
  writeFileSync(join(folder, '.env'), 'POSTERN_APP_NAME=$HOME\n')
  writeFileSync(join(folder, '.dev.vars'), "POSTERN_APP_NAME='abc$defg'\n")
  const output = await outputOf(`${scripts['start:workerd']} --ip 127.0.0.1 --port 0 --inspector-port 0`, /Ready on/)
  expect(output).toContain('.dev.vars')
  expect(output).not.toMatch(/defined in \.env\b/)
})
