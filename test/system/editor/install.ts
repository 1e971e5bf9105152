/**
 * Installs code-server into the user's cache: `npx node test/system/editor/install.ts`. It needs build-essential, python3 and libkrb5-dev.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { CODE_SERVER, CODE_SERVER_FOLDER, findTools } from './tools.ts'

const MODULES = resolve(import.meta.dirname, '../../../node_modules')

/** The Node that npm brought has its headers with it: nothing is downloaded to compile against. */
function nodeFolder(): string {
  const found = readdirSync(MODULES).find((name) => /^node-(?:bin-)?(?:linux|darwin|win)-/.test(name))
  if (found === undefined) throw new Error('npm ci brought no Node')
  return join(MODULES, found)
}

try {
  findTools()
  process.stdout.write(`code-server ${CODE_SERVER} is there\n`)
} catch {
  mkdirSync(CODE_SERVER_FOLDER, { recursive: true })
  writeFileSync(join(CODE_SERVER_FOLDER, 'package.json'), '{"private":true,"allowScripts":{"code-server":true}}\n')
  // `npm install` would read the variables that `npm run` sets for its children as settings.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))
  const env = { ...Object.fromEntries(inherited), npm_config_nodedir: nodeFolder() }
  const args = ['install', '--no-audit', '--no-fund', `code-server@${CODE_SERVER}`]
  execFileSync('npm', args, { cwd: CODE_SERVER_FOLDER, env, stdio: 'inherit' })
}
