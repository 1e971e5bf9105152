/** The tours of the documents, word for word: every command is run, every output compared. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Keyring } from '../../../core/crypto/keyring.ts'
import { Redacted } from '../../../core/redacted.ts'
import { offerTicket } from '../../../worker/local/bootstrap_ticket.ts'
import { needs, program } from '../../support/needs.ts'
import { admit, makeSite, type Server, type Site, startEmpty, ticketFor } from './servers.ts'

const ROOT = join(import.meta.dirname, '../../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const ROTATION = readFileSync(join(ROOT, 'docs/how-to/rotation.md'), 'utf8')
const ACCESS = readFileSync(join(ROOT, 'docs/concepts/access.md'), 'utf8')
const TOOLS = ['bash', 'curl', 'sed'].map((name) => program(name))

interface Step {
  command: string
  output: string
}

/** The commands of all `console` blocks, in order, each with the output shown below it. */
function tourOf(page: string): Step[] {
  const blocks = [...page.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block]) => block!)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const [command = '', ...output] = step.trimEnd().split('\n')
        return { command, output: output.join('\n') }
      }),
  )
}

/** What differs from run to run, by its kind. */
function masked(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\d{4}-\d\d-\d\dT[0-9:.]+Z/g, 'TIME')
    .replaceAll(/[A-Za-z0-9+/]{43}=/g, 'HASH')
    .replaceAll(/curl\/[0-9.]+/g, 'CURL')
}

describe('the tour', needs(...TOOLS), () => {
  let site: Site
  let server: Server

  beforeEach(async () => {
    site = await makeSite()
    server = await startEmpty('bun', site)
  })

  afterEach(async () => {
    await server?.stop()
    site?.remove()
  })

  it.each([
    { page: 'README.md', text: README, atLeast: 12, typed: ['correct horse', 'battery staple', 'too late'] },
    { page: 'docs/concepts/access.md', text: ACCESS, atLeast: 1, typed: null },
    { page: 'docs/how-to/rotation.md', text: ROTATION, atLeast: 1, typed: null },
  ])('of $page says what happens', async ({ text, atLeast, typed }) => {
    const steps = tourOf(text)
    expect(steps.length).toBeGreaterThanOrEqual(atLeast)
    // The functions that the README defines, and after each command a mark to split the output at.
    const functions = README.match(/^[a-z]+\(\) \{.*\}$/gm)!
    expect(functions).toHaveLength(4)
    const script = [...functions, ...steps.flatMap(({ command }) => [command, "printf '\\036'"])].join('\n')
    const { endpoint } = server
    const settings = { VAULT: `${endpoint}/v1/vaults/default`, POSTERN_ENDPOINT: endpoint }
    // The README begins with the ticket; the other pages with the token that it gave.
    if (typed === null) await admit(site, endpoint)
    const env = { ...process.env, ...settings, ...(typed === null && { TOKEN: site.token.reveal() }) }
    const ticket = (await ticketFor(site)).reveal()
    const input = [ticket, ...(typed ?? [])].map((line) => `${line}\n`).join('')
    const outputs = execFileSync('bash', ['-c', script], { encoding: 'utf8', env, cwd: ROOT, input }).split('\x1e')
    steps.forEach(({ command, output }, i) => {
      expect([command, masked(outputs[i]!.trimEnd())]).toEqual([command, masked(output)])
    })
  })
})

describe('a page', () => {
  const pages = ['README.md', 'extension/README.md', 'compose.yaml', 'wrangler.toml']
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.md'),
  )

  it.each([...pages, ...docs.map((file) => join('docs', file))])(
    '%s gives no token and no value as an argument',
    (page) => {
      const text = readFileSync(join(ROOT, page), 'utf8')
      const commands = [...text.matchAll(/```(?:sh|console|bash)\n([\s\S]*?)```/g)]
        .map(([, block]) => block!)
        .join('\n')
      expect(commands.match(/-H "[^"]*(?:Bearer|DPoP)[^"]*"|-H 'Authorization[^']*'|export TOKEN=\S+/g)).toBeNull()
      expect(commands.match(/(?:-d|--data\S*) ?'[^']*"(?:value|token|code|assertion|recoveryCode)"[^']*'/g)).toBeNull()
      expect(text).not.toContain('POSTERN_BOOTSTRAP_TOKEN')
    },
  )

  it('shows what a start prints', async () => {
    const keyring = await Keyring.open(new Redacted(new Uint8Array(32)))
    const [about] = await offerTicket('default', keyring, { data: join(ROOT, 'none'), isTerminal: true }, Date.now())
    const shown = /^Ticket .*$/m.exec(README)?.[0]
    expect(shown?.replace(/\d.*Z/, 'TIME')).toBe(about!.replace(/\d.*Z/, 'TIME'))
  })
})
