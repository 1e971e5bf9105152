/**
 * Every export has a docstring, and every file says what it is.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { DOCUMENTED, undocumentedIn, undocumentedOf } from './docstrings.ts'

const MODULE = '/**\n * Things.\n *\n * @module\n */\n'
const namesIn = (code: string) => undocumentedOf('a.ts', code).map(({ line, name }) => `${line} ${name}`)

describe('docstrings', () => {
  it('exist for every export, and every file has a module comment', () => {
    const found = undocumentedIn(DOCUMENTED)
    expect(found.map(({ path, line, name }) => `${path}:${line} ${name}`)).toEqual([])
  })
})

describe('the check of docstrings', () => {
  it.each([
    ['a function', 'export function f() {}'],
    ['an async function', 'export async function f() {}'],
    ['a class', 'export class f {}'],
    ['an interface', 'export interface f {}'],
    ['a type', 'export type f = 1'],
    ['a constant', 'export const f = 1'],
    ['a function with a line comment', '// Why.\nexport function f() {}'],
    ['a default export', 'export default class f {}'],
  ])('finds %s without one', (_, code) => {
    expect(namesIn(MODULE + code)).toEqual([expect.stringMatching(/^[67] f$/)])
  })

  it('finds a file without a module comment', () => {
    expect(namesIn('/** One. */\nexport const a = 1')).toEqual(['1 @module'])
  })

  it('does not take the module comment for the docstring of the first export', () => {
    expect(namesIn(`${MODULE}export const a = 1`)).toEqual(['6 a'])
  })

  it('accepts one docstring for all overloads, and exports from another file', () => {
    const overloads =
      '/** One. */\nexport function f(a: 1): 1\nexport function f(a: 2): 2\nexport function f(a: 1 | 2) {}'
    expect(namesIn(`${MODULE}${overloads}\nexport { a } from './a.ts'\nexport * from './b.ts'`)).toEqual([])
  })

  it('accepts a documented export', () => {
    expect(namesIn(`${MODULE}/** One. */\nexport const a = 1`)).toEqual([])
  })
})
