/**
 * Checks every answer in the tests of whole servers against the OpenAPI document: a set-up file of the
 * project `runtime`.
 *
 * @module
 */
import { afterEach, expect } from 'vitest'
import { flaws } from '../../support/contract_check.ts'

const found = new Set<string>()
const ask = globalThis.fetch

globalThis.fetch = async (input, init) => {
  // Not by making another request of it: that would take its body.
  const asked = input instanceof Request ? input : { method: 'GET', url: String(input) }
  const method = init?.method ?? asked.method
  const { url } = asked
  const response = await ask(input, init)
  // A preflight request is not an operation: `contract.test.ts` checks its headers.
  if (method === 'OPTIONS') return response
  // Ours, and not those of the stores, collectors and providers that tests play.
  if (!response.headers.has('Request-Id') || !/^[0-9a-f-]{36}$/.test(response.headers.get('Request-Id')!))
    return response
  const copy = response.clone()
  const body = await copy.text().catch(() => null)
  if (body !== null) for (const flaw of flaws(method, url, copy, body)) found.add(flaw)
  return response
}

afterEach(() => {
  const all = [...found]
  found.clear()
  expect(all, 'answers that are not as docs/reference/api/openapi.json says').toEqual([])
})
