/** Sizes of values in `PUT secrets/{name}`, however JSON writes them. */
import { describe, expect, it } from 'vitest'
import { MAX_VALUE_BODY_BYTES, MAX_VALUE_BYTES } from '../../../../core/wire/index.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

/** Escapes all but ASCII, as Python's `json.dumps` does. */
const asciiOnly = (json: string) =>
  json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
/** Escapes every character. */
const escaped = (text: string) =>
  `"${[...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`

const CHARACTERS = { quote: '"', control: '\u0001', letter: 'a', accent: 'é', sign: '日', emoji: '\u{1f600}' }
const WRITERS = {
  'JSON.stringify': JSON.stringify,
  'json.dumps': (text: string) => asciiOnly(JSON.stringify(text)),
  escaped,
}

describe('a value of 65,536 bytes', () => {
  it.each(
    Object.entries(CHARACTERS).flatMap(([kind, character]) =>
      Object.entries(WRITERS).map(([writer, write]) => [kind, writer, character, write] as const),
    ),
  )('is kept when it is one %s, written by %s, and refused with one byte more', async (_, __, character, write) => {
    const { send, secret } = await openApp(null)
    const size = new TextEncoder().encode(character).length
    const value = character.repeat(Math.floor(MAX_VALUE_BYTES / size)) + 'x'.repeat(MAX_VALUE_BYTES % size)
    const tags = `{"${'t'.repeat(100)}":${escaped('é'.repeat(256))}}`
    const put = (text: string) =>
      send(secret('big'), { method: 'PUT', body: `{"value":${write(text)},"tags":${tags},"contentType":"text/plain"}` })
    expect((await put(value)).status).toBe(201)
    const { value: found } = (await (await send(secret('big'))).json()) as { value: string }
    expect(found === value).toBe(true)
    const refused = await put(`${value}x`)
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({ field: 'value', limitBytes: MAX_VALUE_BYTES })
  })
})

describe('a body beyond its limit', () => {
  it('is refused with the limits of the body and of a value, and the encoding for bytes', async () => {
    const { send, secret } = await openApp(null)
    const response = await send(secret('big'), {
      method: 'PUT',
      body: `{"value":"${'a'.repeat(MAX_VALUE_BODY_BYTES)}"}`,
    })
    const { field, limitBytes, detail } = (await response.json()) as Record<string, string | number>
    expect([response.status, field, limitBytes]).toEqual([413, 'body', MAX_VALUE_BODY_BYTES])
    for (const said of [MAX_VALUE_BODY_BYTES, MAX_VALUE_BYTES, 'encoding: "base64"'])
      expect(detail).toContain(String(said))
  })

  it('has no room for values where a request has none', async () => {
    const { send } = await openApp(null)
    const body = `{"description":"${'a'.repeat(200 * 1024)}"}`
    const response = await send('/v1/vaults/default/rules/r', { method: 'PUT', body })
    expect([response.status, ((await response.json()) as { limitBytes: number }).limitBytes]).toEqual([413, 128 * 1024])
  })
})
