/**
 * A JSON Schema in the notation of a type, as HTML.
 *
 * @module
 */

/** A JSON Schema, as far as a page shows it. */
export interface Schema {
  $ref?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  description?: string
  default?: unknown
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
}

/** Writes a schema; names of others are links. */
export function notation(schema: Schema, indent = ''): string {
  const { anyOf, oneOf, allOf, items, properties, additionalProperties } = schema
  if (schema.$ref !== undefined) return link(schema.$ref)
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ')
  const many = anyOf ?? oneOf
  if (many !== undefined) return many.map((one) => notation(one, indent)).join(' | ')
  if (allOf !== undefined) return allOf.map((one) => notation(one, indent)).join(' &amp; ')
  if (items !== undefined) return `${bracketed(notation(items, indent))}[]`
  if (properties !== undefined) return object(properties, schema.required ?? [], indent)
  if (typeof additionalProperties === 'object') return `{ [name]: ${notation(additionalProperties, indent)} }`
  return `${schema.type ?? 'any'}${limits(schema)}`
}

/** Escapes text for HTML. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function link(ref: string): string {
  const name = ref.split('/').at(-1)
  return `<a href="#schema-${name}">${name}</a>`
}

const literal = (value: unknown) => escaped(JSON.stringify(value))

function bracketed(type: string): string {
  return / \| |<i>/.test(type) && !type.startsWith('{') ? `(${type})` : type
}

function object(properties: Record<string, Schema>, required: readonly string[], indent: string): string {
  const deeper = `${indent}  `
  const lines = Object.entries(properties).map(([name, schema]) => {
    const fallback = schema.default === undefined ? '' : ` = ${literal(schema.default)}`
    const said = schema.description === undefined ? '' : `  <i>// ${escaped(schema.description)}</i>`
    const optional = required.includes(name) ? '' : '?'
    return `${deeper}${escaped(name)}${optional}: ${notation(schema, deeper)}${fallback}${said}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

function limits({ format, minimum, maximum, minLength, maxLength }: Schema): string {
  const all = [
    ...(format === undefined ? [] : [format]),
    ...range(minimum, maximum, ''),
    ...range(minLength, maxLength, ' characters'),
  ]
  return all.length === 0 ? '' : ` <i>(${all.join(', ')})</i>`
}

function range(low: number | undefined, high: number | undefined, of: string): string[] {
  return low === undefined && high === undefined ? [] : [`${low ?? ''}…${high ?? ''}${of}`]
}
