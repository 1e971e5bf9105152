/** The page on instances: each of its examples is what a server starts with. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { configuredProviders } from '../../../../core/provider_registry/from_settings.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/how-to/providers.md'), 'utf8')
const blocks = [...page.matchAll(/^```sh\n(POSTERN_[\s\S]*?)^```/gm)].map(([, block]) => block!)
const files = { read: async () => null, store: () => expect.unreachable() }
const idsOf = (block: string) => {
  const { providers } = parseSettings({ environment: parseEnv(block) })
  return [...configuredProviders(providers, { files }).keys()]
}

describe('an example of the page on instances', () => {
  it('configures the providers that the page names', () => {
    expect(blocks.map(idsOf)).toEqual([['vault-eu'], ['team-a', 'team-b'], ['aws-payments'], ['internal', 'keys-us']])
  })

  it('goes with all others in one server', () => {
    expect(idsOf(blocks.join('\n'))).toHaveLength(6)
  })
})
