/**
 * The English of the repository, by the rules of docs/contributing/style.md.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkedFiles, type Hit, hitsIn, hitsOf } from './english.ts'

const ALLOWED = readFileSync(join(import.meta.dirname, 'english_allowed.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' | ') as [path: string, phrase: string, reason: string])

const allows = (hit: Hit) => ALLOWED.some(([path, phrase]) => hit.path === path && hit.excerpt === phrase)
const rulesFor = (path: string, source: string) => hitsOf(path, source).map(({ line, rule }) => `${line} ${rule}`)

describe('the English of the repository', () => {
  const hits = hitsIn(checkedFiles())

  it('follows the style page', () => {
    const found = hits.filter((hit) => !allows(hit))
    expect(found.map(({ path, line, excerpt, advice }) => `${path}:${line} “${excerpt}”: ${advice}`)).toEqual([])
  })

  it('has a reason for each exception, and no exception without a use', () => {
    expect(ALLOWED.filter(([, , reason = '']) => reason.length < 8)).toEqual([])
    expect(ALLOWED.filter(([path, phrase]) => !hits.some((h) => h.path === path && h.excerpt === phrase))).toEqual([])
  })
})

describe('the check', () => {
  it.each([
    ['a line comment', '// Fine.\nf() // but nobody knows', '2 vague pronoun'],
    ['a phrase across comment lines', 'f()\n// The list is\n// let through.', '2 is let'],
    ['a phrase across docstring lines', '/**\n * A rule that goes\n * on forever.\n */', '2 goes on'],
    ['a string', "throw new Error('Nobody knows')", '1 vague pronoun'],
    ['a template', 'const a = `somebody has ${1} key`', '1 vague pronoun'],
    ['a title', "it('that expires is refused', f)", '1 title'],
    ['a title of a table', "it.each([1])('that is %s', f)", '1 title'],
  ])('finds %s', (_, source, expected) => {
    expect(rulesFor('a.ts', source)).toContain(expected)
  })

  it.each([
    ['a name', 'export const nobody = 1'],
    ['a word that is a value', "const kind = 'nobody'"],
    ['code in a comment', '// Reads `nobody`, {@link whoever}.'],
    ['an import', "import './in vain.ts'"],
    ['a regular expression', 'const r = /somebody else/'],
    ['two paragraphs', '/**\n * The rule is\n *\n * let\n */'],
    ['a phrase of the field', '// There are none. It is no longer valid.'],
  ])('leaves %s alone', (_, source) => {
    expect(rulesFor('a.ts', source)).toEqual([])
  })

  it('reads prose, and not the code in it', () => {
    const page = 'Anybody reads.\n\n```sh\necho nobody\n```\n\nUse `nobody`.\n\nThe last\nword.\n'
    expect(rulesFor('a.md', page)).toEqual(['1 vague pronoun', '9 word'])
  })

  it('reads the English of a translation, and not the other language', () => {
    expect(rulesFor('l10n.de.json', '{ "Nobody knows": "Das goes on so" }')).toEqual(['1 vague pronoun'])
    expect(rulesFor('l10n.json', '{ "key": "It goes on now" }')).toEqual(['1 goes on'])
  })
})
