/**
 * OpenAPI texts for principals, tokens, rules and issuers.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import * as answers from './answers.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const change = { version: 1, updatedAt: at, updatedBy: 'admin' }
const token = {
  ...{ accessor: '00000000-0000-4000-8000-000000000000', principal: 'shop', label: 'CI' },
  ...{ createdAt: at, createdBy: 'admin' },
}
const rule = { effect: 'permit', principal: 'shop', actions: ['read'], resource: 'prod/**' }

/** Routes for access. */
export const access = group(
  'Access',
  'Principals, API tokens, rules and issuers. Access is denied by default. Requires the right `admin`.',
  {
    listPrincipals: { summary: 'List principals', answer: wire.PrincipalList },
    putPrincipal: {
      summary: 'Create or update a principal',
      body: { shape: wire.PutPrincipal, example: { kind: 'service' } },
      answer: wire.Principal,
      example: { id: 'shop', kind: 'service', createdAt: at },
      also: ['conflict'],
      approvable: true,
    },
    listTokens: { summary: 'List API tokens by accessor', answer: wire.TokenList },
    createToken: {
      summary: 'Create an API token',
      description:
        "The answer is the only one that shows the token. With an operator's ticket as the bearer and no body, the token is an administrator's: the first token of an empty vault, or a recovery token.",
      body: { shape: wire.CreateToken, example: { principal: 'shop', label: 'CI' } },
      answer: wire.CreatedToken,
      example: { ...token, token: 'pst_default_example' },
      status: 201,
      also: ['not_found'],
      sealable: true,
      approvable: true,
    },
    revokeToken: {
      summary: 'Revoke an API token',
      answer: wire.TokenInfo,
      example: { ...token, revokedAt: at },
      also: ['not_found', 'conflict'],
    },
    listRules: { summary: 'List rules', answer: wire.RuleList },
    putRule: {
      summary: 'Create or update a rule',
      body: { shape: wire.PutRule, example: rule },
      answer: wire.Rule,
      example: { id: 'shop-reads', ...rule, ...change },
      also: ['conflict'],
      approvable: true,
    },
    deleteRule: { summary: 'Delete a rule', answer: wire.Rule, also: ['not_found', 'conflict'], approvable: true },
    explainRules: {
      summary: 'Explain the decision on a hypothetical request',
      body: { shape: wire.Explain, example: { principal: 'shop', action: 'read', resource: 'prod/db' } },
      answer: wire.Explanation,
      example: {
        ...{ allow: true, rule: 'shop-reads' },
        considered: [{ id: 'shop-reads', effect: 'permit', applies: true }],
      },
      also: ['not_found'],
    },
    listIssuers: { summary: 'List trusted issuers', answer: wire.IssuerList },
    putIssuer: {
      summary: 'Trust an issuer for tokens with given claims',
      body: {
        shape: wire.PutIssuer,
        example: {
          ...{ issuer: 'https://id.example.com', audience: 'postern' },
          ...{ claims: { sub: ['ci-*'] }, principal: 'shop' },
        },
      },
      answer: wire.Issuer,
      also: ['not_found', 'conflict'],
      approvable: true,
    },
    deleteIssuer: {
      summary: 'Remove a trusted issuer',
      answer: wire.Issuer,
      also: ['not_found', 'conflict'],
    },
    listLocks: { summary: 'List lockouts and failed attempts', answer: wire.LockList },
    clearLock: { summary: 'Unlock a principal', answer: answers.ClearedLock, also: ['not_found'] },
    resetFactors: {
      summary: "Reset a principal's second factors and end its sessions",
      answer: wire.EndedSessions,
      also: ['not_found'],
      approvable: true,
    },
  },
)
