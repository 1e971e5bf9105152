/**
 * Requests to every operation of the contract, right in most parts and wrong in some.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { learned } from './learned.ts'
import { hostileJson, hostileText, type Schema, spoiled, valuesOf } from './values.ts'

interface Parameter {
  $ref?: string
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  schema: Schema
}

interface Operation {
  operationId: string
  parameters?: Parameter[]
  requestBody?: { content: { 'application/json': { schema: Schema } } }
}

interface Contract {
  paths: Record<string, { parameters?: Parameter[] } & Record<string, Operation>>
  components: { schemas: Record<string, Schema>; parameters: Record<string, Parameter> }
}

/** A request, as bytes that anything can send. */
export interface FuzzedRequest {
  operation: string
  method: string
  /** Path and query. */
  path: string
  headers: [string, string][]
  body: string | null
}

const METHODS = ['get', 'put', 'post', 'delete'] as const
/** Existing resources, so that some requests get past the first check. */
const PATH_VALUES: Record<string, string[]> = {
  vault: ['default'],
  name: ['prod/db', 'prod%2Fdb', 'prod/canary', 'open/a', 'far/a', 'MyApp/DB_Password', 'none', learned('name')],
  id: ['admin', 'reader', 'hook', 'rule', 'chain', 'none', learned('id'), learned('id')],
  accessor: ['00000000-0000-4000-8000-000000000000', learned('accessor'), learned('accessor')],
  index: ['0', '3', '999999'],
  tile: ['0/000.p/1', '0/000'],
}

export const contract = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../docs/reference/api/openapi.json'), 'utf8'),
) as Contract

/** Every operation of the contract. */
export const operations = Object.entries(contract.paths).flatMap(([path, item]) =>
  METHODS.flatMap((method) => {
    const operation = item[method]
    return operation === undefined ? [] : [{ path, method, operation, shared: item.parameters ?? [] }]
  }),
)

/** The default share of spoiled bodies, in tenths. */
const SPOILED = 5

/**
 * Makes requests.
 *
 * @param stray A canary that slips into any place.
 * @param spoiled Of ten bodies that fit their schema, how many are spoiled: the fewer, the deeper they get.
 */
export function requests(stray: string, spoiled = SPOILED): fc.Arbitrary<FuzzedRequest> {
  return fc.oneof(...operations.map((one) => requestsOf(one, stray, spoiled)))
}

function requestsOf(
  { path, method, operation, shared }: (typeof operations)[number],
  stray: string,
  spoiled: number,
): fc.Arbitrary<FuzzedRequest> {
  const parameters = [...shared, ...(operation.parameters ?? [])].map((given) =>
    given.$ref === undefined ? given : contract.components.parameters[given.$ref.split('/').at(-1)!]!,
  )
  const odd = fc.constantFrom(...hostileText(stray))
  const of = (place: Parameter['in']) => parameters.filter((parameter) => parameter.in === place)
  const usual = ({ name, schema }: Parameter) =>
    PATH_VALUES[name]
      ? fc.constantFrom(...PATH_VALUES[name])
      : valuesOf(schema, contract.components.schemas).map(String)
  const segment = (parameter: Parameter) =>
    fc.oneof({ weight: 60, arbitrary: usual(parameter) }, { weight: spoiled, arbitrary: odd })
  const optional = (parameter: Parameter) =>
    fc.oneof(
      { weight: parameter.required ? 5 : 30, arbitrary: fc.constant(null) },
      { weight: 20, arbitrary: usual(parameter) },
      { weight: spoiled, arbitrary: odd },
    )
  return fc
    .record({
      segments: fc.tuple(...of('path').map(segment)),
      query: fc.tuple(...of('query').map(optional)),
      headers: fc.tuple(...of('header').map(optional)),
      extra: rarely(fc.tuple(fc.constantFrom('Content-Type', 'X-Forwarded-For', 'Host', 'Accept', 'Expect'), odd)),
      extraQuery: rarely(odd),
      body: bodiesOf(operation, stray, spoiled),
    })
    .map(({ segments, query, headers, extra, extraQuery, body }) => {
      const filled = of('path').reduce((text, { name }, i) => text.replace(`{${name}}`, () => segments[i]!), path)
      const pairs = of('query').flatMap(({ name }, i) => (query[i] === null ? [] : [`${name}=${encode(query[i]!)}`]))
      if (extraQuery !== null) pairs.push(extraQuery)
      const named = of('header').flatMap(({ name }, i): [string, string][] =>
        headers[i] === null ? [] : [[name, headers[i]!]],
      )
      const type: [string, string][] = body === null ? [] : [['Content-Type', 'application/json']]
      return {
        operation: operation.operationId,
        method: method.toUpperCase(),
        path: filled + (pairs.length === 0 ? '' : `?${pairs.join('&')}`),
        headers: [...type, ...named, ...(extra === null ? [] : [extra])],
        body,
      }
    })
}

/** One in twenty requests has it: an unknown parameter is refused before anything else is checked. */
function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 19, arbitrary: fc.constant(null) }, { weight: 1, arbitrary })
}

/** A lone surrogate has no encoding. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function bodiesOf({ requestBody }: Operation, stray: string, wrong: number): fc.Arbitrary<string | null> {
  const pieces = fc.constantFrom(...hostileJson(stray))
  if (requestBody === undefined)
    return fc.oneof({ weight: 75, arbitrary: fc.constant(null) }, { weight: wrong, arbitrary: pieces })
  const values = valuesOf(requestBody.content['application/json'].schema, contract.components.schemas)
  return fc.oneof(
    { weight: 50 - 5 * wrong, arbitrary: values.map((value) => JSON.stringify(value)) },
    {
      weight: 5 * wrong,
      arbitrary: fc.tuple(values, fc.nat(40), pieces).map(([value, at, piece]) => spoiled(value, at, piece)),
    },
    { weight: wrong, arbitrary: pieces },
    { weight: wrong, arbitrary: fc.constant(null) },
  )
}
