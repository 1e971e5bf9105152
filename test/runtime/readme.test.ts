/** The tours of the documents, word for word: every command is run, every output compared. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const ROOT = join(import.meta.dirname, '../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const ROTATION = readFileSync(join(ROOT, 'docs/rotation.md'), 'utf8')
const ACCESS = readFileSync(join(ROOT, 'docs/access.md'), 'utf8')
const hasTools = ['bash', 'curl', 'sed'].every((tool) => spawnSync(tool, ['--version']).status === 0)

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

describe.skipIf(!hasTools)('the tour (needs bash, curl and sed)', () => {
  let site: Site
  let server: Server

  beforeEach(async () => {
    site = await makeSite()
    server = await startServer('bun', site)
  })

  afterEach(async () => {
    await server?.stop()
    site?.remove()
  })

  it.each([
    { page: 'README.md', text: README, atLeast: 12 },
    { page: 'docs/access.md', text: ACCESS, atLeast: 1 },
    { page: 'docs/rotation.md', text: ROTATION, atLeast: 1 },
  ])('of $page says what happens', ({ text, atLeast }) => {
    const steps = tourOf(text)
    expect(steps.length).toBeGreaterThanOrEqual(atLeast)
    // The function that the README defines, and after each command a mark to split the output at.
    const api = /^api\(\) .*$/m.exec(README)?.[0]
    const script = [api, ...steps.flatMap(({ command }) => [command, "printf '\\036'"])].join('\n')
    const { endpoint } = server
    const settings = { TOKEN: site.token.reveal(), VAULT: `${endpoint}/v1/vaults/default`, POSTERN_ENDPOINT: endpoint }
    const env = { ...process.env, ...settings }
    const outputs = execFileSync('bash', ['-c', script], { encoding: 'utf8', env, cwd: ROOT }).split('\x1e')
    steps.forEach(({ command, output }, i) => {
      expect([command, masked(outputs[i]!.trimEnd())]).toEqual([command, masked(output)])
    })
  })
})
