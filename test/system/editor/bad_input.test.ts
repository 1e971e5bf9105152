/** Errors state the next step, are not retried in a loop, and leave nothing half-done. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { canary } from '../../support/canary.ts'
import { attend, beginSignIn, signIn, startAt } from './attend.ts'
import type { Editor } from './editor.ts'
import { type Postern, startPostern } from './postern.ts'

const secret = canary()
let postern: Postern
let editor: Editor

/** Every diagnostic that the editor has for a file, as `line: message`. */
const diagnostics = (file: string, least: number) =>
  expect.poll(
    () =>
      editor.evaluate((vscode, name) => {
        const found = vscode.languages.getDiagnostics().find(([uri]) => uri.path.endsWith(`/${name}`))
        const ours = found?.[1].filter(({ source }) => source === 'postern') ?? []
        return ours.map(({ range, message }) => `${range.start.line}: ${message}`).sort()
      }, file),
    { timeout: 20_000, message: `${least} diagnostics of ${file}` },
  )

const setEndpoints = (endpoints: Record<string, string>) =>
  editor.evaluate(
    (vscode, own) =>
      vscode.workspace.getConfiguration('postern').update('endpoints', own, vscode.ConfigurationTarget.Global),
    endpoints,
  )

const show = (file: string) =>
  editor.evaluate(async (vscode, name) => {
    const [folder] = vscode.workspace.workspaceFolders!
    await vscode.window.showTextDocument(vscode.Uri.joinPath(folder!.uri, name))
  }, file)

beforeAll(async () => {
  postern = await startPostern({ 'dev/db': secret, 'dev/old': 'first' })
  await postern.admin.put('dev/old', (await postern.admin.get('dev/db')).value)
  editor = await startAt(postern.endpoint, {
    files: {
      'broken.env': 'A="open\n',
      '.env': [
        'OK=postern://default/dev/db',
        'WORD',
        '1 A=x',
        'GONE=postern://default/dev/gone',
        'BAD=postern://default/../x',
        'VAR=postern://default/${NOWHERE}/x',
        'STALE=postern://default/dev/old?version=1',
        'DB_PASSWORD=k3J9xmQ2pLw8',
        'OK=again',
        '',
      ].join('\n'),
      'huge.env': `A=${'x'.repeat(1_100_000)}\n`,
      'app.ts': 'const apiKey = "k3J9xmQ2pLw8Zt5RvB1n"\nconst a = process.env.OK\n',
    },
  })
  await signIn(editor, postern.token)
})

attend(() => [editor, postern])

const NO_ASSIGNMENT = 'A line has the form NAME=value. NAME consists of letters, digits, "_", "." and "-"'

describe('a document', () => {
  it('is told, line by line, what is wrong with it', async () => {
    await show('.env')
    await diagnostics('.env', 8).toEqual([
      `1: ${NO_ASSIGNMENT}`,
      `2: ${NO_ASSIGNMENT}`,
      '3: Not listed. It may be in a provider, hidden from you, or missing',
      expect.stringMatching(/^4: The name in a reference has/),
      '5: The variable NOWHERE is not set',
      '6: Version 2 is current. This reference is pinned to version 1',
      '7: This looks like a plain-text secret (sensitive-key)',
      '8: Duplicate name: the last value is used',
    ])
    await editor.shot('30-diagnostics')
    await show('broken.env')
    await diagnostics('broken.env', 1).toEqual(['0: The quote is not closed'])
    await show('huge.env')
    await diagnostics('huge.env', 1).toEqual(['0: This file is too large for a .env file'])
  })

  it('completes names only, and hovers with metadata', async () => {
    await show('.env')
    const [labels, hover] = await editor.evaluate(async (vscode) => {
      const { document } = vscode.window.activeTextEditor!
      const at = new vscode.Position(0, 'OK=postern://default/dev/'.length)
      const list = await vscode.commands.executeCommand<{ items: { label: string }[] }>(
        'vscode.executeCompletionItemProvider',
        document.uri,
        at,
        '/',
      )
      type Hover = { contents: { value: string }[] }
      const hovers = await vscode.commands.executeCommand<Hover[]>('vscode.executeHoverProvider', document.uri, at)
      return [list.items.map(({ label }) => label), hovers.map(({ contents }) => contents[0]!.value).join()]
    })
    expect(labels).toEqual(expect.arrayContaining(['db', 'old']))
    expect(hover).toContain('v1')
    expect(hover).toContain('command:postern.peek')
  })

  it('finds where a key is defined, and renames it in code and .env at once', async () => {
    const found = await editor.evaluate(async (vscode) => {
      const [folder] = vscode.workspace.workspaceFolders!
      const app = vscode.Uri.joinPath(folder!.uri, 'app.ts')
      await vscode.window.showTextDocument(app)
      type Place = { uri?: { path: string }; targetUri?: { path: string } }
      const places = await vscode.commands.executeCommand<Place[]>(
        'vscode.executeDefinitionProvider',
        app,
        new vscode.Position(1, 24),
      )
      const env = vscode.Uri.joinPath(folder!.uri, '.env')
      const edit = await vscode.commands.executeCommand<InstanceType<typeof vscode.WorkspaceEdit>>(
        'vscode.executeDocumentRenameProvider',
        env,
        new vscode.Position(0, 1),
        'FINE',
      )
      const names = (uri: { path: string }) => uri.path.slice(uri.path.lastIndexOf('/') + 1)
      return [
        places.map(({ uri, targetUri }) => names((uri ?? targetUri)!)),
        edit
          .entries()
          .map(([uri]) => names(uri))
          .sort(),
      ]
    })
    expect(found[0]).toContain('.env')
    expect(found[1]).toEqual(['.env', 'app.ts'])
  })

  it('gets a literal moved into the vault, and an accessor in its place', async () => {
    await show('app.ts')
    await diagnostics('app.ts', 1).toEqual(['0: This looks like a plain-text secret (high-entropy)'])
    await editor.evaluate((vscode) => {
      const { document } = vscode.window.activeTextEditor!
      void vscode.commands.executeCommand('postern.storeSelection', document.uri, new vscode.Range(0, 16, 0, 36))
    })
    await editor.answer('Store as Secret', 'dev/api-key')
    await expect
      .poll(() => editor.evaluate((vscode) => vscode.window.activeTextEditor!.document.lineAt(0).text), {
        timeout: 10_000,
      })
      .toBe('const apiKey = process.env.API_KEY')
    expect((await postern.admin.get('dev/api-key')).value.reveal()).toBe('k3J9xmQ2pLw8Zt5RvB1n')
    await editor.notified('Stored as dev/api-key', '31-stored')
  })
})

describe('a server', () => {
  it('is not asked about a vault without a signed-in account', async () => {
    const reference = 'postern://other/x'
    await editor.evaluate(
      (vscode, one) => void vscode.commands.executeCommand('postern.peek', { reference: one }),
      reference,
    )
    await editor.notified('Sign in to the vault other first')
  })

  it('is not reported as unreachable when it has ended the session, and signing in is the next step', async () => {
    await postern.admin.endSessions('admin')
    await editor.evaluate((vscode) => void vscode.commands.executeCommand('postern.refresh'))
    await editor.notified('The session has expired or was ended', '32-expired')
  })

  it('with an untrusted certificate gets nothing', async () => {
    const requests: string[] = []
    const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'))
    const pair = ['-keyout', 'key.pem', '-out', 'cert.pem']
    const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes']
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...pair, ...subject], {
      cwd: folder,
      stdio: 'ignore',
    })
    const [key, cert] = ['key.pem', 'cert.pem'].map((file) => readFileSync(join(folder, file)))
    const untrusted = createServer({ key, cert }, (request, response) => {
      requests.push(request.url ?? '')
      response.end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => untrusted.once('listening', resolve))
    const { port } = untrusted.address() as AddressInfo
    await setEndpoints({ odd: `https://127.0.0.1:${port}` })
    await editor.command('Postern: Sign In')
    await editor.answer('Which Postern server', 'odd')
    await editor.answer('Sign in to', postern.token)
    await editor.notified('The TLS certificate for 127.0.0.1', '33-certificate')
    expect(requests).toEqual([])
    untrusted.close()
    rmSync(folder, { recursive: true })
  })

  it('is reported as unreachable, once, when it is down', async () => {
    await setEndpoints({ here: 'http://127.0.0.1:9' })
    await beginSignIn(editor, postern.token)
    await editor.notified('The server is unreachable')
  })

  it('is never asked when a folder names it and the user does not', async () => {
    await editor.evaluate((vscode) =>
      vscode.workspace.getConfiguration('postern').update('endpoint', 'evil', vscode.ConfigurationTarget.Workspace),
    )
    await editor.evaluate(
      (vscode) => void vscode.commands.executeCommand('postern.peek', { reference: 'postern://default/dev/db' }),
    )
    await editor.notified('which is not in your settings', '34-not-yours')
  })
})
