/**
 * Compares answers with the contract as it is checked in: status, headers, content type, and body.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

interface Answer {
  headers?: Record<string, { $ref: string }>
  content: Record<string, { schema: object }>
}

interface Operation {
  operationId: string
  responses: Record<string, Answer & { $ref?: string }>
}

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { responses: Record<string, Answer>; headers: Record<string, { required?: boolean }> }
}

/** The document as it is checked in. */
export const document: Document = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../docs/reference/api/openapi.json'), 'utf8'),
)

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true })
addFormats.default(ajv)
for (const word of ['example', 'discriminator', 'components']) ajv.addKeyword(word)
for (const format of ['base64', 'uri']) ajv.addFormat(format, true)
ajv.addSchema({ $id: 'doc:', components: exact(document.components) } as object, 'doc')

const PATHS = Object.entries(document.paths).map(([path, item]) => ({ path, item, form: formOf(path) }))
const validators = new Map<object, ValidateFunction>()

/** The operation that a request is for; `null` when the contract has none. */
export function operationFor(method: string, pathname: string): Operation | null {
  // Paths without a parameter go first, as they do in the server.
  const found = PATHS.filter(({ form, item }) => form.test(pathname) && method.toLowerCase() in item)
  const [best] = found.toSorted((a, b) => variables(a.path) - variables(b.path))
  return best?.item[method.toLowerCase()] ?? null
}

/**
 * What of an answer is not as the contract says; empty when all is.
 *
 * @param body The whole body, as text.
 */
export function flaws(method: string, url: string, response: Response, body: string): string[] {
  const { pathname } = new URL(url)
  // Outside of vaults HEAD is answered as GET is, without the content.
  const isHead = method === 'HEAD' && response.ok && !pathname.startsWith('/v1/')
  const operation = operationFor(isHead ? 'GET' : method, pathname)
  // No such route: the two answers that every path has.
  if (operation === null) return [404, 405].includes(response.status) ? [] : unlessRefusedBefore(response)
  const { operationId, responses } = operation
  const told = responses[response.status]
  if (told === undefined) return [`${operationId}: status ${response.status} is not in the contract: ${body}`]
  const answer = told.$ref === undefined ? told : document.components.responses[told.$ref.split('/').at(-1)!]!
  const at = `${operationId} ${response.status}`
  const type = response.headers.get('Content-Type')?.split(';')[0] ?? ''
  const content = answer.content[type]
  if (content === undefined) return [`${at}: content type ${type} is not in the contract`]
  const ofBody = isHead ? (body === '' ? [] : ['an answer to HEAD has content']) : bodyFlaws(content.schema, type, body)
  return [...headerFlaws(answer, response.headers), ...ofBody].map((flaw) => `${at}: ${flaw}`)
}

/** Headers that the answer to any operation may have. */
const EVERYWHERE = [
  ...['cache-control', 'content-security-policy', 'cross-origin-resource-policy', 'referrer-policy', 'vary'],
  ...['strict-transport-security', 'x-content-type-options', 'content-type', 'content-length', 'content-encoding'],
  ...['date', 'connection', 'keep-alive', 'transfer-encoding', 'server', 'allow'],
]

function headerFlaws({ headers = {} }: Answer, given: Headers): string[] {
  const known = Object.keys(headers).map((name) => name.toLowerCase())
  const missing = Object.entries(headers).filter(([name, { $ref }]) => {
    return document.components.headers[$ref.split('/').at(-1)!]?.required && !given.has(name)
  })
  const unknown = [...given.keys()].filter((name) => {
    return !known.includes(name) && !EVERYWHERE.includes(name) && !/^(?:access-control-|cf-)/.test(name)
  })
  return [
    ...missing.map(([name]) => `header ${name} is missing`),
    ...unknown.map((name) => `header ${name} is not in the contract`),
  ]
}

function bodyFlaws(schema: object, type: string, body: string): string[] {
  let validate = validators.get(schema)
  if (validate === undefined) {
    validate = ajv.compile(exact(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"doc:#/components'))))
    validators.set(schema, validate)
  }
  const value = type.endsWith('json') && !type.includes('ndjson') ? JSON.parse(body) : body
  if (validate(value)) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `body${instancePath} ${message} ${JSON.stringify(params)}`
  })
}

/** Answers may have more fields one day, says the contract. Those of today have the fields that it names, and no other. */
function exact<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(exact) as T
  if (typeof schema !== 'object' || schema === null) return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, exact(value)]))
  const named = typeof copy.properties === 'object' && copy.type === 'object'
  return { ...(named && { additionalProperties: false }), ...copy } as T
}

/** A request that is refused before routing. */
function unlessRefusedBefore({ status, url }: Response): string[] {
  return [400, 401, 403, 429, 503].includes(status) ? [] : [`${url}: no such route, and status ${status}`]
}

function formOf(path: string): RegExp {
  const form = path.replaceAll(/\{([a-z]+)\}/g, (_, name) => (['name', 'tile'].includes(name) ? '.+' : '[^/]+'))
  return new RegExp(`^${form.replaceAll('.json', '\\.json').replaceAll('style.css', 'style\\.css')}$`)
}

const variables = (path: string) => path.split('{').length
