/**
 * A real VS Code: code-server under a real browser, with the extension in its real extension host.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { freePort } from '../../support/ports.ts'
import { type Control, listen } from './control.ts'
import { distrust, serveWeb, speak, watch } from './page.ts'
import { findTools } from './tools.ts'

export const ROOT = resolve(import.meta.dirname, '../../..')
/** Screenshots of the last run, for review. */
export const OUTPUT = join(ROOT, 'test/output/editor')
const START_TIMEOUT_MS = 60_000

export interface EditorOptions {
  /** Files of the workspace, by path. */
  files?: Record<string, string>
  /** Settings of the user. */
  settings?: Record<string, unknown>
  /** How the extension comes into the editor: as a folder, as a package, or into the web worker host. */
  as?: 'folder' | 'vsix' | 'web'
  /** The package for `vsix`. */
  vsix?: string
  locale?: string
  /** Opens the folder in Restricted Mode. */
  restricted?: boolean
  /** Folders of other extensions, by `publisher.name-version`. */
  others?: Record<string, string>
  /** The port that the editor is to listen on. */
  port?: number
}

export interface Editor extends Pick<Control, 'evaluate'> {
  page: Page
  /** The folder that is open. */
  workspace: string
  /** Everything that code-server keeps: user data, logs, extensions. */
  home: string
  /** Every line of the browser's console, every request that the page sent, and every frame of its web sockets. */
  traffic: (string | Buffer)[]
  /** Runs a command from the palette, as a user does. */
  command(title: string): Promise<void>
  /** Types into the input box or picker with this title, and accepts. */
  answer(title: string, text: string): Promise<void>
  /** Waits for a notification with a text, keeps a picture of it, and clears all. */
  notified(text: string, shot?: string): Promise<void>
  shot(name: string): Promise<void>
  close(): Promise<void>
}

/** Starts it all and waits until the extension host listens. */
export async function startEditor(options: EditorOptions = {}): Promise<Editor> {
  const { chromium: executablePath, codeServer, node } = findTools()
  const home = mkdtempSync(join(tmpdir(), 'postern-editor-'))
  const workspace = join(home, 'workspace')
  writeFiles(workspace, { 'readme.txt': 'A workspace\n', ...options.files })
  writeFiles(join(home, 'data/User'), { 'settings.json': JSON.stringify(userSettings(options.settings)) })
  const control = await listen()
  const suite = await bundleSuite(join(home, 'driver'), control.url)
  if ((options.as ?? 'folder') === 'folder') {
    // Two folders, as an installation leaves them.
    mkdirSync(join(home, 'extensions'))
    symlinkSync(join(ROOT, 'extension/dist'), join(home, 'extensions/postern.postern-0.2.0'))
    symlinkSync(dirname(suite), join(home, 'extensions/test.driver-1.0.0'))
    for (const [name, folder] of Object.entries(options.others ?? {}))
      symlinkSync(folder, join(home, 'extensions', name))
  }
  const port = options.port ?? (await freePort())
  const origin = `127.0.0.1:${port}`
  const entry = join(codeServer, 'out/node/entry.js')
  const folders = ['--user-data-dir', join(home, 'data'), '--extensions-dir', join(home, 'extensions')]
  const env = serverEnvironment(home)
  if (options.as === 'vsix')
    await installed(spawn(node, [entry, ...folders, '--install-extension', options.vsix!], { env }))
  const args = [entry, '--auth', 'none', '--bind-addr', origin, ...folders, ...SERVER_OPTIONS]
  if (!options.restricted) args.push('--disable-workspace-trust')
  args.push(workspace)
  // Has the address name a suite; and keeps notifications and dialogs away, so that only one mode can use it.
  if (options.as === 'vsix') args.splice(1, 0, '--vscode-option', 'enable-smoke-test-driver')
  if (options.locale !== undefined) args.splice(1, 0, '--locale', options.locale)
  const server = spawn(node, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: string[] = []
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => output.push(String(chunk)))
  await reachable(`http://${origin}/healthz`, () => output.join(''))

  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  const context = await browser.newContext({
    viewport: { width: 1360, height: 850 },
    locale: options.locale ?? 'en-US',
  })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: `http://${origin}` })
  const page = await context.newPage()
  const traffic = watch(page)
  await page.exposeFunction(
    'codeAutomationLog',
    (_: string, args: unknown[]) => void traffic.push(JSON.stringify(args)),
  )
  const exited = Promise.withResolvers<number>()
  await page.exposeFunction('codeAutomationExit', (code: number) => exited.resolve(code))
  if (options.locale !== undefined) await speak(page, options.locale)
  if (options.restricted) await distrust(page)
  if (options.as === 'web') await serveWeb(page, origin, suite)
  const remote = (path: string) => `vscode-remote://${origin}${path}`
  const payload = [['skipWelcome', 'true']]
  if (options.as === 'vsix') {
    payload.push(['extensionDevelopmentPath', remote(dirname(suite))], ['extensionTestsPath', remote(suite)])
  }
  const query = new URLSearchParams({ folder: workspace, payload: JSON.stringify(payload) })
  await page.goto(`http://${origin}/?${query}`)
  const lost = () => `The extension host did not answer\n${output.join('')}\n${hostLogs(home)}`
  try {
    await inTime(control.ready, lost)
  } catch (error) {
    // The caller gets no editor to close, so close every part here.
    await control.close()
    await closeAll(browser, context, server)
    throw error
  }

  const shot = async (name: string) => {
    mkdirSync(OUTPUT, { recursive: true })
    await page.waitForTimeout(300)
    await page.screenshot({ path: join(OUTPUT, `${name}.png`) })
  }
  const inHost = (command: string) =>
    control.evaluate(async (vscode, id) => void (await vscode.commands.executeCommand(id)), command)
  return {
    shot,
    async notified(text, name) {
      await page.waitForTimeout(1000)
      await inHost('notifications.showList')
      await page.locator('.notification-list-item').filter({ hasText: text }).first().waitFor()
      if (name !== undefined) await shot(name)
      await inHost('notifications.clearAll')
    },
    page,
    workspace,
    home,
    traffic,
    evaluate: control.evaluate,
    async command(title) {
      // Another element that has the focus may take the keyboard shortcut.
      await inHost('workbench.action.showCommands')
      const input = page.locator('.quick-input-widget input')
      await input.waitFor()
      await input.fill(`>${title}`)
      await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first().waitFor()
      await page.keyboard.press('Enter')
    },
    async answer(title, text) {
      await page.locator('.quick-input-title').filter({ hasText: title }).waitFor()
      const input = page.locator('.quick-input-filter input').first()
      await input.fill(text)
      // A picker looks for the text a moment later.
      await page.waitForTimeout(500)
      // On the box itself: a terminal that ends meanwhile takes the focus.
      await input.press('Enter')
    },
    async close() {
      await control.close()
      await closeAll(browser, context, server)
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const SERVER_OPTIONS = ['--disable-telemetry', '--disable-update-check', '--disable-getting-started-override']
const DRIVER = {
  name: 'driver',
  publisher: 'test',
  version: '1.0.0',
  engines: { vscode: '^1.91.0' },
  main: './suite.js',
  activationEvents: ['onStartupFinished'],
  capabilities: { untrustedWorkspaces: { supported: true } },
}

function userSettings(more: Record<string, unknown> = {}) {
  return {
    'workbench.startupEditor': 'none',
    'workbench.welcomePage.experimentalOnboarding': false,
    'telemetry.telemetryLevel': 'off',
    'extensions.ignoreRecommendations': true,
    'chat.disableAIFeatures': true,
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'files.autoSave': 'off',
    'security.workspace.trust.startupPrompt': 'never',
    ...more,
  }
}

/** Creates an environment without this machine's settings and without our own. */
function serverEnvironment(home: string): NodeJS.ProcessEnv {
  const { PATH, LANG } = process.env
  return { PATH, HOME: home, SHELL: '/bin/bash', ...(LANG && { LANG }) }
}

function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** The suite with the address of these tests in it: a web worker has no environment to read it from. */
async function bundleSuite(folder: string, control: string): Promise<string> {
  writeFiles(folder, { 'package.json': JSON.stringify(DRIVER) })
  const outfile = join(folder, 'suite.js')
  await build({
    entryPoints: [join(import.meta.dirname, 'suite.ts')],
    bundle: true,
    format: 'cjs',
    external: ['vscode'],
    define: { CONTROL: JSON.stringify(control) },
    outfile,
  })
  return outfile
}

async function reachable(url: string, output: () => string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline) {
    const response = await fetch(url).catch(() => null)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`code-server did not start\n${output()}`)
}

function hostLogs(home: string): string {
  const logs = readdirSync(join(home, 'data/logs'), { recursive: true, encoding: 'utf8' })
  return logs
    .filter((path) => path.endsWith('exthost.log'))
    .map((path) => readFileSync(join(home, 'data/logs', path), 'utf8'))
    .join('\n')
}

async function installed(child: ChildProcess): Promise<void> {
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`The package was not installed\n${output}`)
}

async function inTime(work: Promise<void>, message: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), START_TIMEOUT_MS)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

async function closeAll(browser: Browser, context: BrowserContext, server: ChildProcess): Promise<void> {
  await context.close()
  await browser.close()
  const exited = new Promise((resolve) => server.once('exit', resolve))
  // A group of its own: the extension host and terminals must end too.
  process.kill(-server.pid!, 'SIGTERM')
  await exited
}
