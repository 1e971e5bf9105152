/**
 * The Bun server as the image has it: built into a file, without sources and packages, and with the image's settings of the
 * engine. The measured file is the deployed one.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { admit, cleanEnvironment, launch, type Server, type Site, settingsOf } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** Builds server and commands into a site, once, and tells where they are. */
export function buildIn({ data }: Site): string {
  const built = join(data, 'dist')
  if (existsSync(built)) return built
  const { build } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts as { build: string }
  // No shell is between: its quotes are left out.
  const [program, ...args] = build.slice(build.indexOf('bun build')).replaceAll("'", '').split(' ')
  // The later of two is taken.
  const { status, stdout, stderr } = spawnSync(program!, [...args, `--outdir=${built}`], {
    cwd: ROOT,
    env: cleanEnvironment(),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Server cannot be built:\n${stdout}${stderr}`)
  cpSync(join(ROOT, 'docs/reference/api'), join(data, 'docs/reference/api'), { recursive: true })
  return built
}

/** What the image sets for the engine. */
export function engineSettings(): Record<string, string> {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  return Object.fromEntries([...dockerfile.matchAll(/^(?:ENV| {3}) (BUN_\w+)=(\S+)/gm)].map(([, k, v]) => [k!, v!]))
}

/** Starts the built server over a site. */
export async function startBuilt(site: Site, extra: Record<string, string> = {}): Promise<Server> {
  const settings = { ...settingsOf(site), ...engineSettings(), ...extra }
  const server = await launch('bun', ['--no-env-file', '--config=/dev/null', join(buildIn(site), 'bun.js')], settings)
  await admit(site, server.endpoint)
  return server
}
