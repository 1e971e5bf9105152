import { describe, expect, it } from 'vitest'
import type * as z from 'zod/mini'
import { PosternError } from '../../../../core/errors.ts'
import * as wire from '../../../../core/wire/index.ts'
import { canary, leaks } from '../../../support/canary.ts'

/** The field and the message that a body is refused with; `null` when it is accepted. */
function refused(shape: z.ZodMiniType, input: unknown): [string | undefined, string] | null {
  try {
    wire.check(shape, input)
    return null
  } catch (error) {
    expect(error).toBeInstanceOf(PosternError)
    const { code, detail, message } = error as PosternError
    expect(code).toBe('bad_request')
    return [detail.field, message]
  }
}

const chain = { resource: 'a/**', members: [{ provider: 'aws' }] }
const rule = { effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' }
const rotation = { generate: { kind: 'password' } }

describe('a body of the wrong shape', () => {
  it.each<[string, z.ZodMiniType, unknown, string, string]>([
    ['a missing field', wire.PutSecret, {}, 'value', 'Is missing'],
    ['a misspelt field', wire.PutSecret, { values: 'x' }, 'value', 'Is missing. Unknown field: values'],
    ['an unknown field', wire.CreateToken, { principal: 'x', ttl: 3600 }, 'body', 'Unknown field: ttl'],
    ['a number for a string', wire.PutSecret, { value: 5 }, 'value', 'Must be a string'],
    ['null for a string', wire.PutSecret, { value: null }, 'value', 'Must be a string'],
    ['a list for an object', wire.PutSecret, [], 'body', 'Must be an object'],
    ['text for an object', wire.PutSecret, 'x', 'body', 'Must be an object'],
    ['an object for a list', wire.Hydrate, { references: {} }, 'references', 'Must be a list'],
    ['a missing list', wire.Hydrate, {}, 'references', 'Is missing'],
    ['an empty list', wire.Hydrate, { references: [] }, 'references', 'Must not be empty'],
    ['a number in a list', wire.Hydrate, { references: ['a', 5] }, 'references.1', 'Must be a string'],
    [
      'a long text in a list',
      wire.Hydrate,
      { references: ['a'.repeat(1025)] },
      'references.0',
      'Must have at most 1024 characters',
    ],
    ['a wrong literal', wire.PutSecret, { value: 'x', encoding: 'hex' }, 'encoding', 'Must be base64'],
    ['a wrong option', wire.PutPrincipal, { kind: 'robot' }, 'kind', 'Must be user or service'],
    ['a missing option', wire.PutPrincipal, {}, 'kind', 'Is missing'],
    ['text for a flag', wire.PutPrincipal, { kind: 'user', disabled: 'yes' }, 'disabled', 'Must be true or false'],
    [
      'a time without a zone',
      wire.PutSecret,
      { value: 'x', expiresAt: '2026-01-31 12:00' },
      'expiresAt',
      'Must be a time in ISO 8601, such as 2026-01-31T12:00:00Z',
    ],
    ['a fraction', wire.DestroySecret, { version: 1.5 }, 'version', 'Must be a whole number'],
    ['zero for a version', wire.DestroySecret, { version: 0 }, 'version', 'Must be at least 1'],
    ['text for a number', wire.PutChain, { ...chain, cacheSeconds: '60' }, 'cacheSeconds', 'Must be a number'],
    [
      'a number that is too large',
      wire.PutChain,
      { ...chain, cacheSeconds: 3601 },
      'cacheSeconds',
      'Must be at most 3600',
    ],
    [
      'an unknown field in a list',
      wire.PutChain,
      { ...chain, members: [{ provider: 'aws', region: 'x' }] },
      'members.0',
      'Unknown field: region',
    ],
    ['a missing field in a list', wire.PutChain, { ...chain, members: [{}] }, 'members.0.provider', 'Is missing'],
    [
      'an unknown condition',
      wire.PutRule,
      { ...rule, conditions: { ip: '10.0.0.1' } },
      'conditions',
      'Unknown field: ip',
    ],
    [
      'a wrong weekday',
      wire.PutRule,
      { ...rule, conditions: { days: ['monday'] } },
      'conditions.days.0',
      'Must be a number',
    ],
    ['a wrong recipe', wire.PutRotation, { ...rotation, generate: { kind: 'pin' } }, 'generate.kind', 'Must be '],
    ['a wrong grace period', wire.PutRotation, { ...rotation, graceSeconds: 'x' }, 'graceSeconds', 'Must be a number'],
    ['a tag that is a number', wire.PutSecret, { value: 'x', tags: { a: 1 } }, 'tags', 'Must be a string'],
    [
      'a tag with a long name',
      wire.PutSecret,
      { value: 'x', tags: { ['a'.repeat(129)]: 'x' } },
      'tags',
      'Must have at most 128 characters',
    ],
  ])('names %s and the rule', (_, shape, input, field, message) => {
    const [at, said] = refused(shape, input) ?? []
    expect(at).toBe(field)
    expect(said?.startsWith(message), said).toBe(true)
  })

  it('never speaks of inputs and received types, nor shows a value or an odd name', () => {
    const secret = canary()
    const plain = secret.replace(/[^A-Za-z0-9]/g, '')
    const values = [secret, plain, { [secret]: 1 }, { [plain]: secret }, [secret], 5, null, true]
    const shapes = Object.entries(wire).flatMap(([name, shape]) =>
      typeof shape === 'object' && '_zod' in shape ? [[name, shape as unknown as z.ZodMiniType] as const] : [],
    )
    expect(shapes.length).toBeGreaterThan(60)
    for (const [name, shape] of shapes) {
      const fields = 'shape' in shape ? Object.keys(shape.shape as object) : []
      const bodies = [...values, ...fields.flatMap((field) => values.map((value) => ({ [field]: value })))]
      for (const body of bodies) {
        const said = refused(shape, body)
        if (said === null) continue
        expect(leaks(JSON.stringify(said), [secret, plain]), name).toEqual([])
        expect(said.join(), name).not.toMatch(/input|received|expected|NaN|undefined|\[object|Invalid/)
      }
    }
  })

  it('names the first of several unknown fields, and none that could be a credential', () => {
    expect(wire.unknown('field', 'expiresIn')).toBe('Unknown field: expiresIn')
    for (const odd of [
      '',
      'a b',
      'a'.repeat(33),
      '1a',
      'a\u202eb',
      '3f9d27aa01bc',
      'AKIAIOSFODNN7EXAMPLE',
      '__proto__x"',
    ]) {
      expect(wire.unknown('parameter', odd)).toBe('Unknown parameter')
    }
  })
})
