import { format, inspect } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { Redacted } from '../../../core/redacted.ts'
import { canary, leaks } from '../../support/canary.ts'
import { bytesOf } from '../../support/core.ts'

const value = canary()
const redacted = new Redacted(value)
const nested = {
  list: [redacted],
  map: new Map([['key', redacted]]),
  error: Object.assign(new Error('x'), { redacted }),
}

describe('Redacted', () => {
  it('reveals its value on request', () => {
    expect(redacted.reveal()).toBe(value)
  })

  it.each<[string, () => string]>([
    ['String()', () => String(redacted)],
    ['a template', () => `${redacted}`],
    ['concatenation', () => ''.concat(redacted as unknown as string)],
    ['addition', () => [redacted as unknown as string].reduce((sum, one) => sum + one, '')],
    ['toString()', () => redacted.toString()],
    ['toLocaleString()', () => redacted.toLocaleString()],
    ['join()', () => [redacted].join()],
    ['JSON.stringify', () => JSON.stringify({ redacted })],
    ['JSON.stringify of itself', () => JSON.stringify(redacted)],
    ['util.inspect', () => inspect(redacted)],
    ['util.inspect of what holds it', () => inspect(nested, { depth: Infinity })],
    ['util.format', () => format('%s %j %o %O %d', redacted, redacted, redacted, redacted, redacted)],
    [
      'the console of Deno',
      () => (redacted as unknown as Record<symbol, () => string>)[Symbol.for('Deno.customInspect')]!(),
    ],
  ])('row 44: shows a placeholder to %s', (_, show) => {
    const shown = show()
    expect(shown).toContain('<redacted>')
    expect(leaks(shown, [value])).toEqual([])
  })

  it.each<[string, () => unknown]>([
    [
      'util.inspect with showHidden and without custom inspection',
      () => inspect(redacted, { showHidden: true, customInspect: false, getters: true }),
    ],
    ['structuredClone', () => inspect(structuredClone(redacted), { showHidden: true })],
    ['a structured clone of what holds it', () => inspect(structuredClone({ list: [redacted] }), { depth: 9 })],
    ['v8.serialize', () => inspect(deserialize(serialize(redacted)), { showHidden: true })],
    ['the bytes of v8.serialize', () => serialize(redacted)],
    ['spread', () => JSON.stringify({ ...redacted })],
    ['Object.assign', () => JSON.stringify(Object.assign({}, redacted))],
    ['its own properties', () => JSON.stringify(Reflect.ownKeys(redacted).map((key) => Reflect.get(redacted, key)))],
    ['its entries', () => JSON.stringify(Object.entries(redacted))],
    [
      'for-in',
      () => {
        let all = ''
        for (const key in redacted) all += String(Reflect.get(redacted, key))
        return all
      },
    ],
    ['an error message', () => new Error(`Failed with ${redacted}`).stack],
  ])('row 44: shows nothing to %s', (_, show) => {
    expect(leaks(show() as string | Uint8Array, [value])).toEqual([])
  })

  it('is not a number, so that arithmetic reveals nothing', () => {
    expect(Number(new Redacted(1234))).toBeNaN()
    expect((new Redacted(1234) as unknown as number) > 1).toBe(false)
  })

  it('does not equal its value, not even loosely', () => {
    // biome-ignore lint/suspicious/noDoubleEquals: the loose comparison converts, which is what is tested
    expect((redacted as unknown) == value).toBe(false)
  })

  it('cannot be changed or extended', () => {
    expect(Object.isFrozen(redacted)).toBe(true)
    expect(() => Object.assign(redacted, { leak: value })).toThrow(TypeError)
  })

  it('hides bytes as well as text', () => {
    const bytes = bytesOf(value)
    const hidden = new Redacted(bytes)
    const shown = `${inspect(hidden, { showHidden: true, customInspect: false })}${JSON.stringify({ hidden })}${hidden}`
    expect(leaks(shown, [value])).toEqual([])
    expect(shown).not.toContain([...bytes.subarray(0, 6)].join(', '))
    expect(hidden.reveal()).toBe(bytes)
  })
})
