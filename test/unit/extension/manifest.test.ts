/** The manifest, its languages and the code say the same. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOM = resolve(import.meta.dirname, '../../../extension')
const json = (path: string) => JSON.parse(readFileSync(join(ROOM, path), 'utf8'))
const manifest = json('package.json')
const sources = readdirSync(ROOM, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('dist'))
  .map((path) => readFileSync(join(ROOM, path), 'utf8'))
const code = sources.join('\n')

/** Every text that the code gives to `l10n.t`. */
const texts = [...code.matchAll(/\bt\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/g)].map(([, single, double]) =>
  (single ?? double)!.replaceAll("\\'", "'"),
)
const holes = (text: string) => [...text.matchAll(/\{\d\}|\$\([a-z-]+\)/g)].map(([hole]) => hole).sort()

describe('languages', () => {
  const german: Record<string, string> = json('l10n/bundle.l10n.de.json')

  it('are complete: every text of the code has a German one, and no other is kept', () => {
    expect(texts.length).toBeGreaterThan(150)
    expect(Object.keys(german).sort()).toEqual([...new Set(texts)].sort())
  })

  it('have the same places to fill in', () => {
    for (const [text, translated] of Object.entries(german))
      expect([text, holes(translated)]).toEqual([text, holes(text)])
  })

  it('cover the manifest, every text of it by name', () => {
    const english = json('package.nls.json')
    const named = [...readFileSync(join(ROOM, 'package.json'), 'utf8').matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key)
    expect([...new Set(named)].sort()).toEqual(Object.keys(english).sort())
    expect(Object.keys(json('package.nls.de.json')).sort()).toEqual(Object.keys(english).sort())
  })
})

describe('the manifest', () => {
  const { contributes } = manifest
  const commands: string[] = contributes.commands.map(({ command }: { command: string }) => command)

  it('names commands that the code has, and menus that name commands', () => {
    for (const command of commands) expect(code).toContain(`'${command}'`)
    for (const items of Object.values<{ command: string }[]>(contributes.menus)) {
      for (const { command } of items) expect(commands).toContain(command)
    }
  })

  it('takes servers, keys of logs and permissions from the user alone', () => {
    const settings = contributes.configuration.properties
    for (const name of ['endpoints', 'logKeys', 'witnesses', 'allowWriteToDisk']) {
      expect(settings[`postern.${name}`]).toMatchObject({ scope: 'application', ignoreSync: true })
    }
    const loose = Object.entries<{ scope: string }>(settings).filter(([, { scope }]) => scope !== 'application')
    const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces
    expect(restrictedConfigurations.sort()).toEqual(loose.map(([name]) => name).sort())
  })

  it('starts with nothing that is not ours, and asks for the oldest editor that we run on', () => {
    expect(manifest.activationEvents).not.toContain('*')
    expect(manifest.activationEvents).not.toContain('onStartupFinished')
    expect(manifest.engines.vscode).toBe('^1.91.0')
    expect(manifest.dependencies).toBeUndefined()
  })

  it('shows no value to what can run without the user: commands that do ask for trust', () => {
    const enablement = new Map<string, string>(
      contributes.commands.map((one: { command: string; enablement?: string }) => [one.command, one.enablement ?? '']),
    )
    for (const command of ['peek', 'copy', 'insertValue', 'openHydratedEnv', 'runInTerminal', 'writeEnvFile']) {
      expect(enablement.get(`postern.${command}`)).toContain('isWorkspaceTrusted')
    }
  })
})
