/**
 * Runs inside the extension host, in Node or in a web worker: it evaluates what the tests send, until they are done.
 *
 * @module
 */
import * as vscode from 'vscode'

/** Put in by the build: where the tests listen. */
declare const CONTROL: string

interface Job {
  id: number
  source: string
  args: unknown[]
}

/** The editor calls this; when it resolves, the window's tests are over. */
export async function run(): Promise<void> {
  for (;;) {
    const response = await fetch(`${CONTROL}/next`, { method: 'POST', body: '{}' })
    if (response.status === 410) return
    if (response.status === 204) continue
    const { id, source, args } = (await response.json()) as Job
    // One at a time, but not waiting for it: a job may be a dialog that another one answers.
    void evaluate(source, args).then((outcome) =>
      fetch(`${CONTROL}/done`, { method: 'POST', body: JSON.stringify({ id, ...outcome }) }),
    )
  }
}

/** As an extension of its own: so started, the editor shows dialogs and notifications as it does to a user. */
export function activate(): void {
  void run()
}

async function evaluate(source: string, args: unknown[]): Promise<{ value?: unknown; error?: string }> {
  try {
    const work = new Function('vscode', `return (${source})`)(vscode)
    return { value: (await work(vscode, ...args)) ?? null }
  } catch (error) {
    return { error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) }
  }
}
