/**
 * Generates the OpenAPI 3.1 document.
 *
 * @module
 */

import type { $ZodType } from 'zod/v4/core'
import { NAME, NAME_MAX_LENGTH } from '../../core/name_grammar.ts'
import { ID, VAULT } from '../../core/names.ts'
import { UUID } from '../../core/uuid.ts'
import { ApprovalHeaders } from '../../core/wire/index.ts'
import { queryOf, ROUTES, type Route, VAULT_BASE } from '../http/route_table.ts'
import { CONTRACT, GROUPS } from './contract.ts'
import type { Described, Raw } from './described.ts'
import { OVERVIEW } from './overview.ts'
import { FAILURES, type FailureName, failureResponses, HEADERS, type HeaderName, headersOf } from './responses.ts'
import { componentSchemas, type Part, parametersOf, reference } from './schemas.ts'

const text = (pattern: RegExp, more: object = {}) => ({ type: 'string', pattern: pattern.source, ...more })
const whole = { type: 'integer', minimum: 0 }

/** Path parameters. */
const IN_PATHS: Record<string, { description: string; schema: object; example: string | number }> = {
  vault: { description: 'The id of the vault', schema: text(VAULT), example: 'default' },
  name: {
    description: 'The name of the secret. Case counts. It may be percent-encoded, its slashes too: it is decoded once',
    schema: text(NAME, { maxLength: NAME_MAX_LENGTH }),
    example: 'prod/db',
  },
  id: { description: 'The id of the resource', schema: text(ID), example: 'shop' },
  accessor: {
    description: 'The accessor of the token or session',
    schema: text(UUID),
    example: '00000000-0000-4000-8000-000000000000',
  },
  index: { description: 'The index of the entry in the log, from 0', schema: whole, example: 0 },
  tile: {
    description: 'The level and index of the tile, as in C2SP tlog-tiles. Send the slashes as they are',
    schema: { type: 'string' },
    example: '0/000.p/1',
  },
}

/** Failures of every route of a vault. */
const COMMON: readonly FailureName[] = ['BadRequest', 'Unauthenticated', 'Denied', 'Throttled', 'Failed', 'Unavailable']
const ALSO = { not_found: ['NotFound'], conflict: ['Conflict'], precondition: ['PreconditionFailed'] } as const

/** Generates the document. */
export function openApi(): Part {
  const paths: Record<string, Part> = {}
  for (const route of ROUTES) {
    const path = paths[route.path] ?? pathItem(route.path)
    paths[route.path] = { ...path, [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.1',
    info: {
      ...{ title: 'Postern', version: '1.0.0', summary: 'A zero-trust secrets gateway', description: OVERVIEW },
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The server that serves this document' }],
    security: [{ bearer: [] }, { dpop: [] }],
    tags: GROUPS.map(({ name, description }) => ({ name, description })),
    paths,
    components: {
      schemas: componentSchemas(),
      responses: failureResponses(),
      headers: HEADERS,
      parameters: parameters(),
      securitySchemes: SECURITY,
    },
  }
}

const SECURITY = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API token (`pst_…`), or a session (`pss_…`) without a bound key',
  },
  dpop: {
    type: 'http',
    scheme: 'dpop',
    description: 'A session with a bound key: `Authorization: DPoP pss_…` and a proof in the header `DPoP` (RFC 9449)',
  },
}

function parameters(): Record<string, Part> {
  const inPaths = Object.entries(IN_PATHS).map(([name, about]) => [
    name,
    { name, in: 'path', required: true, ...about },
  ])
  const asked: Record<string, string> = {
    Approval: '`ask` to request approval, or the id of an approved request',
    'Approval-Reason': 'The reason for the request, shown to approvers. Only with `ask`',
  }
  const named = parametersOf(ApprovalHeaders, 'header').map((one) => {
    return [one.name, { ...one, description: asked[String(one.name)] }]
  })
  const proof = 'A proof of possession (RFC 9449) for a session with a bound key, or to bind a new session at sign-in'
  const sealTo =
    'A public JWK in base64url, for which the answer is encrypted as a JWE. A DPoP proof must name its thumbprint'
  return Object.fromEntries([
    ...inPaths,
    ...named,
    ['DPoP', { name: 'DPoP', in: 'header', description: proof, schema: { type: 'string' } }],
    ['Postern-Seal-To', { name: 'Postern-Seal-To', in: 'header', description: sealTo, schema: { type: 'string' } }],
  ])
}

const parameter = (name: string) => ({ $ref: `#/components/parameters/${name}` })

function pathItem(path: string): Part {
  const names = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name!)
  return names.length === 0 ? {} : { parameters: names.map(parameter) }
}

function operation({ id, path }: Route): Part {
  const about: Described = CONTRACT[id]
  const query = queryOf(id)
  const tag = GROUPS.find(({ routes }) => id in routes)!.name
  const ofVault = path.startsWith(VAULT_BASE)
  const given = [
    ...(query ? parametersOf(query, 'query') : []),
    ...(about.headers ? parametersOf(about.headers, 'header') : []),
    ...(ofVault ? ['DPoP'] : []).map(parameter),
    ...(about.sealable ? ['Postern-Seal-To'] : []).map(parameter),
    ...(about.approvable ? ['Approval', 'Approval-Reason'] : []).map(parameter),
  ]
  return {
    operationId: id,
    summary: about.summary,
    ...(about.description !== undefined && { description: about.description }),
    tags: [tag],
    ...(given.length > 0 && { parameters: given }),
    ...(about.body && { requestBody: requestBody(about.body) }),
    responses: { ...successes(about, id, ofVault), ...failures(about, ofVault, id) },
    ...(!ofVault && { security: [] }),
    ...(about.signIn && { security: [{}, { bearer: [] }] }),
  }
}

function requestBody({ shape, optional, example }: NonNullable<Described['body']>): Part {
  const shapes = Array.isArray(shape) ? (shape as $ZodType[]) : [shape as $ZodType]
  const schema = shapes.length === 1 ? reference(shapes[0]!) : { anyOf: shapes.map(reference) }
  return { required: optional !== true, content: { 'application/json': { schema, ...(example && { example }) } } }
}

function successes(about: Described, id: Route['id'], ofVault: boolean): Record<string, Part> {
  const names: HeaderName[] = [
    'Request-Id',
    ...(ofVault ? (['Audit-Index', 'RateLimit', 'RateLimit-Policy', 'DPoP-Nonce', 'Server-Timing'] as const) : []),
    ...(about.answerHeaders ?? []),
  ]
  const done = { description: 'Success', headers: headersOf(names), content: content(about) }
  const answered = { [about.status ?? 200]: done }
  // Acting on a running rotation creates nothing.
  return id === 'rotate' ? { 200: done, ...answered } : answered
}

function content({ answer, example, sealable }: Described): Record<string, Part> {
  if (Array.isArray(answer)) return Object.fromEntries((answer as Raw[]).map(raw))
  const json = { schema: reference(answer as $ZodType), ...(example && { example }) }
  const jwe = 'The JSON above as a JWE in compact serialization, encrypted to the key in `Postern-Seal-To`'
  const sealed = { schema: { type: 'string', description: jwe, pattern: COMPACT_JWE } }
  return { 'application/json': json, ...(sealable && { 'application/jose': sealed }) }
}

const COMPACT_JWE = '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$'

function raw({ type, description }: Raw): [string, Part] {
  if (type === 'application/json') return [type, { schema: { type: 'object', description } }]
  return [type, { schema: { type: 'string', description } }]
}

function failures({ also = [], body }: Described, ofVault: boolean, id: Route['id']) {
  const large = body === undefined ? [] : (['TooLarge', 'UnsupportedMediaType'] as const)
  const own: readonly FailureName[] = ofVault
    ? COMMON
    : id === 'isReady'
      ? ['BadRequest', 'Unavailable']
      : ['BadRequest']
  const absent: readonly FailureName[] = MAY_BE_OFF.includes(id) ? ['NotFound'] : []
  const names = [...own, ...absent, ...also.flatMap((one) => ALSO[one]), ...large]
  const sorted = names.toSorted((a, b) => FAILURES[a].status - FAILURES[b].status)
  return Object.fromEntries(sorted.map((name) => [FAILURES[name].status, { $ref: `#/components/responses/${name}` }]))
}

/** Routes that answer 404 if settings disable them or their files are missing. */
const MAY_BE_OFF: readonly Route['id'][] = ['showMetrics', 'showContract', 'showDocs', 'showDocsStyle']
