/**
 * What the editor's tests need and npm does not bring. Where something is missing they say what to install, and fail.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'

/** The version of code-server that the tests are known to work with. */
export const CODE_SERVER = '4.139.1'

const CACHE = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
const ROOT = resolve(import.meta.dirname, '../../..')
/** Outside of any checkout, and kept between runs: its native parts take minutes to build. */
export const CODE_SERVER_FOLDER = join(CACHE, 'postern-editor')

export interface Tools {
  chromium: string
  /** The folder of code-server's package. */
  codeServer: string
  node: string
}

/**
 * Finds the tools.
 *
 * @throws {Error} saying what to install.
 */
export function findTools(): Tools {
  const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
  const codeServer = join(CODE_SERVER_FOLDER, 'node_modules/code-server')
  const missing = [
    chromium === undefined && 'a browser: apt-get install chromium',
    !isInstalled(codeServer) &&
      `code-server ${CODE_SERVER}: apt-get install build-essential python3 libkrb5-dev, then npx node test/system/editor/install.ts`,
  ].filter(Boolean)
  if (missing.length > 0) throw new Error(`The editor's tests need\n  ${missing.join('\n  ')}`)
  return { chromium: chromium!, codeServer, node: join(ROOT, 'node_modules/.bin/node') }
}

/** Whether it is there in the right version, with its native parts built. */
function isInstalled(folder: string): boolean {
  const manifest = join(folder, 'package.json')
  const watchdog = join(folder, 'lib/vscode/node_modules/@vscode/native-watchdog/build/Release/watchdog.node')
  return existsSync(watchdog) && JSON.parse(readFileSync(manifest, 'utf8')).version === CODE_SERVER
}
