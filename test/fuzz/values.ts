/**
 * Values as a JSON schema wants them, and pieces that no schema wants.
 *
 * @module
 */
import fc from 'fast-check'
import { learned } from './learned.ts'

/** A JSON schema, as far as `docs/reference/api/openapi.json` uses it. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: Schema | boolean
  propertyNames?: Schema
  items?: Schema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  pattern?: string
  format?: string
}

/** Values for fields whose schema is plain text, by name: some exist, some do not. */
const KNOWN: Record<string, string[]> = {
  resource: ['prod/*', '**', 'open/**', 'prod/db'],
  principal: ['admin', 'reader', 'nobody', '*'],
  from: ['admin', 'reader'],
  references: ['postern://default/prod/db', 'postern://default/open/a?version=1', 'postern://default/none#/a/b'],
  addresses: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
  url: ['https://hooks.example/x'],
  issuer: ['https://id.example.com'],
  hook: ['hook'],
  id: [learned('id'), 'hook'],
  hash: [learned('hash')],
  accessor: [learned('accessor')],
  code: ['123456'],
  audience: ['postern'],
}

/** Pieces of JSON, as text, each a way in which a parser, a store or a log was broken before. */
export function hostileJson(stray: string): string[] {
  return [
    ...['null', 'true', '[]', '{}', '""', '0', '-0', '-1', '1.5', '1e400', '-1e400', '1e-400', '9007199254740993'],
    ...[`${'9'.repeat(400)}`, '{"a":1,"a":2}', '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{}}}'],
    ...['{"toString":1}', '{"hasOwnProperty":1}', '{"then":1}', '{"length":-1}', '{"\\u005f_proto__":1}'],
    ...['"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"a\\u0000b"', '"\\r\\nX-Evil: 1"', '"\\u2028\\u2029"'],
    ...[
      '"\\u001b[2J"',
      '"\\u202e"',
      '"\u00e9 e\u0301"',
      '"\\ufeff"',
      `"${'a'.repeat(70_000)}"`,
      `"${'\\u0041'.repeat(2000)}"`,
    ],
    ...[
      '"../../etc/passwd"',
      '"%2e%2e%2f"',
      '"..%5c"',
      '"\\\\..\\\\"',
      '"a//b"',
      '"a/./b"',
      '"/"',
      '"."',
      '"__proto__"',
    ],
    ...['"postern://default/prod/db"', '"postern://other/prod/db"', '"postern://default/__proto__"', '"*"', '"**"'],
    ...['"http://169.254.169.254/"', '"javascript:alert(1)"', '"file:///etc/passwd"', '"https://a:b@c.example/"'],
    ...['"9999-12-31T23:59:59Z"', '"0000-01-01T00:00:00Z"', '"2026-02-30T00:00:00Z"', '"P99999999999Y"', '"PT0S"'],
    ...[`${'['.repeat(33)}${']'.repeat(33)}`, `${'['.repeat(50_000)}`, `{"a":${'{"a":'.repeat(40)}1${'}'.repeat(41)}`],
    `[${Array.from({ length: 1500 }, (_, i) => `"${i}"`).join(',')}]`,
    ...[
      JSON.stringify(stray),
      '{',
      '}',
      '"',
      ',',
      '\u0000',
      '1 2',
      'NaN',
      'Infinity',
      'undefined',
      "'a'",
      '/**/1',
      '01',
    ],
  ]
}

/** Texts for a header, a query or a path: what of them a client cannot send is left out there. */
export function hostileText(stray: string): string[] {
  return [
    ...[
      '',
      ' ',
      '.',
      '..',
      '../..',
      './a',
      'a/../b',
      'a//b',
      '/',
      '\\',
      '..\\..',
      '%2e%2e',
      '%2f',
      '%5c',
      '%00',
      '%',
      '%zz',
    ],
    ...[
      '%252e%252e%252f',
      '%c0%ae%c0%ae',
      '%u002e',
      '%0d%0aX-Evil:1',
      ';',
      '?',
      '#',
      '*',
      '**',
      '-1',
      '0',
      '1e3',
      '+1',
    ],
    ...['00', '0x10', '9007199254740993', '9'.repeat(40), 'NaN', 'null', 'undefined', 'true', '[]', '{}', '__proto__'],
    ...[
      'constructor',
      'toString',
      'a'.repeat(513),
      'a'.repeat(5000),
      '\u00e9',
      'e\u0301',
      '\u0130',
      '\uff0e\uff0e',
      '\u202e',
    ],
    ...['"', '""', '"1"', 'W/"1"', '"1", "2"', "'", '<script>', '${7*7}', "' OR 1=1--", '\u0000', '\r\n', '\ud800'],
    ...['0/000.p/1', '0/x001/000', '64/000', '0/000.p/256', '0/-1', 'ask', 'eyJhbGciOiJub25lIn0..', stray],
  ]
}

/** Makes values that a schema takes, as far as a schema can say. */
export function valuesOf(schema: Schema, root: Record<string, Schema>, field = ''): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return valuesOf(root[schema.$ref.split('/').at(-1)!]!, root, field)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return fc.oneof(...choices.map((one) => valuesOf(one, root, field)))
  switch (schema.type) {
    case 'object':
      return objectsOf(schema, root)
    case 'array': {
      const { items = {}, minItems = 0, maxItems = 5 } = schema
      return fc.array(valuesOf(items, root, field), {
        minLength: minItems,
        maxLength: Math.min(maxItems, minItems + 4),
      })
    }
    case 'string':
      return textsOf(schema, field)
    case 'integer':
    case 'number':
      return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 1e9, Number.MAX_SAFE_INTEGER) })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function objectsOf({ properties, required, ...rest }: Schema, root: Record<string, Schema>): fc.Arbitrary<unknown> {
  if (properties === undefined) {
    const { additionalProperties, propertyNames = { type: 'string' } } = rest
    const value = typeof additionalProperties === 'object' ? valuesOf(additionalProperties, root) : fc.jsonValue()
    return fc.dictionary(textsOf(propertyNames, ''), value, { maxKeys: 4, noNullPrototype: true })
  }
  const record = Object.entries(properties).map(([name, one]) => [name, valuesOf(one, root, name)] as const)
  return fc.record(Object.fromEntries(record), { requiredKeys: required ?? [] })
}

function textsOf({ pattern, format, minLength = 0, maxLength = 20 }: Schema, field: string): fc.Arbitrary<string> {
  if (KNOWN[field] !== undefined) return fc.constantFrom(...KNOWN[field])
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  const matching = pattern === undefined ? null : matches(pattern)
  if (matching !== null) return matching
  return fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 20), unit: 'grapheme' })
}

/** Not every pattern can be turned around: one that looks ahead cannot. */
function matches(pattern: string): fc.Arbitrary<string> | null {
  if (pattern.includes('(?=') || pattern.includes('(?!')) return null
  return fc.stringMatching(new RegExp(pattern))
}

/** JSON text with one of its parts, or all of it, replaced by something hostile. */
export function spoiled(value: unknown, at: number, piece: string): string {
  let count = 0
  const mark = 'the part that is replaced'
  const total = countParts(value)
  const text = JSON.stringify(value, (_, part) => (count++ === at % total ? mark : part))
  return text === undefined ? piece : text.replace(JSON.stringify(mark), () => piece)
}

function countParts(value: unknown): number {
  let count = 0
  JSON.stringify(value, (_, part) => {
    count++
    return part
  })
  return Math.max(1, count)
}
