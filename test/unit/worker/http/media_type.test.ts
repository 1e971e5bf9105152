import { describe, expect, it } from 'vitest'
import { canary, leaks } from '../../../support/canary.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }

/** Sends a write, and shows its status, field and detail. */
async function put(headers: Record<string, string>, body: BodyInit = '{"value":"x"}') {
  const { send, secret, log } = await openApp(null)
  const before = log().length
  const response = await send(secret('a'), { method: 'PUT', body, headers })
  const { code, reason, field, detail } = (await response.json()) as Record<string, string>
  return { response, shown: [response.status, field], detail, code, reason, entries: log().length - before }
}

describe('the media type of a body', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/json; charset=UTF-8',
    'application/json; charset="UTF-8"',
    'application/json ; charset="utf-8" ',
    'application/json;',
    'application/json; charset=utf8',
  ])('is taken as %s', async (type) => {
    expect((await put({ 'Content-Type': type })).shown).toEqual([201, undefined])
  })

  it.each([
    ['', 'Content-Type must be application/json'],
    ['text/plain', 'Content-Type must be application/json'],
    ['text/json', 'Content-Type must be application/json'],
    ['application/x-www-form-urlencoded', 'Content-Type must be application/json'],
    ['multipart/form-data; boundary=x', 'Content-Type must be application/json'],
    ['application/merge-patch+json', 'Content-Type must be application/json'],
    ['application/json, text/plain', 'Content-Type must be application/json'],
    ['application/json; charset=utf-8; charset=utf-16', 'Content-Type must be application/json'],
    ['application/json; charset=utf-16', 'Charset must be utf-8'],
    ['application/json; charset="iso-8859-1"', 'Charset must be utf-8'],
    ['application/json; charset=""', 'Charset must be utf-8'],
  ])('is refused as "%s"', async (type, message) => {
    const { shown, detail, code, reason, entries } = await put({ 'Content-Type': type })
    expect([shown, code, reason]).toEqual([[415, 'Content-Type'], 'bad_request', 'unsupported_media_type'])
    expect([detail, entries]).toEqual([message, 0])
  })

  it.each(['identity', 'Identity', ''])('has the coding "%s"', async (coding) => {
    expect((await put({ ...JSON_TYPE, 'Content-Encoding': coding })).shown).toEqual([201, undefined])
  })

  it.each(['gzip', 'GZIP', 'br', 'deflate', 'zstd', 'identity, gzip', 'x-odd'])(
    'has not the coding %s',
    async (coding) => {
      const bytes = new Uint8Array([0x1f, 0x8b, 8, 0])
      const { response, shown, detail, entries } = await put({ ...JSON_TYPE, 'Content-Encoding': coding }, bytes)
      expect([shown, entries]).toEqual([[415, 'Content-Encoding'], 0])
      expect(response.headers.get('Accept-Encoding')).toBe('identity')
      const named = /^[a-z]+$/i.test(coding) ? `: ${coding.toLowerCase()} is not accepted` : ''
      expect(detail).toBe(`Content-Encoding must be identity${named}. Send the body as it is`)
    },
  )

  it('is checked at every route with a body, and shows no header', async () => {
    const { send } = await openApp(null)
    const stray = canary().replace(/[^\x21-\x7e]/g, '')
    for (const [method, path] of [
      ['POST', 'hydrate'],
      ['POST', 'tokens'],
      ['PUT', 'rules/x'],
      ['PUT', 'chains/x'],
      ['POST', 'destroy/a'],
      ['PUT', 'audit/hold'],
    ] as const) {
      for (const headers of [{ 'Content-Type': stray }, { ...JSON_TYPE, 'Content-Encoding': stray }]) {
        const response = await send(`/v1/vaults/default/${path}`, { method, body: '{}', headers })
        expect([path, response.status]).toEqual([path, 415])
        expect(leaks(await response.text(), [stray])).toEqual([])
      }
    }
  })

  it('has no byte order mark', async () => {
    const { shown, detail } = await put(JSON_TYPE, '\ufeff{"value":"x"}')
    expect([shown, detail]).toEqual([[400, 'body'], 'Body must not begin with a byte order mark'])
  })
})

describe('a precondition', () => {
  const open = async () => {
    const bench = await openApp(null)
    const change = async (method: string, path: string, headers: Record<string, string>) => {
      const body = method === 'PUT' ? { body: '{"value":"x"}' } : {}
      const response = await bench.send(`/v1/vaults/default/${path}`, {
        method,
        headers: { ...JSON_TYPE, ...headers },
        ...body,
      })
      const { field, detail } = (await response.json()) as Record<string, string>
      return [response.status, field, detail]
    }
    expect(await change('PUT', 'secrets/a', {})).toEqual([201, undefined, undefined])
    return { ...bench, change }
  }

  it.each(['W/"1"', 'W/"2"', 'W/"x"', ' W/"1"'])('is false for the weak tag %s', async (tag) => {
    const { change, log } = await open()
    const before = log().length
    const message = 'A weak entity tag never matches If-Match. Send the version in quotes, without W/'
    for (const [method, path] of [
      ['PUT', 'secrets/a'],
      ['DELETE', 'secrets/a'],
      ['POST', 'destroy/a'],
      ['POST', 'restore/a'],
    ] as const) {
      expect(await change(method, path, { 'If-Match': tag })).toEqual([412, 'If-Match', message])
    }
    expect(log().length).toBe(before)
  })

  it.each(['*', '"1", "2"', '1', '"1', "'1'"])('is refused as If-Match: %s', async (tag) => {
    const { change } = await open()
    const [status, field, detail] = await change('PUT', 'secrets/a', { 'If-Match': tag })
    expect([status, field]).toEqual([400, 'If-Match'])
    expect(detail).toBe('Must be one version in quotes, and neither * nor a list')
    expect((await change('DELETE', 'secrets/a', { 'If-Match': tag })).slice(0, 2)).toEqual([400, 'If-Match'])
  })

  it.each(['"1"', 'W/"1"', '"1", "2"'])('is refused rather than ignored as If-None-Match: %s', async (tag) => {
    const { change, admin } = await open()
    expect((await change('PUT', 'secrets/a', { 'If-None-Match': tag })).slice(0, 2)).toEqual([400, 'If-None-Match'])
    expect((await change('DELETE', 'secrets/a', { 'If-None-Match': tag })).slice(0, 2)).toEqual([400, 'If-None-Match'])
    expect((await admin.get('a')).version).toBe(1)
  })

  it('holds for the strong tag of the current version alone, and for * while nothing exists', async () => {
    const { change } = await open()
    expect((await change('PUT', 'secrets/a', { 'If-Match': '"2"' }))[0]).toBe(412)
    expect((await change('PUT', 'secrets/a', { 'If-Match': '"1"' }))[0]).toBe(201)
    expect((await change('PUT', 'secrets/a', { 'If-None-Match': '*' }))[0]).toBe(412)
    expect((await change('PUT', 'secrets/b', { 'If-None-Match': '*' }))[0]).toBe(201)
  })
})
