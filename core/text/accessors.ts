/**
 * Writes and finds the expressions by which each language reads an environment variable.
 *
 * @module
 */

/** An expression in a text that reads an environment variable. */
export interface FoundAccessor {
  key: string
  /** The offsets of the key, without quotes. */
  start: number
  end: number
}

interface Dialect {
  languages: readonly string[]
  /** The accessor, with `X` for the key. */
  template: string
  /** Matches the text before a key. */
  openers: readonly string[]
}

const QUOTE = `["'\`]`
const DIALECTS: readonly Dialect[] = [
  {
    languages: [
      'javascript',
      'javascriptreact',
      'typescript',
      'typescriptreact',
      'vue',
      'svelte',
      'astro',
      'coffeescript',
    ],
    template: 'process.env.X',
    openers: ['\\bprocess\\.env\\.', `\\bprocess\\.env\\[${QUOTE}`, '\\bimport\\.meta\\.env\\.', '\\bc\\.env\\.'],
  },
  {
    languages: ['python'],
    template: 'os.environ["X"]',
    openers: [`\\bos\\.environ\\[${QUOTE}`, `\\bos\\.environ\\.get\\(${QUOTE}`, `\\bos\\.getenv\\(${QUOTE}`],
  },
  { languages: ['ruby'], template: 'ENV["X"]', openers: [`\\bENV\\[${QUOTE}`, `\\bENV\\.fetch\\(${QUOTE}`] },
  {
    languages: ['java', 'kotlin', 'scala', 'groovy', 'clojure'],
    template: 'System.getenv("X")',
    openers: ['\\bSystem\\.getenv\\("'],
  },
  {
    languages: ['rust'],
    template: 'std::env::var("X")',
    openers: ['\\benv::var(?:_os)?\\("', '\\benv!\\("', '\\boption_env!\\("'],
  },
  { languages: ['go'], template: 'os.Getenv("X")', openers: ['\\bos\\.(?:Getenv|LookupEnv)\\("'] },
  { languages: ['php'], template: 'getenv("X")', openers: [`\\bgetenv\\(${QUOTE}`, `\\$_(?:ENV|SERVER)\\[${QUOTE}`] },
  {
    languages: ['csharp', 'fsharp', 'vb'],
    template: 'Environment.GetEnvironmentVariable("X")',
    openers: ['\\bEnvironment\\.GetEnvironmentVariable\\("'],
  },
  { languages: ['c', 'cpp', 'objective-c', 'lua'], template: 'getenv("X")', openers: ['\\bgetenv\\("'] },
  { languages: ['shellscript', 'makefile', 'dockerfile'], template: '"${X}"', openers: ['\\$\\{', '\\$(?=[A-Za-z_])'] },
  { languages: ['powershell'], template: '$env:X', openers: ['\\$env:', '\\$\\{env:'] },
  { languages: ['perl'], template: '$ENV{X}', openers: [`\\$ENV\\{${QUOTE}?`] },
  { languages: ['elixir'], template: 'System.fetch_env!("X")', openers: ['\\bSystem\\.(?:fetch_env!?|get_env)\\("'] },
  { languages: ['dart'], template: "Platform.environment['X']", openers: [`\\bPlatform\\.environment\\[${QUOTE}`] },
  {
    languages: ['swift'],
    template: 'ProcessInfo.processInfo.environment["X"]',
    openers: ['\\bprocessInfo\\.environment\\["'],
  },
  { languages: ['r'], template: 'Sys.getenv("X")', openers: [`\\bSys\\.getenv\\(${QUOTE}`] },
  { languages: ['julia'], template: 'ENV["X"]', openers: ['\\bENV\\["'] },
]

const KEY = '[A-Za-z_][A-Za-z0-9_]{0,127}'

/** The languages with an accessor. */
export const ACCESSOR_LANGUAGES: readonly string[] = DIALECTS.flatMap(({ languages }) => languages)

/** Returns the accessor of a key in a language, or `null` for an unknown language, which gets a reference instead. */
export function accessorOf(languageId: string, key: string): string | null {
  return dialectOf(languageId)?.template.replace('X', () => key) ?? null
}

/** Finds every accessor in a text. Linear. */
export function findAccessors(text: string, languageId: string): FoundAccessor[] {
  const dialect = dialectOf(languageId)
  if (dialect === undefined) return []
  const pattern = new RegExp(`(?:${dialect.openers.join('|')})(${KEY})`, 'g')
  return [...text.matchAll(pattern)].map(({ 0: whole, 1: key = '', index }) => {
    const end = index + whole.length
    return { key, start: end - key.length, end }
  })
}

/** Returns the partial key before the cursor, or `null` if there is no accessor. */
export function typedKey(before: string, languageId: string): string | null {
  const dialect = dialectOf(languageId)
  if (dialect === undefined) return null
  return new RegExp(`(?:${dialect.openers.join('|')})([A-Za-z0-9_]{0,128})$`).exec(before.slice(-256))?.[1] ?? null
}

/** Returns the likely environment variable for a secret: `DB_URL` for `prod/db/url`. */
export function keyOf(secretName: string): string {
  const segments = secretName.split('/')
  const telling = segments.length > 1 ? segments.slice(1) : segments
  const key = telling
    .join('_')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9_]/g, '_')
  return /^[0-9]/.test(key) ? `_${key}` : key
}

function dialectOf(languageId: string): Dialect | undefined {
  return DIALECTS.find(({ languages }) => languages.includes(languageId))
}
