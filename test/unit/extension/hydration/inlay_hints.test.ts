/** Hints show the metadata of a secret, and newer versions since it was fetched. */
import { expect, it, vi } from 'vitest'
import type { HydratedDocuments } from '../../../../extension/hydration/documents.ts'
import { registerInlayHints } from '../../../../extension/hydration/inlay_hints.ts'
import { SecretList, type SecretMetadata } from '../../../../extension/vaults/secret_list.ts'

interface Hint {
  label: { value: string }[]
}
interface Provider {
  provideInlayHints(document: unknown, range: unknown): Hint[]
}

const { registered, fired } = vi.hoisted(() => ({ registered: [] as Provider[], fired: [] as string[] }))
vi.mock('vscode', () => {
  const nothing = () => ({ dispose() {} })
  const settings: Record<string, unknown> = { endpoint: '', environment: '' }
  const getConfiguration = () => ({
    get: (key: string, usual: unknown) => settings[key] ?? usual,
    inspect: () => ({ globalValue: { here: 'https://secrets.example' } }),
  })
  return {
    l10n: { t: (text: string, ...args: unknown[]) => text.replaceAll(/\{(\d)\}/g, (_, n) => String(args[Number(n)])) },
    EventEmitter: class {
      event = nothing
      fire() {
        fired.push('hints')
      }
    },
    workspace: { getConfiguration },
    languages: {
      registerInlayHintsProvider: (_: unknown, provider: Provider) => void registered.push(provider),
      registerCodeLensProvider: nothing,
    },
    Disposable: { from: nothing },
    InlayHint: class {
      readonly position: unknown
      readonly label: unknown
      constructor(position: unknown, label: unknown) {
        this.position = position
        this.label = label
      }
    },
    InlayHintLabelPart: class {
      readonly value: string
      constructor(value: string) {
        this.value = value
      }
    },
  }
})

const FREE = 'postern://acme/db'
const PINNED = 'postern://acme/db?version=1'
const source = { scheme: 'file', path: '/w/.env', toString: () => 'file:///w/.env' }
const hydrated = { scheme: 'postern-env', path: '/w/.env (dev)' }
const text = `A=${FREE}\nB=${PINNED}\n`

it('shows a newer version as soon as the list of names has it, and none for a pinned reference', async () => {
  let version = 1
  const list = async () => ({ items: [{ name: 'db', version, provider: 'sealed' }] as unknown as SecretMetadata[] })
  const loaded: (() => void)[] = []
  const names = new SecretList(list, () => loaded.forEach((one) => void one()))
  const secret = { name: 'db', version: 1, provider: 'sealed' }
  const outcomes = new Map([FREE, PINNED].map((one) => [one, { secret, fingerprint: '' }]))
  const rows = [FREE, PINNED].map((reference, line) => ({ key: 'A', reference, line }))
  const hydrations = {
    onDidChange: () => {},
    of: () => ({ source, environment: '', rows, outcomes }),
    outcomeOf: (_: unknown, reference: string) => outcomes.get(reference),
  }
  const vaults = {
    onDidChange: () => {},
    onDidLoadNames: (work: () => void) => void loaded.push(work),
    listed: ({ vault, name }: { vault: string; name: string }) =>
      vault === 'acme' ? names.known?.find(name) : undefined,
  }
  registerInlayHints({ vaults } as never, hydrations as unknown as HydratedDocuments)
  const document = (uri: object) => ({
    ...{ uri, lineCount: 2, getText: () => text, positionAt: (at: number) => at },
    lineAt: (line: number) => ({ range: { end: line } }),
  })
  const hints = (uri: object) =>
    registered[0]!.provideInlayHints(document(uri), { contains: () => true }).map(({ label }) => label[0]!.value)
  const fetched = '✓ sealed · v1'
  await names.names()
  expect([hints(source), hints(hydrated)]).toEqual([
    [fetched, fetched],
    [fetched, fetched],
  ])
  version = 2
  names.forget()
  // Old is better than nothing, until the server has answered.
  expect(names.known?.find('db')?.version).toBe(1)
  fired.length = 0
  await names.names()
  expect(fired).toEqual(['hints'])
  const since = [`${fetched} · v2 is current`, fetched]
  expect([hints(source), hints(hydrated)]).toEqual([since, since])
  outcomes.clear()
  expect(hints(source)).toEqual(['sealed · v2'])
})

it('are not told by a list that was asked for before something changed', async () => {
  const answers = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  let asked = 0
  const names = new SecretList(async () => {
    const version = await answers[asked++]!.promise
    return { items: [{ name: 'db', version }] as unknown as SecretMetadata[] }
  })
  const early = names.names()
  names.forget()
  const late = names.names()
  answers[1]!.resolve(2)
  await late
  answers[0]!.resolve(1)
  await early
  expect(names.known?.find('db')?.version).toBe(2)
  expect((await names.names()).find('db')?.version).toBe(2)
  expect(asked).toBe(2)
})
