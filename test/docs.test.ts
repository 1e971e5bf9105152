/** The documents: every link and anchor resolves, every command exists, and nothing is cited that is not here. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repositoryFiles, walked } from './support/repository_files.ts'

const ROOT = resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const FILES = repositoryFiles()
const PAGES = FILES.filter((file) => file.endsWith('.md'))
const SCRIPTS = Object.keys(JSON.parse(read('package.json')).scripts)

/** A page without its code: neither links nor headings are in a block. */
const prose = (page: string) => read(page).replaceAll(/^(`{3,})[\s\S]*?^\1`*$/gm, '')

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>()
  return [...prose(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
    const text = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')
    const times = seen.get(anchor) ?? 0
    seen.set(anchor, times + 1)
    return times === 0 ? anchor : `${anchor}-${times}`
  })
}

/** Links of a page to other places of the repository, each with what is wrong with it. */
function brokenLinksOf(page: string): string[] {
  const links = [
    ...prose(page)
      .replaceAll(/`[^`\n]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, link]) => link!)
  return links.flatMap((link) => {
    if (/^[a-z]+:/.test(link)) return []
    const [path = '', anchor] = link.split('#')
    const file = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path))
    if (!existsSync(join(ROOT, file))) return [`${link}: no such file`]
    if (anchor === undefined || statSync(join(ROOT, file)).isDirectory()) return []
    return anchorsOf(file).includes(anchor) ? [] : [`${link}: no such heading`]
  })
}

describe('the files of the repository', () => {
  it('are the same without git', () => {
    expect(walked().sort()).toEqual(FILES)
  })
})

describe('a page', () => {
  it.each(PAGES)('%s links to files and headings that exist', (page) => {
    expect(brokenLinksOf(page)).toEqual([])
  })

  it.each(PAGES)('%s names scripts that exist', (page) => {
    const named = [...read(page).matchAll(/npm run (?:-s )?([a-z][a-z:-]*)/g)].map(([, script]) => script!)
    expect(named.filter((script) => !SCRIPTS.includes(script))).toEqual([])
  })

  it.each(PAGES)('%s names files that exist', (page) => {
    const named = [
      ...read(page).matchAll(/`((?:core|worker|cli|extension|test|scripts|docs|\.ci|\.github)\/[\w./-]+)`/g),
    ]
    const files = named.map(([, file]) => file!).filter((file) => !file.startsWith('test/output/'))
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
  })

  it.each(PAGES.filter((page) => /^(?:README|docs\/)/.test(page)))('%s has examples that parse', (page) => {
    const blocks = [...read(page).matchAll(/^ *```(\w+)\n([\s\S]*?)^ *```$/gm)].map(([, kind, text]) => ({
      kind,
      text: text!,
    }))
    for (const { kind, text } of blocks) {
      if (kind === 'json') expect(() => JSON.parse(text), text).not.toThrow()
      if (kind !== 'sh' && kind !== 'console') continue
      const script = kind === 'sh' ? text : [...text.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command).join('\n')
      const parsed = spawnSync('bash', ['-n', '-c', script], { encoding: 'utf8' })
      if (parsed.error === undefined) expect(parsed.stderr, script).toBe('')
    }
  })

  it('is linked from the index', () => {
    const index = read('docs/README.md')
    const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
    expect(pages.filter((page) => !index.includes(`(${relative('docs', page)})`))).toEqual([])
  })
})

describe('the table of packages', () => {
  it('has every package, and no other', () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json'))
    const packages = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
    const rows = [...read('docs/contributing/packages.md').matchAll(/^\| (`[^|]*`) \|/gm)]
    const named = rows.flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!))
    expect(named.toSorted()).toEqual(packages.toSorted())
  })
})

describe('the README', () => {
  it('has at most 600 words', () => {
    expect(read('README.md').split(/\s+/).length).toBeLessThanOrEqual(600)
  })
})

describe('a file', () => {
  const TEXTS = FILES.filter(
    (file) => /\.(?:ts|js|cjs|md|toml|ya?ml)$|^\.ci\//.test(file) && file !== 'test/docs.test.ts',
  )

  it('cites no document that is not in the repository', () => {
    const citing = TEXTS.filter((file) => /\bDESIGN\b|\bthe specification\b|house\.md/i.test(read(file)))
    expect(citing).toEqual([])
  })
})
