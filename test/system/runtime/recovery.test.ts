/** The page of recoveries: each drill on a real server, with the commands of the page. */
import { execFile } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mintTicket } from '../../../core/authentication/ticket.ts'
import { type Client, connect, signIn } from '../../../core/client/client.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { Redacted } from '../../../core/redacted.ts'
import { openSqlite } from '../../../worker/local/sqlite.ts'
import { sqliteFiles } from '../../../worker/local/sqlite_files.ts'
import { authenticator } from '../../support/authenticator.ts'
import { canary, leaks } from '../../support/canary.ts'
import { needs, program } from '../../support/needs.ts'
import { bootstrap, cleanEnvironment, makeSite, type Server, type Site, startEmpty } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const PAGE = readFileSync(join(ROOT, 'docs/how-to/recovery.md'), 'utf8')
const TOOLS = ['bash', 'curl', 'sed'].map((name) => program(name))

let folder: string
let site: Site
let servers: Server[]
let said: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-recovery-'))
  for (const name of ['backups', 'anchor', 'paper']) mkdirSync(join(folder, name))
  servers = []
  said = ''
})

afterEach(async () => {
  for (const server of servers) await server.kill()
  site.remove()
  rmSync(folder, { recursive: true, force: true })
})

const settings = () => ({
  POSTERN_BACKUP__FOLDER: join(folder, 'backups'),
  POSTERN_BACKUP__EVERY_HOURS: '0',
  POSTERN_AUDIT__ANCHOR: join(folder, 'anchor'),
  POSTERN_AUDIT__PUBLISH_SECONDS: '1',
})

async function start(more: Record<string, string> = {}): Promise<Server> {
  const server = await startEmpty('node', site, { ...settings(), ...more })
  servers.push(server)
  return server
}

/** A server over a new data folder, whose root key is in it, and whose vault has a secret. */
async function begin(more: Record<string, string> = {}): Promise<{ server: Server; admin: Client }> {
  site = { ...(await makeSite()), rootKey: '' }
  const server = await start(more)
  const rootKey = readFileSync(join(site.data, 'root.key'), 'utf8').trim()
  copyFileSync(join(site.data, 'root.key'), join(folder, 'paper/root.key'))
  site.token = await bootstrap(server.endpoint, { vault: 'default', rootKey })
  const admin = clientOf(server, site.token)
  await admin.put('prod/db', new Redacted('canary-of-a-drill'))
  return { server, admin }
}

const clientOf = ({ endpoint }: Server, token: Redacted<string>) => connect({ endpoint, vault: 'default', token })

/** Runs the commands of a section, in a folder of their own. */
async function drill(title: string, server: Server | null): Promise<void> {
  const section = PAGE.split(/^## /m).find((one) => one.startsWith(`${title}\n`))
  const [functions, commands] = [/^bearer\(\) .*$/m.exec(PAGE)?.[0], commandsOf(section ?? '')]
  expect(commands.length).toBeGreaterThan(0)
  const script = ['set -euo pipefail', functions, ...commands].join('\n')
  const env = {
    ...cleanEnvironment(),
    ...settings(),
    ...{ POSTERN_DATA: site.data, POSTERN_SECRETS_DIR: '', URL: server?.endpoint ?? '' },
  }
  const npm = `npm() { command npm --prefix ${ROOT} "$@"; }`
  const located = script.replaceAll('/mnt/paper', join(folder, 'paper'))
  const ran = await promisify(execFile)('bash', ['-c', `${npm}\n${located}`], { cwd: folder, env: without(env) }).catch(
    (error) => error,
  )
  said += `${ran.stdout}${ran.stderr}`
  if (ran instanceof Error) throw new Error(`${title}: ${said}`)
}

function without({ POSTERN_SECRETS_DIR: _, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env
}

function commandsOf(section: string): string[] {
  const blocks = [...section.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block]) => block!)
  return blocks.flatMap((block) => [...block.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command!))
}

const tokenIn = () => new Redacted(JSON.parse(readFileSync(join(folder, 'token'), 'utf8')).token as string)

async function lastRecovery(client: Client) {
  const { entries } = await client.auditEntries({ from: 0, limit: 500, severity: 'alert' })
  return entries.map(({ body }) => JSON.parse(body)).findLast(({ operation }) => operation === 'vault.recover')
}

/** Backs the vault up while it is served, and waits for the anchor to know it. */
async function backUp(): Promise<void> {
  const env = { ...cleanEnvironment(), ...settings(), POSTERN_DATA: site.data }
  await promisify(execFile)(process.execPath, ['cli/backup_now.ts'], { cwd: ROOT, env })
}

/** The key of the default vault's tickets. */
async function ticketKey(rootKey: string): Promise<Uint8Array> {
  return (await Keyring.open(parseRootKey(rootKey))).macKey('default', 'ticket')
}

const inFolder = (name: string) => readFileSync(join(folder, name), 'utf8')

describe('the drill', needs(...TOOLS), () => {
  it('replaces a lost token', async () => {
    const { server, admin } = await begin()
    await drill('Lost administrator token', server)
    expect(statSync(join(folder, 'ticket')).mode & 0o077).toBe(0)
    const client = clientOf(server, tokenIn())
    expect(await client.whoami()).toMatchObject({ principal: 'admin' })
    const { items } = JSON.parse(inFolder('tokens.json')) as { items: { accessor: string; label: string }[] }
    expect(items.map(({ label }) => label)).toEqual(['first administrator', 'recovery'])
    await client.revokeToken(items[0]!.accessor)
    await expect(admin.whoami()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await lastRecovery(client)).toMatchObject({ facts: { reason: 'The token of admin was lost' } })
    const printed = server.output() + said
    expect(leaks(printed, [inFolder('ticket').trim(), tokenIn().reveal()])).toEqual([])
  })

  it('needs a copy of a lost root key', async () => {
    const { server } = await begin()
    await server.stop()
    rmSync(join(site.data, 'root.key'))
    await expect(start()).rejects.toThrow('Root key is missing')
    await expect(drill('Lost second factor', null)).rejects.toThrow('Root key is missing')
    expect(readdirSync(site.data)).not.toContain('root.key')
    await drill('Lost root key', null)
    const again = await start()
    expect((await clientOf(again, site.token).get('prod/db')).value.reveal()).toBe('canary-of-a-drill')
  })

  it('removes a lost second factor where the settings demand one', async () => {
    const { server: open } = await begin()
    const enrolled = await signIn({ endpoint: open.endpoint, vault: 'default', token: site.token })
    const { uri } = await enrolled.client.enrolTotp()
    await enrolled.client.confirmTotp(await authenticator(uri)())
    await open.stop()
    const server = await start({ POSTERN_SECURITY__REQUIRE_MFA: 'true' })
    await expect(clientOf(server, site.token).get('prod/db')).rejects.toMatchObject({ code: 'mfa_required' })
    await drill('Lost second factor', server)
    const about = { endpoint: server.endpoint, vault: 'default', token: tokenIn() }
    await expect(clientOf(server, tokenIn()).get('prod/db')).rejects.toMatchObject({ code: 'mfa_required' })
    const anew = await signIn(about)
    const nextCode = authenticator((await anew.client.enrolTotp()).uri)
    await anew.client.confirmTotp(await nextCode())
    const { client } = await signIn({ ...about, code: await nextCode() })
    expect((await client.get('prod/db')).value.reveal()).toBe('canary-of-a-drill')
    expect(await lastRecovery(client)).toMatchObject({ facts: { factorsOf: 'admin' } })
  })

  it('lifts approvals when all approvers are gone', async () => {
    const { server, admin } = await begin()
    await admin.putPrincipal('ann', { kind: 'user' })
    const approvals = { required: 1, from: ['ann'], withinSeconds: 600 }
    const rule = { effect: 'forbid' as const, principal: '*', actions: ['admin' as const], resource: 'principals' }
    await admin.putRule('two', { ...rule, unless: { approvals } })
    await expect(admin.putPrincipal('ben', { kind: 'user' })).rejects.toMatchObject({ code: 'approval_required' })
    await drill('No approvers left', server)
    const client = clientOf(server, tokenIn())
    await client.putPrincipal('ben', { kind: 'user' })
    await client.putRule('two', { ...rule, unless: { approvals: { ...approvals, from: ['ben'] } } })
    const { items } = await client.brokenGlass()
    expect(items).toMatchObject([{ principal: 'admin', reason: 'Both approvers have left' }])
    expect(items[0]).not.toHaveProperty('reviewedAt')
    await expect(admin.putPrincipal('eve', { kind: 'user' })).rejects.toMatchObject({ code: 'approval_required' })
  })

  it('works after a clock that was far ahead', async () => {
    const { server } = await begin()
    await server.stop()
    const monthMs = 30 * 86_400_000
    const ahead = `--import=data:text/javascript,Date.now=(now=>()=>now()+${monthMs})(Date.now)`
    const wrong = await start({ NODE_OPTIONS: ahead })
    await clientOf(wrong, site.token).get('prod/db')
    await wrong.stop()
    const again = await start()
    await expect.poll(() => again.output()).toContain('"clock_behind"')
    const rootKey = readFileSync(join(site.data, 'root.key'), 'utf8').trim()
    const asked = { purpose: 'recover', reason: 'A fresh drill', removeFactors: null, withoutApprovals: null } as const
    const late = mintTicket('default', await ticketKey(rootKey), asked, Date.now())
    await expect(clientOf(again, late).whoami()).rejects.toMatchObject({ detail: { reason: 'ticket_late' } })
    process.env.VAULT_TIME = new Date(Date.now() + monthMs).toISOString()
    await drill('Clock that was far ahead', again)
    delete process.env.VAULT_TIME
    expect(await lastRecovery(clientOf(again, tokenIn()))).toMatchObject({ facts: { reason: 'The clock was ahead' } })
  })

  it.each([
    ['Corrupt vault file', (file: string) => writeFileSync(file, canary().repeat(500))],
    ['Missing vault file', (file: string) => truncateSync(file, 0)],
    ['Missing vault file', (file: string) => rmSync(file)],
    [
      'Quarantined vault',
      (file: string) => {
        const sql = openSqlite(file)
        sql.all('CREATE TRIGGER stray AFTER INSERT ON entry BEGIN SELECT 1; END')
        sql.close()
      },
    ],
  ])('restores a vault after this damage: %s', async (_, damage) => {
    const { server } = await begin()
    await backUp()
    await server.stop()
    for (const companion of sqliteFiles(join(site.data, 'default.sqlite')).slice(1)) rmSync(companion, { force: true })
    damage(join(site.data, 'default.sqlite'))
    const closed = await start().catch(() => null)
    if (closed !== null) {
      const read = clientOf(closed, site.token).get('prod/db')
      await expect(read).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:unavailable|tampered|unauthenticated)$/),
      })
      await closed.stop()
    }
    await drill('Corrupt vault file', null)
    await drill('Rolled-back vault', null)
    const word = inFolder('word').trim()
    const again = await start({ ...(word !== '' && { POSTERN_AUDIT__ACCEPT_ROLLBACK: word }) })
    expect((await clientOf(again, site.token).get('prod/db')).value.reveal()).toBe('canary-of-a-drill')
  })
})
