/**
 * What the tests of a file begin and end with.
 *
 * @module
 */
import { afterAll, afterEach } from 'vitest'
import { type Editor, type EditorOptions, startEditor } from './editor.ts'

interface Closing {
  close(): unknown
}

/**
 * Keeps a picture of each test that fails, and in the end closes what the file started.
 *
 * @param started The editor, then the rest in the order to close in. Parts that did not start are skipped.
 */
export function attend(started: () => [Editor | null | undefined, ...(Closing | undefined)[]]): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await started()[0]?.shot(`failed ${task.name.slice(0, 30)}`)
  })
  afterAll(async () => {
    for (const one of started()) await one?.close()
  })
}

/** Signs in to the server that the settings call `here`, as a user does. */
export async function signIn(editor: Editor, token: string): Promise<void> {
  await beginSignIn(editor, token)
  await editor.notified('Signed in')
}

/** The same up to the token. */
export async function beginSignIn(editor: Editor, token: string): Promise<void> {
  await editor.command('Postern: Sign In')
  await editor.answer('Which Postern server', 'here')
  await editor.answer('Sign in to', token)
}

/** Starts an editor whose settings call a server `here`. */
export function startAt(endpoint: string, { settings, ...options }: EditorOptions = {}): Promise<Editor> {
  return startEditor({ ...options, settings: { 'postern.endpoints': { here: endpoint }, ...settings } })
}
