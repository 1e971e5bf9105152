/**
 * Finds exports without a docstring and files without a module comment: `node test/docstrings.ts PATH…`, Node 24.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'rolldown/utils'
import { checkedFiles } from './english.ts'

const ROOT = join(import.meta.dirname, '..')
/** Folders whose exports need docstrings. */
export const DOCUMENTED: readonly string[] = ['core', 'worker', 'extension', 'cli']

/** A declaration without a docstring, or a file without a module comment. */
export interface Undocumented {
  path: string
  line: number
  name: string
}

interface Node {
  type: string
  start: number
  end: number
  id?: { name: string } | null
  declaration?: Node | null
  declarations?: Node[]
}

/** Finds undocumented exports in files below some paths. */
export function undocumentedIn(paths: readonly string[]): Undocumented[] {
  const files = checkedFiles(paths).filter((path) => path.endsWith('.ts') && isDocumented(path))
  return files.flatMap((path) => undocumentedOf(path, readFileSync(join(ROOT, path), 'utf8')))
}

/** Finds undocumented exports in the text of one file. Overloads of one function need one docstring. */
export function undocumentedOf(path: string, source: string): Undocumented[] {
  const { program, comments } = parseSync(path, source)
  const docs = comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
  const documented = (start: number) =>
    docs.some(({ end, value }) => end <= start && !/\S/.test(source.slice(end, start)) && !value.includes('@module'))
  const at = (start: number, name: string) => ({ path, line: source.slice(0, start).split('\n').length, name })
  const hasModule = docs.some(({ value }) => value.includes('@module'))
  const found = hasModule ? [] : [at(0, '@module')]
  const names = new Set<string>()
  for (const node of program.body as unknown as Node[]) {
    if (!node.type.startsWith('Export') || !node.declaration) continue
    for (const name of namesOf(node.declaration)) {
      if (names.has(name) || documented(node.start)) names.add(name)
      else found.push(at(node.start, name))
    }
  }
  return found
}

/** The names of a declaration. An exported expression has none. */
function namesOf({ id, declarations = [] }: Node): string[] {
  return [id, ...declarations.map((declaration) => declaration.id)].flatMap((one) => (one ? [one.name ?? '{}'] : []))
}

function isDocumented(path: string): boolean {
  return DOCUMENTED.some((folder) => path.startsWith(`${folder}/`)) && !path.endsWith('.d.ts')
}

function main(paths: readonly string[]): void {
  const found = undocumentedIn(paths.length === 0 ? DOCUMENTED : paths)
  const modules = found.filter(({ name }) => name === '@module').length
  const lines = found.map(({ path, line, name }) => `${path}:${line}  ${name}`)
  const total = `${found.length - modules} exports without a docstring, ${modules} files without a module comment`
  process.stdout.write(`${[...lines, total].join('\n')}\n`)
  process.exitCode = found.length > 0 ? 1 : 0
}

if (import.meta.main) main(process.argv.slice(2))
