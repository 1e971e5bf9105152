/** Which key a log is pinned to: that of its vault at its server. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { formatVerifierKey } from '../../../../core/tlog/signed_note.ts'
import { pinnedLogKey } from '../../../../extension/settings.ts'
import { AuditLogView } from '../../../../extension/views/audit_log_view.ts'
import type { StatusBar } from '../../../../extension/views/status_bar.ts'
import { editor } from '../stub_editor.ts'
import { entries, logOf, signer, stranger } from './log_fixture.ts'

vi.mock('vscode', async () => {
  const { api } = await import('../stub_editor.ts')
  const nothing = () => ({ dispose() {} })
  const window = { ...api.window, registerTreeDataProvider: nothing, onDidChangeWindowState: nothing }
  return { ...api, window, ThemeIcon: class {}, TreeItem: class {} }
})

const ONE = 'https://one.example'
const OTHER = 'https://other.example'
const name = (...servers: string[]) =>
  editor.settings.set('postern.endpoints', Object.fromEntries(servers.map((origin, i) => [`s${i}`, origin])))
const pin = (keys: Record<string, unknown>) => editor.settings.set('postern.logKeys', keys)
const keyOf = (origin: string, id = 'acme') => pinnedLogKey({ origin, id })

beforeEach(() => editor.reset())

describe('a pinned key', () => {
  it('belongs to a vault at a server, in any spelling of the address', () => {
    name(ONE, OTHER)
    pin({ [`${ONE}/acme`]: ' key-one ', 'HTTPS://Other.example:443/acme/': 'key-other' })
    expect([keyOf(ONE), keyOf(OTHER), keyOf(ONE, 'beta'), keyOf(ONE, 'acm')]).toEqual([
      'key-one',
      'key-other',
      null,
      null,
    ])
  })

  it('for a vault alone, as 0.1 had it, counts while there is one server', () => {
    name(ONE, `${ONE}/`)
    pin({ acme: 'key' })
    expect(keyOf(ONE)).toBe('key')
  })

  it('for a vault alone is not used for either of two servers', () => {
    name(ONE, OTHER)
    pin({ acme: 'key' })
    for (const origin of [ONE, OTHER]) expect(() => keyOf(origin)).toThrow('ambiguous_pin')
    expect(keyOf(ONE, 'beta')).toBeNull()
    pin({ acme: 'key', [`${OTHER}/acme`]: 'key-other' })
    expect(keyOf(OTHER)).toBe('key-other')
    expect(() => keyOf(ONE)).toThrow('ambiguous_pin')
  })

  it('ignores entries that are not text, or name no server that a token may be sent to', () => {
    name(ONE)
    pin({ acme: 7, [`${ONE}/beta`]: null, 'http://one.example/acme': 'key', '/acme': 'key' })
    expect([keyOf(ONE), keyOf(ONE, 'beta')]).toEqual([null, null])
  })
})

it('pins the log of one server only, and warns once about a key for a vault name that two servers have', async () => {
  name(ONE, OTHER)
  const kept = new Map<string, unknown>()
  const globalState = {
    get: (key: string) => kept.get(key),
    update: async (key: string, value: unknown) => void kept.set(key, value),
  }
  const logs = new Map([
    [ONE, logOf(entries(3))],
    [OTHER, logOf(entries(5), stranger)],
  ])
  const vaults = [ONE, OTHER].map((origin) => ({ id: 'acme', origin, network: { recorded: -1 } }))
  const alarms: unknown[] = []
  const services = {
    globalState,
    log: { info() {}, failed() {} },
    vaults: {
      onDidChange: () => ({ dispose() {} }),
      all: async () => vaults,
      call: async ({ origin }: { origin: string }, work: (client: unknown) => unknown) => work(logs.get(origin)),
    },
  } as never
  const view = new AuditLogView(services, {
    alarm: (alarm: unknown) => void alarms.push(alarm),
  } as unknown as StatusBar)
  pin({ acme: formatVerifierKey(signer) })
  await view.checkAll(0)
  await view.checkAll(0)
  expect(alarms).toEqual([])
  expect(kept.size).toBe(0)
  expect(editor.complaints.map((text) => /Set the key for "(.+)"/.exec(text)?.[1])).toEqual([
    `${ONE}/acme`,
    `${OTHER}/acme`,
  ])
  pin({ [`${ONE}/acme`]: formatVerifierKey(signer) })
  await view.checkAll(0)
  expect(alarms).toEqual([])
  expect(kept.size).toBe(2)
  // The key of the one does not verify the other.
  pin({ [`${OTHER}/acme`]: formatVerifierKey(signer) })
  await view.checkAll(0)
  expect(alarms).toHaveLength(1)
})
