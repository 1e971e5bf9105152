/** Identities that a platform gives, from settings to the requests for credentials. */
import { describe, expect, it } from 'vitest'
import { configuredProviders, type LocalFiles } from '../../../../core/provider_registry/from_settings.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { leaks } from '../../../support/canary.ts'
import { kindOf } from '../../../support/codes.ts'
import { bytesOf, refusalFrom, shownBy } from '../../../support/core.ts'

const TOKEN = 'canary-of-a-projected-token-0123456789'
type Given = Record<string, string>

/** Makes the provider of these settings on a platform, and returns the first request of a read. */
async function firstRequest(given: Given, platform: Given, files: Given = {}, name = 'prod--db') {
  const asked: Request[] = []
  const fetch = async (request: Request) => {
    asked.push(request)
    return new Response('', { status: 500 })
  }
  const provider = made(given, platform, files, fetch)
  expect(await kindOf(provider.get(name, { signal: AbortSignal.timeout(5000) }))).toBe('unavailable')
  return asked[0]!
}

function made(given: Given, platform: Given, files: Given = {}, fetch?: (request: Request) => Promise<Response>) {
  const environment = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [`POSTERN_PROVIDERS__${key}`, value]),
  )
  const { providers } = parseSettings({ environment: { ...environment, ...platform } })
  const local: LocalFiles = {
    variable: (variable) => platform[variable],
    read: async (path) => (files[path] === undefined ? null : bytesOf(files[path])),
    store: () => {
      throw new TypeError('No file is a store here')
    },
  }
  const [made] = configuredProviders(providers, { files: local, ...(fetch && { fetch }) }).values()
  return made!.provider
}

const AWS = { AWS_REGION: 'eu-central-1' }
const AZURE = { AZURE_VAULT_URL: 'https://keys.vault.azure.net' }
const VAULT = { HASHICORP_VAULT_URL: 'https://vault.example' }
const GOOGLE = { G__KIND: 'google', G__PROJECT: 'project' }

describe('an identity of the platform', () => {
  it('is the role of a pod of EKS, whose token is read from its file at each use', async () => {
    const platform = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/token',
    }
    const { url, headers } = await firstRequest({ ...AWS, AWS_IDENTITY: 'container' }, platform, {
      '/token': `${TOKEN}\n`,
    })
    expect([url, headers.get('authorization')]).toEqual(['http://169.254.170.23/v1/credentials', TOKEN])
  })

  it('is the role of a task of ECS', async () => {
    const platform = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/id' }
    const { url } = await firstRequest({ ...AWS, AWS_IDENTITY: 'container' }, platform)
    expect(url).toBe('http://169.254.170.2/v2/credentials/id')
  })

  it.each([
    [{}, 'http://169.254.169.254/latest/api/token'],
    [{ AWS_METADATA_ENDPOINT: 'http://[fd00:ec2::254]' }, 'http://[fd00:ec2::254]/latest/api/token'],
  ])('is the role of an instance of EC2: %j', async (more, expected) => {
    const { url, method } = await firstRequest({ ...AWS, AWS_IDENTITY: 'instance', ...more }, {})
    expect([method, url]).toEqual(['PUT', expected])
  })

  it('is the managed identity of a virtual machine', async () => {
    const given = { ...AZURE, AZURE_IDENTITY: 'instance', AZURE_CLIENT_ID: 'client' }
    const { url, headers } = await firstRequest(given, {})
    expect(url).toMatch(/^http:\/\/169\.254\.169\.254\/metadata\/identity\/oauth2\/token\?.*client_id=client$/)
    expect(headers.get('metadata')).toBe('true')
  })

  it('is the managed identity of an app', async () => {
    const platform = { IDENTITY_ENDPOINT: 'http://localhost:42356/msi/token', IDENTITY_HEADER: TOKEN }
    const { url, headers } = await firstRequest({ ...AZURE, AZURE_IDENTITY: 'app_service' }, platform)
    expect(new URL(url).origin).toBe('http://localhost:42356')
    expect(headers.get('x-identity-header')).toBe(TOKEN)
  })

  it('is the workload identity of a pod of AKS', async () => {
    const platform = {
      ...{ AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' },
      AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/azure/tokens/azure-identity-token',
    }
    const files = { '/var/run/secrets/azure/tokens/azure-identity-token': TOKEN }
    const request = await firstRequest({ ...AZURE, AZURE_IDENTITY: 'workload' }, platform, files)
    expect(request.url).toBe('https://login.microsoftonline.com/tenant/oauth2/v2.0/token')
    const form = new URLSearchParams(await request.text())
    expect([form.get('client_id'), form.get('client_assertion')]).toEqual(['client', TOKEN])
  })

  it('is the projected token of a pod, for the Kubernetes auth method of Vault', async () => {
    const files = { '/var/run/secrets/kubernetes.io/serviceaccount/token': `${TOKEN}\n` }
    const request = await firstRequest({ ...VAULT, HASHICORP_KUBERNETES_ROLE: 'postern' }, {}, files)
    expect(request.url).toBe('https://vault.example/v1/auth/kubernetes/login')
    expect(await request.json()).toEqual({ role: 'postern', jwt: TOKEN })
  })

  it('is the service account of a machine of Google', async () => {
    const { url } = await firstRequest({ ...GOOGLE, G__IDENTITY: 'instance' }, {})
    expect(url).toMatch(/^http:\/\/169\.254\.169\.254\/computeMetadata\//)
  })

  it('is what a pool of Google trusts, by a file', async () => {
    const audience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q'
    const given = { ...GOOGLE, G__AUDIENCE: audience, G__IDENTITY_TOKEN_FILE: '/token' }
    const request = await firstRequest(given, {}, { '/token': TOKEN })
    expect(request.url).toBe('https://sts.googleapis.com/v1/token')
    expect(new URLSearchParams(await request.text()).get('subject_token')).toBe(TOKEN)
  })

  it.each<[Given, Given, string]>([
    [{ ...AWS, AWS_IDENTITY: 'container' }, {}, 'POSTERN_PROVIDERS__AWS_IDENTITY: AWS_CONTAINER_CREDENTIALS_FULL_URI'],
    [
      { ...AWS, AWS_IDENTITY: 'container' },
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://10.0.0.1/' },
      'POSTERN_PROVIDERS__AWS_IDENTITY: AWS_CONTAINER_CREDENTIALS_FULL_URI: Must be https, or http at a link-local address',
    ],
    [{ ...AZURE, AZURE_IDENTITY: 'app_service' }, {}, 'POSTERN_PROVIDERS__AZURE_IDENTITY: IDENTITY_ENDPOINT'],
    [{ ...AZURE, AZURE_IDENTITY: 'workload' }, {}, 'POSTERN_PROVIDERS__AZURE_IDENTITY: AZURE_FEDERATED_TOKEN_FILE'],
    [
      { ...AWS, AWS_IDENTITY: 'instance', AWS_ACCESS_KEY_ID: 'AKIA' },
      {},
      'AWS_ACCESS_KEY_ID: Must not be set beside IDENTITY',
    ],
    [{ ...AWS, AWS_IDENTITY: 'pod' }, {}, 'POSTERN_PROVIDERS__AWS_IDENTITY: '],
    [{ ...AZURE, AZURE_IDENTITY: 'instance', AZURE_CLIENT_SECRET: TOKEN }, {}, 'AZURE_CLIENT_SECRET: Must not be set'],
    [
      { ...VAULT, HASHICORP_KUBERNETES_ROLE: 'r', HASHICORP_VAULT_TOKEN: TOKEN },
      {},
      'HASHICORP_VAULT_TOKEN: Must not be',
    ],
    [
      { ...AWS, AWS_IDENTITY: 'instance', AWS_METADATA_ENDPOINT: 'http://10.0.0.1' },
      {},
      'AWS_METADATA_ENDPOINT: Must be',
    ],
    [GOOGLE, {}, 'POSTERN_PROVIDERS__G__AUDIENCE: Must be set'],
  ])('is refused with the setting that is wrong: %j', (given, platform, message) => {
    const error = refusalFrom(() => made(given, platform))
    expect(error.message).toContain(message)
    expect(leaks(shownBy(error), [TOKEN])).toEqual([])
  })

  it('is used by no provider whose settings do not name one', () => {
    const platform = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/x', AZURE_FEDERATED_TOKEN_FILE: '/t' }
    expect(refusalFrom(() => made(AWS, platform)).message).toContain('AWS_ACCESS_KEY_ID: Must be set')
  })
})
