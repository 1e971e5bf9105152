/**
 * Checks the English of files against the style page: `node test/english.ts PATH…`, Node 24.
 * Prints each hit as `file:line`, and with `--summary` the number of hits for each rule.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RULES } from './english_rules.ts'
import { englishOf, lineOf } from './english_texts.ts'
import { repositoryFiles } from './support/repository_files.ts'

const ROOT = join(import.meta.dirname, '..')
const CHECKED = /\.(?:ts|md|json|ya?ml|toml|html|service|conf)$|(?:^|\/)(?:Dockerfile|Caddyfile|run|commits)$/
/** Texts of other authors, files that no person reads, and the rules themselves. */
const EXEMPT =
  /^(?:LICENSE|package-lock\.json|test\/english(?:_rules|\.test)\.ts|test\/vectors\/)|\.svg$|\/(?:corpus|vectors|recordings)\//

/** A banned pattern in a file. */
export interface Hit {
  path: string
  line: number
  rule: string
  /** The words that matched. */
  excerpt: string
  advice: string
}

/**
 * The files of the repository that are checked.
 *
 * @param paths Files and folders below the root of the repository.
 */
export function checkedFiles(paths: readonly string[] = ['.']): string[] {
  const asked = paths.map((path) => path.replace(/^\.\/|\/$/g, ''))
  const isAsked = (path: string) => asked.some((one) => one === '.' || path === one || path.startsWith(`${one}/`))
  return repositoryFiles().filter((path) => isAsked(path) && CHECKED.test(path) && !EXEMPT.test(path))
}

/** Finds all hits in files of the repository. */
export function hitsIn(paths: readonly string[]): Hit[] {
  return paths.flatMap((path) => {
    const source = textOf(path)
    return source === null ? [] : hitsOf(path, source)
  })
}

/** Finds all hits in the text of one file. */
export function hitsOf(path: string, source: string): Hit[] {
  return englishOf(path, source).flatMap((text) =>
    RULES.filter(({ kind }) => kind === undefined || kind === text.kind).flatMap(({ name, pattern, advice }) =>
      [...text.text.matchAll(pattern)].map((match) => ({
        path,
        line: lineOf(source, text.start + match.index + match[0].length - match[0].trimStart().length),
        rule: name,
        excerpt: match[0].replace(/[\s\0]+/g, ' ').trim(),
        advice,
      })),
    ),
  )
}

/** The words of comments, strings and prose in files. */
export function wordsIn(paths: readonly string[]): number {
  const texts = paths.flatMap((path) => englishOf(path, textOf(path) ?? '').map(({ text }) => text))
  return texts.join(' ').match(/[a-z][a-z'’-]*/gi)?.length ?? 0
}

/** `null` for a file that was deleted and is still in the index. */
function textOf(path: string): string | null {
  try {
    return readFileSync(join(ROOT, path), 'utf8')
  } catch {
    return null
  }
}

function main(given: readonly string[]): void {
  const paths = given.filter((arg) => !arg.startsWith('--'))
  const files = checkedFiles(paths.length === 0 ? ['.'] : paths)
  const hits = hitsIn(files)
  const lines = given.includes('--summary')
    ? RULES.map(({ name }) => `${String(hits.filter(({ rule }) => rule === name).length).padStart(6)}  ${name}`)
    : hits.map(({ path, line, rule, excerpt, advice }) => `${path}:${line}  ${rule}: “${excerpt}”. Rather ${advice}`)
  const perWords = ((10_000 * hits.length) / Math.max(1, wordsIn(files))).toFixed(1)
  process.stdout.write(
    `${[...lines, `${hits.length} hits in ${files.length} files, ${perWords} per 10,000 words`].join('\n')}\n`,
  )
  process.exitCode = hits.length > 0 ? 1 : 0
}

if (import.meta.main) main(process.argv.slice(2))
