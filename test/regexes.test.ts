/** Every regular expression of the code, against texts that are made of its own letters. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { growth } from './support/growth.ts'

const ROOT = join(import.meta.dirname, '..')
/** A regular expression literal: at the start of an expression, and not a comment. */
const LITERAL =
  /(?:[=(,:[!&|?{};\n]|\b(?:return|of|case))\s*\/(?![*/])((?:[^\\/[\n]|\\.|\[(?:[^\\\]\n]|\\.)*\])+)\/([dgimsuvy]*)/g
/**
 * Sizes of texts, two at a time: the first find what doubles with each letter, or each two, before it is tried on a text
 * that it would never end with; the last what grows by the square.
 */
const SIZES = [
  [12, 24],
  [24, 40],
  [2500, 20_000],
] as const
/** The largest ratio of time to length for a longer text. Quadratic time would be eight times as much. */
const TIMES = 3
/** Shorter times are ignored: the clock is not finer. */
const TICK_MS = 0.5
/** What makes a text fail at its end, or at its beginning. */
const AROUND = [
  ['', ''],
  ['', '\n'],
  ['', '\0x'],
  ['x', 'x'],
  ['\n', '!'],
] as const

/** Those that never see a text that would make them slow, and why. */
const BOUNDED: Readonly<Record<string, string>> = {
  // One character class, tried at one offset: V8 answers a short text out of its cache, so that a long one seems slow.
  'core/text/dotenv.ts .*': 'sticky, and one class',
  'core/text/dotenv.ts \\s*': 'sticky, and one class',
  'core/text/dotenv.ts \\S*': 'sticky, and one class',
  'core/text/dotenv.ts [\\w.-]*': 'sticky, and one class',
  'core/text/dotenv.ts [^#\\r\\n]*': 'sticky, and one class',
  'core/text/dotenv.ts [^\\S\\n\\r\\u2028\\u2029]*': 'sticky, and one class',
  'core/addresses.ts ^(.*:)([0-9.]*\\..*)$': '45 characters, all of them of an address',
  'core/bytes.ts =+$': 'the output of btoa, which has at most two of them',
}

interface Found {
  place: string
  regex: RegExp
}

function regexes(): Found[] {
  const files = ['core', 'worker', 'cli', 'extension'].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
      .map((file) => `${room}/${file}`),
  )
  return files.flatMap((file) => {
    const code = readFileSync(join(ROOT, file), 'utf8').replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
    return [...code.matchAll(LITERAL)].flatMap(([, source = '', flags = '']) => {
      // A path in a template looks like a regular expression.
      const regex = compiled(source, flags)
      return regex === null ? [] : [{ place: `${file} ${source}`, regex }]
    })
  })
}

function compiled(source: string, flags: string): RegExp | null {
  try {
    return new RegExp(source, flags)
  } catch {
    return null
  }
}

/** Short pieces to repeat: each letter of the expression, what its classes stand for, and each two of them. */
function pieces({ source }: RegExp): string[] {
  const own = source.replace(/\\[bBdDpPsSuwWxk]/g, '').replace(/[\\^$()[\]|?+*{}]/g, '')
  const letters = [...new Set([...own.slice(0, 40), ...'aA0 \t.=/-:"\'\\#'])]
  return [...letters, ...letters.slice(0, 12).flatMap((one) => letters.slice(0, 12).map((other) => one + other))]
}

/** What a text is made of that is slow, or `null`. */
function slowText({ regex }: Found): string | null {
  for (const piece of pieces(regex)) {
    for (const [before, after] of AROUND) {
      if (isSlow(regex, (size) => `${before}${piece.repeat(size / piece.length)}${after}`))
        return `${before}${piece}…${JSON.stringify(after)}`
    }
  }
  return null
}

function isSlow(regex: RegExp, text: (size: number) => string): boolean {
  const run = (size: number) => {
    const given = text(size)
    return () => void given.replace(regex, '')
  }
  return SIZES.some(([short, long]) => {
    const start = performance.now()
    run(long)()
    if (performance.now() - start < TICK_MS) return false
    const limit = (TIMES * long) / short
    return growth(run(short), run(long), limit) >= limit
  })
}

describe('a regular expression', () => {
  const all = regexes()

  it('is found wherever there is one: this test can see', { timeout: 300_000 }, () => {
    expect(all.length).toBeGreaterThan(200)
    expect(Object.keys(BOUNDED).filter((one) => !all.some(({ place }) => place === one))).toEqual([])
    for (const source of ['^(?:a+)+$', '^(?:ab|(?:ab)+)+$', '\\s+#', '=+$']) {
      expect([source, slowText({ place: '', regex: new RegExp(source) })]).not.toEqual([source, null])
    }
  })

  it('row 49: takes time proportional to the length of any input', {
    timeout: 600_000,
  }, () => {
    const slow = all.flatMap((one) => {
      const text = one.place in BOUNDED ? null : slowText(one)
      return text === null ? [] : [`${one.place} by ${text}`]
    })
    expect(slow).toEqual([])
  })
})
