/** The page on instances: each of its examples is what a server starts with. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { configuredProviders } from '../../../../core/provider_registry/from_settings.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/how-to/providers.md'), 'utf8')
const blocks = [...page.matchAll(/^```sh\n((?:#|POSTERN_)[\s\S]*?)^```/gm)].map(([, block]) => block!)
const platform: Record<string, string> = {
  AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
  AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/azure/tokens/azure-identity-token',
  ...{ AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
}
const files = {
  variable: (name: string) => platform[name],
  read: async () => null,
  store: () => expect.unreachable(),
}
const idsOf = (block: string) => {
  const { providers } = parseSettings({ environment: parseEnv(block) })
  return [...configuredProviders(providers, { files }).keys()]
}

describe('an example of the page on instances', () => {
  it('configures the providers that the page names', () => {
    expect(blocks.map(idsOf)).toEqual([
      ['vault-eu'],
      ['team-a', 'team-b'],
      ['aws-payments'],
      ['internal', 'keys-us'],
      ['gcp'],
      ['aws', 'azure', 'hashicorp'],
    ])
  })

  it('goes with all others in one server', () => {
    expect(idsOf(blocks.join('\n'))).toHaveLength(10)
  })
})
