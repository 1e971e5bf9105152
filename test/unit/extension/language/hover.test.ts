/** The hover card of a reference. Its links do what they say, even if the reference holds Markdown. */
import { marked } from 'marked'
import { expect, it, vi } from 'vitest'
import type { HydratedDocuments } from '../../../../extension/hydration/documents.ts'
import { registerHover } from '../../../../extension/language/hover.ts'

interface Provider {
  provideHover(document: unknown, position: unknown): Promise<{ contents: { value: string } } | null>
}

const { hovers } = vi.hoisted(() => ({ hovers: [] as Provider[] }))
vi.mock('vscode', () => {
  const nothing = () => ({ dispose() {} })
  const settings: Record<string, unknown> = { environment: 'dev' }
  return {
    l10n: { t: (text: string) => text },
    languages: {
      registerHoverProvider: (_: unknown, provider: Provider) => void hovers.push(provider),
    },
    workspace: { getConfiguration: () => ({ get: (key: string, usual: unknown) => settings[key] ?? usual }) },
    Disposable: { from: nothing },
    Range: class {},
    Hover: class {
      readonly contents: unknown
      constructor(contents: unknown) {
        this.contents = contents
      }
    },
    MarkdownString: class {
      value = ''
      appendMarkdown(text: string) {
        this.value += text
        return this
      }
      appendText(text: string) {
        return this.appendMarkdown(text.replaceAll(/[\\`*_{}[\]()#+\-!~]/g, '\\$&'))
      }
    },
  }
})

it.each([
  'postern://acme/db',
  'postern://acme/${POSTERN_ENV:-(a)b)}/db',
  'postern://acme/${POSTERN_ENV:-](command:evil)}/db',
  'postern://acme/${POSTERN_ENV:-<\'"!*>}/db',
])('%s: two commands, each about this reference', async (reference) => {
  const vaults = { at: async () => [{ id: 'acme', names: { namesQuietly: async () => ({ find: () => undefined }) } }] }
  const hydrations = { outcomeOf: () => undefined }
  registerHover({ vaults } as never, hydrations as unknown as HydratedDocuments)
  const uri = { scheme: 'file', toString: () => 'file:///w%20%281%29/.env' }
  const document = { uri, lineAt: () => ({ text: `A=${reference}` }) }
  const hover = await hovers.at(-1)!.provideHover(document, { line: 0, character: 5 })
  const links: string[] = []
  marked.walkTokens(marked.lexer(hover!.contents.value), (token) => {
    if (token.type === 'link') links.push(token.href)
  })
  const asked = links.map((href) => {
    const [, command, args] = /^command:([a-z.]+)\?(.*)$/i.exec(href) ?? []
    return [command, JSON.parse(decodeURIComponent(args ?? 'null'))]
  })
  const given = [{ reference, scope: 'file:///w%20%281%29/.env', environment: 'dev' }]
  expect(asked).toEqual([
    ['postern.peek', given],
    ['postern.copy', given],
  ])
})
