/** Texts for users are translated. The code and the manifest hold no untranslated ones. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseAst } from 'vitest/node'

const ROOM = resolve(import.meta.dirname, '../../../extension')

/** Two words beside each other. */
const WORDS = /\p{L}{2,},? \(?\p{L}/u
/** What the editor shows of a thing. */
const SHOWN = /^(?:title|label|name|placeHolder|placeholder|prompt|detail|description|message|tooltip|text)$/

/** Words in the code that no user reads, or whose reader has no language here. */
const EXCEPTIONS = [
  '# Written by Postern, deleted when its time is over: ', // looked for by a later version of us
  'log flaw', // of the output channel, which is in one language for those who help
  'npm start', // a command
  'secret rotatable', // for a `when` clause
  'Exit code: ', // for a model
  ' (stopped: too much output)', // for a model
  'Too short to be taken out of the output everywhere: ', // for a model
  'Not started: the user said no', // for a model
  'Not all names of the vault ', // for a model
  ' are listed: give a longer prefix', // for a model
  'No secret that you may list has a name with this prefix', // for a model
  'The environment cannot hold these values', // an error that is explained by its kind
  'Lease has ended', // our own error, which is never shown
  'Values cannot be handed over on this machine', // an error that is explained by its kind
  'pst_…', // a shape
  'Postern', // our name
  'ECDSA', // the name of an algorithm
  'HMAC', // the like
]

interface Tree {
  type: string
  [key: string]: unknown
}

/** Every node with those above it, the nearest last. */
function* nodes(one: unknown, above: Tree[] = []): Generator<[Tree, Tree[]]> {
  if (Array.isArray(one)) for (const each of one) yield* nodes(each, above)
  if (typeof one !== 'object' || one === null || typeof (one as Tree).type !== 'string') return
  const tree = one as Tree
  yield [tree, above]
  for (const part of Object.values(tree)) yield* nodes(part, [...above, tree])
}

const nameOf = (tree: unknown): unknown => {
  const { name, property } = Object(tree) as { name?: unknown; property?: { name?: unknown } }
  return name ?? property?.name
}
const isTranslation = (tree: Tree | undefined) => tree?.type === 'CallExpression' && nameOf(tree.callee) === 't'

function textOf({ type, value }: Tree): string | null {
  if (type === 'TemplateElement') return String((value as { cooked: unknown }).cooked)
  return type === 'Literal' && typeof value === 'string' ? value : null
}

/** Words of a source that do not go through the languages. */
function wordsIn(source: string): string[] {
  return [...nodes(parseAst(source, { lang: 'ts' }))].flatMap(([tree, above]) => {
    const text = textOf(tree)
    const parent = above.at(-1)
    if (text === null || isTranslation(parent)) return []
    const { type, key, left } = Object(parent) as { type?: string; key?: unknown; left?: unknown }
    const shownAs = type === 'Property' ? nameOf(key) : type === 'AssignmentExpression' ? nameOf(left) : ''
    const isShown = SHOWN.test(String(shownAs)) && /\p{L}{2}/u.test(text)
    return WORDS.test(text) || isShown ? [text] : []
  })
}

/** What builds it, and a program that runs without the editor and so without its languages. */
const OTHERS = /^(?:dist\/|build\/|platform\/launch\.ts)/

/** The editor's rooms, and the texts of core that its users see. */
const sources = [ROOM, resolve(ROOM, '../core/text')].flatMap((room) =>
  readdirSync(room, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !OTHERS.test(path))
    .map((path) => readFileSync(join(room, path), 'utf8')),
)

describe('the code', () => {
  it('has no words for people but those that are translated', () => {
    const found = sources.flatMap(wordsIn)
    expect([...new Set(found)].sort()).toEqual([...EXCEPTIONS].sort())
  })

  it('would be caught with some: in a message, in a template, as a label of one word', () => {
    expect(wordsIn("void window.showErrorMessage('Something broke')")).toEqual(['Something broke'])
    expect(wordsIn('item.tooltip = `${name} has expired`')).toEqual([' has expired'])
    expect(wordsIn("const item = { label: 'Broken' }")).toEqual(['Broken'])
    expect(wordsIn("item.tooltip = t('Something broke')")).toEqual([])
  })

  it('passes on no texts of errors, which are in one language, except what a server says about a request', () => {
    const passed = sources.flatMap((source) =>
      [...nodes(parseAst(source, { lang: 'ts' }))].flatMap(([tree, above]) => {
        const { object, property } = tree as { object?: unknown; property?: { name?: unknown } }
        if (tree.type !== 'MemberExpression' || property?.name !== 'message') return []
        return [`${isTranslation(above.at(-1)) ? 't ' : ''}${nameOf(object) ?? nameOf(Object(object).callee)}`]
      }),
    )
    // `explain` gives words that were translated, and an alarm has such.
    expect([...new Set(passed)].sort()).toEqual(['alarm', 'explain', 't error'])
  })

  it('translates texts that stand there, so that each can be looked up', () => {
    const calls = sources.flatMap((source) => [...nodes(parseAst(source, { lang: 'ts' }))].map(([tree]) => tree))
    const translations = calls.filter(isTranslation)
    expect(translations.length).toBeGreaterThan(150)
    for (const { arguments: given } of translations) expect((given as Tree[])[0]?.type).toBe('Literal')
  })
})

describe('the manifest', () => {
  const manifest = JSON.parse(readFileSync(join(ROOM, 'package.json'), 'utf8'))
  const keys = /^(?:title|description|displayName|userDescription|label|contents|markdownDescription|name)$/

  function* texts(one: unknown, path: string): Generator<[string, string]> {
    for (const [key, value] of Object.entries(Object(one))) {
      const at = `${path}.${key}`
      // What a model reads is in one language.
      if (at.endsWith('.inputSchema')) continue
      if (typeof value === 'string' && keys.test(key)) yield [at, value]
      else if (typeof value === 'object') yield* texts(value, at)
    }
  }

  it('has no words for people, but names', () => {
    const words = [...texts(manifest.contributes, '')].filter(([, value]) => !/^%.+%$/.test(value))
    const names = words.filter(([, value]) => value !== 'Postern').map(([at]) => at.replaceAll(/\d+/g, 'n'))
    expect([...new Set(names)]).toEqual(['.languageModelTools.n.name'])
  })

  it('has each page of the walkthrough in German too', () => {
    const steps: { media: { markdown: string } }[] = manifest.contributes.walkthroughs[0].steps
    expect(steps.length).toBeGreaterThan(3)
    for (const { media } of steps)
      expect(existsSync(join(ROOM, media.markdown.replace(/\.md$/, '.nls.de.md')))).toBe(true)
  })
})
