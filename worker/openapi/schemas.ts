/**
 * Converts the shapes of `core/wire` to JSON Schemas for the document.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { $ZodObject, $ZodType } from 'zod/v4/core'
import { ERROR_CODES, REFUSALS } from '../../core/errors.ts'
import * as wire from '../../core/wire/index.ts'
import { queryOf, ROUTES } from '../http/route_table.ts'
import * as answers from './answers.ts'
import { CONTRACT } from './contract.ts'

/** A JSON Schema (2020-12), with the keywords that this module reads. */
export interface Schema {
  [keyword: string]: unknown
  properties?: Record<string, Schema>
  required?: string[]
}

/** Any part of the document. */
export type Part = Record<string, unknown>

const REF = '#/components/schemas/'
/** The pattern of a whole number in a query. */
const WHOLE = '^(?:0|[1-9][0-9]{0,15})$'

const NAMES = new Map<unknown, string>(
  Object.entries({ ...wire, ...answers }).flatMap(([name, shape]) =>
    typeof shape === 'object' && '_zod' in shape ? [[shape, name] as const] : [],
  ),
)
const BODIES = new Set(Object.values(CONTRACT).flatMap(({ body }) => body?.shape ?? []) as $ZodType[])
/** Shapes that only requests contain. */
const NESTED_IN_BODIES: readonly unknown[] = [wire.Conditions, wire.Recipe]
/** Shapes with their own place: parameters of many routes, and `audit-entry.schema.json`. */
const ELSEWHERE: readonly unknown[] = [wire.ApprovalHeaders, wire.AuditEntry]
const PARAMETERS: ReadonlySet<unknown> = new Set([
  ...ROUTES.map(({ id }) => queryOf(id)),
  ...Object.values(CONTRACT).map(({ headers }) => headers),
])

/**
 * Creates a reference to the schema of a shape.
 *
 * @throws {RangeError} for a shape that is not exported.
 */
export function reference(shape: $ZodType): Schema {
  const name = NAMES.get(shape)
  if (name === undefined) throw new RangeError('Shape has no name: export it')
  return { $ref: REF + name }
}

/** Creates the schemas of all bodies and answers, by name. */
export function componentSchemas(): Record<string, Schema> {
  const all = [...NAMES].filter(([shape]) => !PARAMETERS.has(shape as $ZodObject) && !ELSEWHERE.includes(shape))
  const inBodies = all.filter(([shape]) => BODIES.has(shape as $ZodType) || NESTED_IN_BODIES.includes(shape))
  const inAnswers = all.filter((one) => !inBodies.includes(one))
  const answered = mapValues(convert(inAnswers), (schema) => opened(withDefaultsThere(schema)))
  const schemas = { ...convert(inBodies), ...answered }
  schemas.Problem = closed(schemas.Problem!)
  return Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Creates the parameters for the shape of a query or of headers. */
export function parametersOf(shape: $ZodObject, place: 'query' | 'header'): Part[] {
  const { properties = {}, required = [] } = tidied(z.toJSONSchema(shape, { io: 'input' })) as Schema
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    ...(required.includes(name) && { required: true }),
    ...(description !== undefined && { description }),
    schema: schema.pattern === WHOLE ? wholeNumber(shape._zod.def.shape[name]!) : schema,
  }))
}

/** Converts the input of each shape, as it travels: the text of a time, not the time. */
function convert(shapes: readonly [unknown, string][]): Record<string, Schema> {
  const registry = z.registry<{ id: string }>()
  for (const [shape, id] of shapes) registry.add(shape as $ZodType, { id })
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => REF + id })
  return mapValues(schemas as Record<string, Schema>, ({ $schema: _, $id: __, ...schema }) => tidied(schema) as Schema)
}

/** Makes fields with a default required: the vault fills them in before it answers. */
function withDefaultsThere(schema: unknown): Schema {
  if (Array.isArray(schema)) return schema.map(withDefaultsThere) as unknown as Schema
  if (typeof schema !== 'object' || schema === null) return schema as never
  const { default: _, ...rest } = schema as Schema
  const { properties, required = [] } = rest
  const changed = mapValues(rest, withDefaultsThere) as Schema
  if (properties === undefined) return changed
  const filled = Object.entries(properties).flatMap(([name, property]) => ('default' in property ? [name] : []))
  const there = new Set([...required, ...filled])
  return { ...changed, ...(there.size > 0 && { required: Object.keys(properties).filter((name) => there.has(name)) }) }
}

/** Allows unknown fields in answers, so that generated clients accept fields that a later version adds. */
function opened(schema: unknown): Schema {
  if (Array.isArray(schema)) return schema.map(opened) as unknown as Schema
  if (typeof schema !== 'object' || schema === null) return schema as never
  const { additionalProperties, ...rest } = schema as Schema
  const kept = additionalProperties === undefined || additionalProperties === false ? {} : { additionalProperties }
  return mapValues({ ...rest, ...kept }, opened) as Schema
}

/** Lists codes and reasons, which the shape leaves open for clients of other versions. */
function closed(problem: Schema): Schema {
  const reasons = Object.keys(REFUSALS).filter((reason) => !(ERROR_CODES as readonly string[]).includes(reason))
  const { code, reason, ...rest } = problem.properties!
  return {
    ...problem,
    properties: { ...rest, code: { ...code, enum: ERROR_CODES }, reason: { ...reason, enum: reasons } },
  }
}

/** Creates the schema of a number in a query, with the bounds of its shape, which it finds by bisection. */
function wholeNumber(shape: $ZodType): Schema {
  const takes = (n: number) => z.safeParse(shape, String(n)).success
  const lowest = [0, 1].find(takes) ?? 0
  let [most, tooMuch] = [lowest, Number.MAX_SAFE_INTEGER]
  while (tooMuch - most > 1) {
    const middle = Math.floor((most + tooMuch) / 2)
    if (takes(middle)) most = middle
    else tooMuch = middle
  }
  const isBounded = !takes(Number.MAX_SAFE_INTEGER)
  const { data: fallback } = z.safeParse(shape, undefined)
  return {
    type: 'integer',
    minimum: lowest,
    ...(isBounded && { maximum: most }),
    ...(fallback !== undefined && { default: fallback }),
  }
}

/** Removes redundant bounds of numbers and patterns of times. */
function tidied(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(tidied)
  if (typeof schema !== 'object' || schema === null) return schema
  const bounds = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER] as unknown[]
  const isTime = (schema as Schema).format === 'date-time'
  const kept = Object.entries(schema).filter(([key, value]) => {
    return key !== '$schema' && !bounds.includes(value) && !(isTime && key === 'pattern')
  })
  return Object.fromEntries(kept.map(([key, value]) => [key, tidied(value)]))
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
