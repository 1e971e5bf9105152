/**
 * The trusts of `docs/how-to/workload-issuers.md`, each against tokens of the shape that its platform documents.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { verifyAssertion } from '../../../../core/authentication/federation.ts'
import { IssuerKeys } from '../../../../core/authentication/issuer_keys.ts'
import type { Issuer } from '../../../../core/vault/access/issuer_store.ts'
import { check, PutIssuer } from '../../../../core/wire/index.ts'
import { openVault, tokenHashOf } from '../../../support/core.ts'
import { KEYS, NOW, type Part, SECONDS, tokenWith } from './issuer_fixture.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../../../docs/how-to/workload-issuers.md'), 'utf8')

/** The trusts on the page, by heading. */
const TRUSTS = new Map(
  [...PAGE.matchAll(/^## ([^\n]+)\n(?:(?!\n## )[\s\S])*?```json\n([\s\S]*?)\n```/gm)].map(([, heading, json]) => [
    heading!,
    JSON.parse(json!) as Part,
  ]),
)

interface Platform {
  /** A token that its trust accepts, apart from `iss`, `aud`, `exp` and `iat`. */
  claims: Part
  header?: Part
  /** Tokens of its neighbours: each changes some claims. */
  neighbours: [string, Part][]
}

const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const OTHER = '00000000-0000-4000-8000-000000000000'
const kubernetes = {
  sub: 'system:serviceaccount:billing:api',
  jti: OTHER,
  nbf: SECONDS,
  'kubernetes.io': {
    namespace: 'billing',
    node: { name: 'node-1', uid: OTHER },
    pod: { name: 'api-7d9f', uid: OTHER },
    serviceaccount: { name: 'api', uid: 'f3b0c1de-7c1f-4f3c-9b50-0a2f1c9a8e11' },
    warnafter: SECONDS + 3607,
  },
}
const inCluster = (change: Part) => ({ 'kubernetes.io': { ...kubernetes['kubernetes.io'], ...change } })
const MIRID =
  '/subscriptions/5c1f/resourcegroups/billing/providers/Microsoft.ManagedIdentity/userAssignedIdentities/api'
const AWS = 'https://sts.amazonaws.com/'

const PLATFORMS: Record<string, Platform> = {
  'GitHub Actions': {
    claims: {
      ...{ sub: 'repo:example/app:ref:refs/heads/main', repository: 'example/app', repository_id: '123456789' },
      ...{ repository_owner: 'example', repository_owner_id: '65', ref: 'refs/heads/main', ref_type: 'branch' },
      ...{ event_name: 'push', actor: 'ann', run_id: '1', sha: 'a1', workflow: 'deploy', nbf: SECONDS - 5, jti: OTHER },
    },
    neighbours: [
      ['another repository of the same name', { repository_id: '987654321' }],
      ['another branch', { ref: 'refs/heads/dev' }],
      ['a pull request', { event_name: 'pull_request', ref: 'refs/pull/1/merge' }],
      ['a pull request that runs with secrets', { event_name: 'pull_request_target' }],
    ],
  },
  GitLab: {
    claims: {
      ...{ sub: 'project_path:example/app:ref_type:branch:ref:main', project_id: '4711', project_path: 'example/app' },
      ...{ namespace_id: '72', ref: 'main', ref_type: 'branch', ref_path: 'refs/heads/main', ref_protected: 'true' },
      ...{ groups_direct: ['example/ops'], pipeline_source: 'push', user_login: 'ann', nbf: SECONDS - 5, jti: OTHER },
    },
    neighbours: [
      ['another project', { project_id: '4712' }],
      ['a tag of the same name', { ref_path: 'refs/tags/main', ref_type: 'tag' }],
      ['a branch that is not protected', { ref_protected: 'false' }],
    ],
  },
  Kubernetes: {
    claims: kubernetes,
    neighbours: [
      ['another namespace', inCluster({ namespace: 'default' })],
      ['a service account that was made again', inCluster({ serviceaccount: { name: 'api', uid: OTHER } })],
      ['a legacy token', { 'kubernetes.io': undefined }],
    ],
  },
  'Kubernetes without a reachable API server': {
    claims: { ...kubernetes, aud: ['https://kubernetes.default.svc.cluster.local', 'https://secrets.example.com'] },
    neighbours: [
      ['another service account', { sub: 'system:serviceaccount:billing:web' }],
      ['another namespace', { sub: 'system:serviceaccount:default:api' }],
      ['the API server alone', { aud: ['https://kubernetes.default.svc.cluster.local'] }],
    ],
  },
  'Entra ID, v1 tokens': {
    claims: {
      ...{ sub: '5b5f2a1e-1f0e-4b9d-8e0e-6a9e2c0f7b11', oid: '5b5f2a1e-1f0e-4b9d-8e0e-6a9e2c0f7b11', tid: TENANT },
      ...{ appid: '1b730954', appidacr: '2', idp: `https://sts.windows.net/${TENANT}/`, ver: '1.0', nbf: SECONDS },
    },
    neighbours: [
      ['another principal', { oid: OTHER }],
      ['another tenant', { tid: OTHER }],
      ['the issuer of another tenant', { iss: `https://sts.windows.net/${OTHER}/` }],
      ['the issuer without its slash', { iss: `https://sts.windows.net/${TENANT}` }],
    ],
  },
  'Entra ID, v2 tokens': {
    claims: {
      ...{ sub: 'AAAA', oid: OTHER, tid: TENANT, azp: '1b730954-1685-4b74-9bfd-dac224a7b894', azpacr: '2' },
      ...{ roles: ['Metrics.Read', 'Secrets.Read'], ver: '2.0', nbf: SECONDS, uti: 'x' },
    },
    neighbours: [
      ['another application', { azp: OTHER }],
      ['another role', { roles: ['Secrets.Read.All'] }],
      ['no roles', { roles: undefined }],
      ['roles in one text', { roles: 'Metrics.Read Secrets.Read' }],
      ['the issuer of any tenant', { iss: 'https://login.microsoftonline.com/{tenantid}/v2.0' }],
    ],
  },
  'Azure managed identity': {
    claims: {
      ...{ sub: '0c1f4c55-7a35-43b6-9d0e-6c1f4c557a35', oid: '0c1f4c55-7a35-43b6-9d0e-6c1f4c557a35', tid: TENANT },
      ...{
        appid: 'a1',
        idtyp: 'app',
        xms_mirid: MIRID,
        iat: SECONDS - 18_000,
        nbf: SECONDS - 18_000,
        exp: SECONDS + 68_400,
      },
    },
    neighbours: [
      ['another identity', { oid: OTHER }],
      ['an identity of another group', { xms_mirid: MIRID.replace('/billing/', '/web/') }],
      ['a token older than a day', { iat: SECONDS - 90_000 }],
    ],
  },
  'Google Cloud': {
    claims: {
      ...{
        sub: '113328930512345678901',
        azp: '113328930512345678901',
        email: 'api@billing-prod.iam.gserviceaccount.com',
      },
      ...{
        email_verified: true,
        google: { compute_engine: { project_id: 'billing-prod', instance_id: '7', zone: 'z' } },
      },
    },
    neighbours: [
      ['another service account', { sub: '113328930512345678902' }],
      ['another project', { google: { compute_engine: { project_id: 'web-prod' } } }],
      ['a token in the format standard', { google: undefined }],
    ],
  },
  Okta: {
    claims: {
      sub: '0oa1a2b3c4d5e6f7g8h9',
      cid: '0oa1a2b3c4d5e6f7g8h9',
      ver: 1,
      jti: 'AT.x',
      scp: ['openid', 'secrets:read'],
    },
    header: { typ: undefined },
    neighbours: [
      ['another client', { cid: '0oaother', sub: '0oaother' }],
      ['another scope', { scp: ['secrets:read:all'] }],
      ['another authorization server', { iss: 'https://example.okta.com/oauth2/default' }],
    ],
  },
  Auth0: {
    claims: {
      ...{ sub: 'wXh1a2b3c4d5e6f7g8h9i0jklmnopqrs@clients', azp: 'wXh1a2b3c4d5e6f7g8h9i0jklmnopqrs' },
      ...{ gty: 'client-credentials', scope: 'read:secrets', iat: SECONDS - 7200, exp: SECONDS + 79_200 },
    },
    header: { typ: 'at+jwt' },
    neighbours: [
      ['another client', { azp: 'other' }],
      [
        'a person',
        {
          gty: undefined,
          sub: 'auth0|1',
          aud: ['https://secrets.example.com', 'https://example.eu.auth0.com/userinfo'],
        },
      ],
      ['a grant of a password', { gty: 'password' }],
    ],
  },
  Buildkite: {
    claims: {
      ...{ sub: 'organization:example:pipeline:app:ref:refs/heads/main:commit:a1:step:deploy', nbf: SECONDS },
      ...{
        organization_slug: 'example',
        pipeline_slug: 'app',
        build_number: 1,
        build_branch: 'main',
        build_commit: 'a1',
      },
      ...{
        step_key: 'deploy',
        job_id: OTHER,
        agent_id: OTHER,
        organization_id: OTHER,
        runner_environment: 'self-hosted',
      },
      pipeline_id: '0184990a-477b-4fa8-9968-496074483k71',
    },
    neighbours: [
      ['another pipeline', { pipeline_id: OTHER }],
      ['another branch', { build_branch: 'dev' }],
      ['a token without the claim', { pipeline_id: undefined }],
    ],
  },
  CircleCI: {
    claims: {
      sub: `org/8f2b/project/c9a1/user/${OTHER}`,
      'oidc.circleci.com/project-id': 'c9a1f4d2-0b7e-4c55-8a35-43b69d0e6c1f',
      'oidc.circleci.com/context-ids': [OTHER, '5d1e7a90-3c2b-4f6d-8e9f-0a1b2c3d4e5f'],
      'oidc.circleci.com/vcs-origin': 'github.com/example/app',
      'oidc.circleci.com/vcs-ref': 'refs/heads/main',
      'oidc.circleci.com/ssh-rerun': false,
    },
    neighbours: [
      ['another project', { 'oidc.circleci.com/project-id': OTHER }],
      ['another context', { 'oidc.circleci.com/context-ids': [OTHER] }],
      ['no context', { 'oidc.circleci.com/context-ids': [] }],
      ['a job with a shell', { 'oidc.circleci.com/ssh-rerun': true }],
      ['another branch', { 'oidc.circleci.com/vcs-ref': 'refs/heads/dev' }],
      ['another organization', { iss: `https://oidc.circleci.com/org/${OTHER}` }],
    ],
  },
  'HCP Terraform': {
    claims: {
      ...{ sub: 'organization:example:project:app:workspace:prod:run_phase:apply', jti: OTHER, nbf: SECONDS },
      ...{ terraform_organization_id: 'org-GRNbCjYNpBB6NEBH', terraform_project_id: 'prj-vegSA59s1XPwMr2t' },
      ...{
        terraform_workspace_id: 'ws-mbsd5E3Ktt5Rg2Xm',
        terraform_run_phase: 'apply',
        terraform_run_id: 'run-X3n1AUXNGWbfECsJ',
      },
    },
    neighbours: [
      ['a plan', { terraform_run_phase: 'plan' }],
      ['another workspace', { terraform_workspace_id: 'ws-other' }],
    ],
  },
  'Bitbucket Pipelines': {
    claims: {
      ...{
        sub: '{c9a1f4d2-0b7e-4c55-8a35-43b69d0e6c1f}:{step}',
        repositoryUuid: '{c9a1f4d2-0b7e-4c55-8a35-43b69d0e6c1f}',
      },
      ...{ branchName: 'main', workspaceUuid: '{w}', pipelineUuid: '{p}', stepUuid: '{step}' },
    },
    neighbours: [
      ['another repository', { repositoryUuid: `{${OTHER}}` }],
      ['the uuid without its braces', { repositoryUuid: 'c9a1f4d2-0b7e-4c55-8a35-43b69d0e6c1f' }],
      ['another branch', { branchName: 'main2' }],
      ['a tag', { branchName: undefined }],
      [
        'several audiences',
        { aud: ['ari:cloud:bitbucket::workspace/8f2b7c1a-6c52-4f9e-9a0a-0d0c8f2b7c1a', 'https://other.example'] },
      ],
    ],
  },
  Vercel: {
    claims: {
      ...{
        sub: 'owner:example:project:web:environment:production',
        scope: 'owner:example:project:web:environment:production',
      },
      ...{ owner: 'example', owner_id: 'team_1', project: 'web', project_id: 'prj_7Q4Yv1Qq0nB2fX8mZp3K9sLd' },
      ...{ environment: 'production', nbf: SECONDS, exp: SECONDS + 43_200 },
    },
    neighbours: [
      ['a preview', { environment: 'preview' }],
      ['another project', { project_id: 'prj_other' }],
      ['another team', { iss: 'https://oidc.vercel.com/other' }],
    ],
  },
  Fly: {
    claims: {
      ...{
        sub: 'example:billing-api:green-sun-1',
        app_id: '2671581',
        app_name: 'billing-api',
        org_id: '3671581',
        org_name: 'example',
      },
      ...{ machine_id: '3d8d377ce9e398', machine_name: 'green-sun-1', image: 'x', region: 'fra', nbf: SECONDS },
    },
    neighbours: [
      ['another app', { app_name: 'billing-web' }],
      ['another app of the same name', { app_id: '1' }],
      ['another organization', { org_id: '1' }],
    ],
  },
  'AWS outbound identity federation': {
    claims: {
      sub: 'arn:aws:iam::123456789012:role/billing-api',
      jti: OTHER,
      [AWS]: {
        aws_account: '123456789012',
        source_region: 'eu-central-1',
        org_id: 'o-1',
        principal_tags: { environment: 'production' },
      },
    },
    neighbours: [
      ['another role', { sub: 'arn:aws:iam::123456789012:role/billing-web' }],
      ['another account', { sub: 'arn:aws:iam::210987654321:role/billing-api' }],
      ['another tag', { [AWS]: { principal_tags: { environment: 'staging' } } }],
      ['a tag of the request', { [AWS]: { request_tags: { environment: 'production' } } }],
    ],
  },
  SPIFFE: {
    claims: { sub: 'spiffe://example.org/ns/billing/sa/api', iat: undefined },
    header: { typ: 'JOSE' },
    neighbours: [
      ['another workload', { sub: 'spiffe://example.org/ns/billing/sa/web' }],
      ['another trust domain', { sub: 'spiffe://example.com/ns/billing/sa/api' }],
      ['a path below', { sub: 'spiffe://example.org/ns/billing/sa/api/x' }],
    ],
  },
}

/** Signs in with a token of a platform under the trust on the page: `ok`, or the claim that is not accepted. */
async function signIn(heading: string, change: Part = {}): Promise<string> {
  const { claims, header } = PLATFORMS[heading]!
  const put = check(PutIssuer, TRUSTS.get(heading))
  // The key on the page is that of an example.
  const trust: Issuer = { ...put, id: 'ci', ...(put.jwks && { jwks: { keys: KEYS } }) }
  const keys = new IssuerKeys({
    fetch: async ({ url }) =>
      Response.json(
        url.endsWith('/keys') ? { keys: KEYS } : { issuer: trust.issuer, jwks_uri: 'https://id.example/keys' },
      ),
  })
  const token = tokenWith({ iss: trust.issuer, aud: trust.audience, ...claims, ...change }, header)
  const verified = await verifyAssertion(token, trust, keys, NOW).catch((error) => String(error.flaw))
  if (typeof verified === 'string') return verified
  const bench = openVault()
  bench.enrol(trust.principal)
  const { revision } = bench.granted('admin', 'issuer.put', trust)
  const input = { hash: tokenHashOf('x'), accessor: 'x', jkt: null, candidates: [{ id: 'ci', revision }] }
  const caller = { credential: null, proof: null, requestId: 'x', address: '192.0.2.1', agent: null }
  const { claims: all, once, expiresAt: onceExpiresAt } = verified
  const [answer] = bench.execute({
    operation: 'session.federate',
    caller,
    input: { ...input, claims: all, once, onceExpiresAt },
  })
  return answer!.ok ? 'ok' : String(bench.log().at(-1)!.facts.claim)
}

describe('the trusts on the page', () => {
  it('are those of all platforms', () => {
    expect([...TRUSTS.keys()]).toEqual(Object.keys(PLATFORMS))
  })

  const neighbours = Object.entries(PLATFORMS).flatMap(([heading, { neighbours }]) =>
    neighbours.map(([what, change]): [string, string, Part] => [heading, what, change]),
  )
  it.each(Object.keys(PLATFORMS))('%s: accepts the token of its workload', async (heading) => {
    expect(await signIn(heading)).toBe('ok')
  })

  it.each(neighbours)('%s: refuses %s', async (heading, _, change) => {
    expect(await signIn(heading, change)).toMatch(/^(?!ok$|undefined$|null$)./)
  })

  it.each(Object.keys(PLATFORMS))('%s: refuses a token for another server', async (heading) => {
    expect(await signIn(heading, { aud: 'https://other.example' })).toBe('audience')
  })
})
