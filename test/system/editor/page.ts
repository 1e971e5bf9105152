/**
 * Prepares the page before the editor loads in it.
 *
 * @module
 */
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'

const DIST = resolve(import.meta.dirname, '../../../extension/dist')

/** Says another language than the editor's own texts are in: those of extensions follow it. */
export async function speak(page: Page, language: string): Promise<void> {
  await page.addInitScript((language) => {
    Object.defineProperty(globalThis, '_VSCODE_NLS_LANGUAGE', { get: () => language, set: () => {} })
  }, language)
}

/** Has the editor find out whether the folder is trusted, as on a desktop: in a browser it takes that for granted. */
export async function distrust(page: Page): Promise<void> {
  await page.route('**/workbench.js', async (route) => {
    const response = await route.fetch()
    const [before, after, ...more] = (await response.text()).split('this.trusted=!0')
    if (after === undefined || more.length > 0) throw new Error('This editor grants trust in another way')
    await route.fulfill({ response, body: `${before}this.trusted=void 0${after}` })
  })
}

/** Serves extension and suite to the page, and tells it to run them in the web worker extension host. */
export async function serveWeb(page: Page, origin: string, suite: string): Promise<void> {
  const base = '/postern-under-test'
  await page.route(`http://${origin}${base}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.slice(base.length)
    const file = path === '/suite.js' ? suite : join(DIST, decodeURIComponent(path))
    await route.fulfill({ path: file }).catch(() => route.fulfill({ status: 404 }))
  })
  await page.addInitScript(
    ({ authority, base }) => {
      const configure = () => {
        const meta = document.getElementById('vscode-workbench-web-configuration')
        const settings = meta?.getAttribute('data-settings')
        if (!meta || !settings || settings.includes('postern-under-test')) return
        const configuration = JSON.parse(settings)
        const at = (path: string) => ({ scheme: 'http', authority, path: base + path })
        configuration.developmentOptions = {
          ...configuration.developmentOptions,
          extensions: [at('')],
          extensionTestsPath: at('/suite.js'),
        }
        meta.setAttribute('data-settings', JSON.stringify(configuration))
      }
      new MutationObserver(configure).observe(document, { childList: true, subtree: true })
    },
    { authority: origin, base },
  )
}

/** Notes what the page says, asks for, and sends and receives over its web sockets. */
export function watch(page: Page): (string | Buffer)[] {
  const traffic: (string | Buffer)[] = []
  page.on('console', (message) => traffic.push(message.text()))
  page.on('request', (request) => {
    traffic.push(
      `${request.method()} ${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ''}`,
    )
  })
  page.on('websocket', (socket) => {
    for (const event of ['framesent', 'framereceived'] as const) {
      socket.on(event as 'framesent', ({ payload }) => void traffic.push(payload))
    }
  })
  return traffic
}
