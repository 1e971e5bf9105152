/** The tours of the documents, word for word: runs every command, and compares every output. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Keyring } from '../../../core/crypto/keyring.ts'
import { Redacted } from '../../../core/redacted.ts'
import { offerTicket } from '../../../worker/local/bootstrap_ticket.ts'
import { needs, program } from '../../support/needs.ts'
import { makeSite, type Server, type Site, startEmpty, ticketFor } from './servers.ts'

const ROOT = join(import.meta.dirname, '../../..')
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')
const QUICK_START = 'docs/start/quick-start.md'
/** The tours that begin with the token of an administrator, on the server that the quick start left behind. */
const TOURS = ['docs/concepts/access.md', 'docs/how-to/rotation.md']
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

/** Replaces what differs from run to run by its kind. */
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

  /** Runs steps with the helpers that a page defines, and gives the output of each. */
  function run(page: string, steps: Step[], typed: string[], more: Record<string, string> = {}): string[] {
    const functions = read(page).match(/^[a-z]+\(\) \{.*\}$/gm) ?? []
    // After each command a mark to split the output at.
    const script = [...functions, ...steps.flatMap(({ command }) => [command, "printf '\\036'"])].join('\n')
    const { endpoint } = server
    const env = { ...process.env, VAULT: `${endpoint}/v1/vaults/default`, POSTERN_ENDPOINT: endpoint, ...more }
    const input = typed.map((line) => `${line}\n`).join('')
    const outputs = execFileSync('bash', ['-c', script], { encoding: 'utf8', env, cwd: ROOT, input }).split('\x1e')
    return steps.map((_, i) => outputs[i]!.trimEnd())
  }

  /** Each command with what a page shows, and with what it printed. */
  function compare(steps: Step[], outputs: string[]): void {
    steps.forEach(({ command, output }, i) => {
      expect([command, masked(outputs[i]!)]).toEqual([command, masked(output)])
    })
  }

  it.each([
    { page: 'README.md', steps: 5, typed: ['correct horse'] },
    { page: QUICK_START, steps: 18, typed: ['correct horse', 'battery staple', 'too late'] },
  ])('on $page does what the page shows', async ({ page, steps: expected, typed }) => {
    const steps = tourOf(read(page))
    expect(steps).toHaveLength(expected)
    compare(steps, run(page, steps, [(await ticketFor(site)).reveal(), ...typed]))
  })

  it('on each page works after those of the other pages, and a second time', async () => {
    const begin = [...tourOf(read(QUICK_START)), { command: 'printf %s "$TOKEN"', output: '' }]
    const typed = ['correct horse', 'battery staple', 'too late']
    const token = { TOKEN: run(QUICK_START, begin, [(await ticketFor(site)).reveal(), ...typed]).at(-1)! }
    for (const page of TOURS) {
      const steps = tourOf(read(page))
      expect(steps.length).toBeGreaterThan(0)
      compare(steps, run(page, steps, [], token))
    }
    for (const page of TOURS.toReversed()) {
      const steps = tourOf(read(page))
      expect(labelsOf(run(page, steps, [], token))).toEqual(labelsOf(steps.map(({ output }) => output)))
    }
    const again = run(QUICK_START, begin.slice(2), typed, token)
    expect(again.filter((output) => /"status":5/.test(output))).toEqual([])
  })
})

/** The first word of each line: the versions and runs behind it count up. */
const labelsOf = (outputs: string[]) =>
  outputs.flatMap((output) => output.split('\n').map((line) => line.split(' ')[0]))

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
    for (const page of ['README.md', QUICK_START]) {
      const shown = /^Ticket .*$/m.exec(read(page))?.[0]
      expect(shown?.replace(/\d.*Z/, 'TIME')).toBe(about!.replace(/\d.*Z/, 'TIME'))
    }
  })
})
