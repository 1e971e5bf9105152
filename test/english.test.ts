/**
 * The English of the repository, by the rules of docs/contributing/style.md.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkedFiles, type Hit, hitsIn, hitsOf } from './english.ts'

/** Files and folders that are clean, and stay so. */
const CLEAN = [
  '.ci',
  '.github',
  'CHANGELOG.md',
  'Dockerfile',
  'README.md',
  'core/addresses.ts',
  'core/authentication',
  'core/bytes.ts',
  'core/client',
  'core/content_type.ts',
  'core/credential_forms.ts',
  'core/crypto',
  'core/durations.ts',
  'core/encoding.ts',
  'core/errors.ts',
  'core/export',
  'core/histogram.ts',
  'core/http',
  'core/index.ts',
  'core/json.ts',
  'core/json_source.ts',
  'core/loopback.ts',
  'core/names.ts',
  'core/patterns.ts',
  'core/programming_error.ts',
  'core/provider_registry',
  'core/providers',
  'core/races.ts',
  'core/rate_limit.ts',
  'core/redacted.ts',
  'core/reference.ts',
  'core/rotation_targets',
  'core/sanitize.ts',
  'core/sealing',
  'core/settings',
  'core/sleep.ts',
  'core/text',
  'core/tlog',
  'core/uuid.ts',
  'core/values',
  'core/vault',
  'core/wire',
  'docs/README.md',
  'docs/compare.md',
  'docs/concepts',
  'docs/contributing',
  'docs/examples',
  'docs/glossary.md',
  'docs/how-to',
  'docs/reference/api',
  'docs/reference/benchmarks.md',
  'docs/reference/faults.md',
  'docs/reference/load.md',
  'docs/reference/metrics.md',
  'docs/reference/settings.md',
  'docs/reference/stores',
  'docs/reference/versioning.md',
  'docs/start',
  'scripts',
  'scripts/settings_reference.ts',
  'test/attacks',
  'test/deploy.test.ts',
  'test/docs.test.ts',
  'test/docstrings.test.ts',
  'test/docstrings.ts',
  'test/english.ts',
  'test/english_texts.ts',
  'test/fuzz',
  'test/imports.test.ts',
  'test/perf',
  'test/regexes.test.ts',
  'test/suites',
  'test/support',
  'test/system/workerd',
  'test/unit/worker/attacks.test.ts',
  'test/unit/worker/bad_input.test.ts',
  'test/unit/worker/blind.test.ts',
  'test/unit/worker/http',
  'test/unit/worker/large_inputs.test.ts',
  'test/unit/worker/provider_access',
  'test/unit/worker/routes',
  'test/unit/worker/telemetry',
  'test/unit/worker/vault_host',
  'test/workflows.test.ts',
  'worker/app.ts',
  'worker/bun.ts',
  'worker/cloudflare.ts',
  'worker/compose.ts',
  'worker/deno.ts',
  'worker/http',
  'worker/node.ts',
  'worker/openapi',
  'worker/provider_access',
  'worker/routes',
  'worker/services.ts',
  'worker/telemetry',
  'worker/vault_host',
  'worker/vault_object.ts',
  'wrangler.toml',
]

const ALLOWED = readFileSync(join(import.meta.dirname, 'english_allowed.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' | ') as [path: string, phrase: string, reason: string])

const allows = (hit: Hit) => ALLOWED.some(([path, phrase]) => hit.path === path && hit.excerpt === phrase)
const rulesFor = (path: string, source: string) => hitsOf(path, source).map(({ line, rule }) => `${line} ${rule}`)

describe('the English of the repository', () => {
  const hits = hitsIn(checkedFiles(CLEAN))

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
