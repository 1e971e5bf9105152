/**
 * Writes what the server is made of as a CycloneDX SBOM, for a release to carry: `npx node scripts/sbom.ts`.
 *
 * It ends with 1 when a package that the lock has is missing there, or has a licence that is not on the list below.
 * `npm sbom --omit dev` alone leaves out a package that development packages need too, so all are asked for, and the lock
 * says which of them are of production.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

const ROOT = join(import.meta.dirname, '..')
const FILE = join(ROOT, 'test/output/postern.cdx.json')
/** Licences that ask for no more than a notice, by their SPDX ids. */
const ALLOWED = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'])

interface Component {
  name: string
  version: string
  'bom-ref': string
  hashes?: { alg: string; content: string }[]
  licenses?: ({ license: { id?: string; name?: string } } | { expression: string })[]
}

interface Sbom {
  metadata: { component: { name: string } }
  components: Component[]
  dependencies: { ref: string; dependsOn?: string[] }[]
}

interface Locked {
  version: string
  dev?: true
  optional?: true
  devOptional?: true
}

/** Name and version of what is installed in production, as the lock has it. */
function production(): Set<string> {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const entries = Object.entries(packages as Record<string, Locked>)
  const kept = entries.filter(([path, one]) => path !== '' && !one.dev && !one.optional && !one.devOptional)
  return new Set(kept.map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`))
}

/** The reason why a component's licence is not allowed, or `null`. One of several alternatives must be allowed. */
function licenceFlaw({ name, licenses = [] }: Component): string | null {
  const named = licenses.map((one) =>
    'expression' in one ? one.expression : (one.license.id ?? one.license.name ?? ''),
  )
  const alternatives = named.flatMap((text) => text.replaceAll(/[()]/g, '').split(' OR '))
  const known = alternatives.some((id) => ALLOWED.has(id))
  return known ? null : `${name}: licence ${named.join(', ') || 'unknown'} is not on the list`
}

function make(): Sbom {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const
  const all: Sbom = JSON.parse(
    execFileSync(npm, ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], options),
  )
  const wanted = production()
  const components = all.components.filter(({ name, version }) => wanted.has(`${name}@${version}`))
  const refs = new Set(components.map((one) => one['bom-ref']))
  const root = all.dependencies[0]!.ref
  const dependencies = all.dependencies
    .filter(({ ref }) => ref === root || refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }))
  // npm names it after the folder that it is checked out to.
  const metadata = { ...all.metadata, component: { ...all.metadata.component, name: 'postern' } }
  return { ...all, metadata, components, dependencies }
}

const sbom = make()
const there = new Set(sbom.components.map(({ name, version }) => `${name}@${version}`))
const flaws = [
  ...[...production()].filter((one) => !there.has(one)).map((one) => `${one} is missing`),
  ...sbom.components.flatMap((one) => licenceFlaw(one) ?? []),
  ...sbom.components.filter(({ hashes }) => !hashes?.length).map(({ name }) => `${name}: its hash is missing`),
]
mkdirSync(join(FILE, '..'), { recursive: true })
writeFileSync(FILE, `${JSON.stringify(sbom, null, 2)}\n`)
process.stdout.write(`${FILE}: ${there.size} packages\n`)
for (const flaw of flaws) process.stderr.write(`${flaw}\n`)
if (flaws.length > 0 || there.size === 0) process.exitCode = 1
