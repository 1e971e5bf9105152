/**
 * The English of a file: comments, strings, test titles and prose, each at its place in the file.
 *
 * @module
 */
import { parseSync } from 'rolldown/utils'

/** A piece of English. It is as long as its source: code, markers and line ends in it are blanks or underscores. */
export interface EnglishText {
  kind: 'comment' | 'string' | 'title' | 'prose'
  /** Offset into the file, in UTF-16 code units. */
  start: number
  text: string
}

interface Node {
  type: string
  start: number
  end: number
  [key: string]: unknown
}

/**
 * Finds the English of a file.
 *
 * @param path Decides how the file is read: by its extension.
 */
export function englishOf(path: string, source: string): EnglishText[] {
  if (/\.[cm]?tsx?$/.test(path)) return typeScript(path, source)
  if (path.endsWith('.md')) return [{ kind: 'prose', start: 0, text: markdown(source) }]
  if (path.endsWith('.json')) return path.includes('.de.') ? jsonKeys(source) : jsonStrings(source)
  if (path.endsWith('.html')) return [{ kind: 'prose', start: 0, text: withoutCode(blank(source, /<[^>]*>/g)) }]
  return [{ kind: 'prose', start: 0, text: withoutCode(blank(source, /^[ \t]*#+|^\s*[\w-]+:(?= )/gm)) }]
}

/** The line of an offset, from 1. */
export function lineOf(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length
}

function typeScript(path: string, source: string): EnglishText[] {
  const { program, comments, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path}: cannot be parsed`)
  const found = joined(comments as Comment[], source)
  visit(program as unknown as Node, false, (node, isTitle) => {
    const text = node.type === 'Literal' ? node.value : (node.value as { raw?: string } | undefined)?.raw
    if (typeof text !== 'string' || (!isTitle && !/[a-z]\s+[a-z]/i.test(text))) return
    const raw = source.slice(node.start, node.end)
    found.push({
      kind: isTitle ? 'title' : 'string',
      start: node.start,
      text: paragraphs(withoutCode(blank(raw, /^['"]|['"]$/g))),
    })
  })
  return found.toSorted((a, b) => a.start - b.start)
}

interface Comment {
  type: 'Line' | 'Block'
  start: number
  end: number
}

/** Comments, with those of consecutive lines as one. */
function joined(comments: readonly Comment[], source: string): EnglishText[] {
  const groups: Comment[] = []
  for (const comment of comments) {
    const last = groups.at(-1)
    const isNext = last?.type === 'Line' && comment.type === 'Line' && !source.slice(last.end, comment.start).trim()
    if (isNext) last.end = comment.end
    else groups.push({ ...comment })
  }
  return groups.map(({ start, end }) => {
    const raw = blank(source.slice(start, end), /^\/\*+|\*+\/$|^\s*\*(?!\*)|^\s*\/\/+/gm)
    return { kind: 'comment', start, text: withoutCode(paragraphs(raw)) }
  })
}

/** Calls back for every string and piece of a template that is not an import, and says which are titles of tests. */
function visit(node: Node, isTitle: boolean, found: (node: Node, isTitle: boolean) => void): void {
  if (node.type === 'ImportDeclaration' || node.type === 'TSLiteralType') return
  if (node.type === 'Literal' || node.type === 'TemplateElement') found(node, isTitle)
  const title = node.type === 'CallExpression' && isTestCall(node.callee as Node) ? (node.arguments as Node[])[0] : null
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === 'object' && child !== null && 'type' in child) {
        visit(child as Node, child === title || (isTitle && node.type === 'TemplateLiteral'), found)
      }
    }
  }
}

/** `it(…)`, `it.each(…)(…)`, `test.skipIf(…)(…)`, `describe(…)` and the like. */
function isTestCall(callee: Node): boolean {
  if (callee.type === 'Identifier') return ['it', 'test', 'describe'].includes(callee.name as string)
  if (callee.type === 'MemberExpression') return isTestCall(callee.object as Node)
  return callee.type === 'CallExpression' && isTestCall(callee.callee as Node)
}

/** Headings, items and cells of tables begin with a NUL. */
function markdown(source: string): string {
  const prose = blank(source, /^(?:```|~~~)[\s\S]*?^(?:```|~~~)|<!--[\s\S]*?-->|\]\([^)]*\)|[*[\]]/gm)
  return paragraphs(blank(withoutCode(prose), /^[ \t]*(?:#+|[->]|\d+\.)(?= )|\|/gm, '\0'))
}

/** Ends each paragraph, item and row, so that no phrase is found across two. */
function paragraphs(text: string): string {
  return text.replace(/\n(?=[ \t]*\n)/g, '\0')
}

function jsonStrings(source: string): EnglishText[] {
  return [...source.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)]
    .filter(([, text = '']) => /[a-z]\s+[a-z]/i.test(text))
    .map(({ index, 1: text = '' }) => ({ kind: 'string', start: index + 1, text: withoutCode(text) }))
}

/** Only the keys: the values are in another language. */
function jsonKeys(source: string): EnglishText[] {
  return jsonStrings(source).filter(({ start, text }) => /^"\s*:/.test(source.slice(start + text.length)))
}

/** Code, links and addresses as underscores. */
function withoutCode(text: string): string {
  return blank(text, /``[\s\S]*?``|`[^`\n]*(?:\n[^`\n]*)?`|\{@link [^}]*\}|https?:\/\/[^\s)>]*|\$\{[^}]*\}/g, '_')
}

/** Replaces each match with as many blanks, keeping the ends of lines. */
function blank(text: string, pattern: RegExp, by = ' '): string {
  return text.replace(pattern, (match) => match.replace(/[^\n]/g, by))
}
