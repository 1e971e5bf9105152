/** What `npm run build` makes, and the image is made of: server and commands, where there is nothing but them and Bun. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { canary } from '../../support/canary.ts'
import { buildIn, engineSettings, startBuilt } from './built.ts'
import { cleanEnvironment, makeSite, type Server, type Site, settingsOf } from './servers.ts'

const secret = canary()
let site: Site
let server: Server
let client: Client
/** Where commands run: an empty folder, so that nothing is found beside them. */
let empty: string
let backups: string

beforeAll(async () => {
  site = await makeSite()
  empty = mkdtempSync(join(tmpdir(), 'postern-empty-'))
  backups = join(empty, 'backups')
  mkdirSync(backups)
  await start()
})

afterAll(async () => {
  await server?.stop()
  site?.remove()
  rmSync(empty, { recursive: true, force: true })
})

async function start() {
  server = await startBuilt(site, { POSTERN_BACKUP__FOLDER: backups, POSTERN_BACKUP__EVERY_HOURS: '0' })
  client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
}

/** Runs a command of an operator; what it prints. */
async function command(file: string, args: string[], more: Record<string, string> = {}): Promise<string> {
  const env = { ...cleanEnvironment(), ...settingsOf(site), POSTERN_BACKUP__FOLDER: backups, ...more }
  const { stdout } = await promisify(execFile)('bun', [join(buildIn(site), file), ...args], { cwd: empty, env })
  return stdout
}

it('is told how to use memory by the image', () => {
  expect(engineSettings()).toMatchObject({ BUN_JSC_forceRAMSize: expect.stringMatching(/^\d+$/) })
})

it('serves, and has the contract and its page with it', async () => {
  await client.put('a', new Redacted(secret))
  expect((await client.get('a')).value.reveal()).toBe(secret)
  const contract = (await (await fetch(`${server.endpoint}/openapi.json`)).json()) as { openapi: string }
  expect(contract.openapi).toMatch(/^3\.1/)
  expect(await (await fetch(`${server.endpoint}/docs`)).text()).toContain('<html')
})

it('has commands that make keys and tokens, verify the log, back up, and restore what is served again', async () => {
  expect((await command('keygen.js', [])).trim()).toMatch(/^[\w-]{43}$/)
  expect(await command('mint.js', [site.vault])).toMatch(/^pso_default_[\w-]+$/m)
  expect(await command('recover.js', [site.vault, '--reason', 'A drill'])).toMatch(/^pso_default_[\w-]+$/m)
  const about = ['--url', server.endpoint, '--vault', site.vault, '--key', await client.auditKey()]
  const verified = await command('audit_verify.js', about, { TOKEN: site.token.reveal() })
  expect(verified).toMatch(/audit\/default: \d+ entries/)
  expect(await command('backup_now.js', [])).toContain('.sqlite')
  await server.stop()
  for (const file of readdirSync(site.data)) if (file.startsWith('default.sqlite')) rmSync(join(site.data, file))
  const [backup] = readdirSync(backups).filter((file) => file.endsWith('.sqlite'))
  await command('restore.js', [join(backups, backup!), '--yes'])
  await start()
  expect((await client.get('a')).value.reveal()).toBe(secret)
})
