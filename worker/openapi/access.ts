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

export const access = group(
  'Access',
  'Principals, their tokens, and the rules: default deny. Needs the right `admin`.',
  {
    listPrincipals: { summary: 'List principals', answer: wire.PrincipalList },
    putPrincipal: {
      summary: 'Make or change a principal',
      body: { shape: wire.PutPrincipal, example: { kind: 'service' } },
      answer: wire.Principal,
      example: { id: 'shop', kind: 'service', createdAt: at },
      also: ['conflict'],
      approvable: true,
    },
    listTokens: { summary: 'List API tokens, by their accessors', answer: wire.TokenList },
    createToken: {
      summary: 'Make an API token, shown this once',
      description:
        "With an operator's ticket as the bearer, and without a body, it makes a token of the administrator: the first one of a vault without principals, or one more of a vault that has them.",
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
      summary: 'Make or change a rule',
      body: { shape: wire.PutRule, example: rule },
      answer: wire.Rule,
      example: { id: 'shop-reads', ...rule, ...change },
      also: ['conflict'],
      approvable: true,
    },
    deleteRule: { summary: 'Delete a rule', answer: wire.Rule, also: ['not_found', 'conflict'], approvable: true },
    explainRules: {
      summary: 'Explain a decision, in circumstances to imagine',
      body: { shape: wire.Explain, example: { principal: 'shop', action: 'read', resource: 'prod/db' } },
      answer: wire.Explanation,
      example: {
        ...{ allow: true, rule: 'shop-reads' },
        considered: [{ id: 'shop-reads', effect: 'permit', applies: true }],
      },
      also: ['not_found'],
    },
    listIssuers: { summary: 'List trusted identity providers', answer: wire.IssuerList },
    putIssuer: {
      summary: 'Trust an identity provider, for tokens with certain claims',
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
      summary: 'Trust an identity provider no more',
      answer: wire.Issuer,
      also: ['not_found', 'conflict'],
    },
    listLocks: { summary: 'List who is locked, and failed attempts', answer: wire.LockList },
    clearLock: { summary: 'Unlock a principal', answer: answers.ClearedLock, also: ['not_found'] },
    resetFactors: {
      summary: "Take a principal's second factors away, and end its sessions",
      answer: wire.EndedSessions,
      also: ['not_found'],
      approvable: true,
    },
  },
)
