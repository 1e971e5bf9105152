/**
 * Services for a feature under test. Apart from the stub of the editor, which the mock of `vscode` loads: these import the
 * extension, and so `vscode`.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { Redacted } from '../../../core/redacted.ts'
import { NameIndex } from '../../../core/text/names.ts'
import type { Machine, Platform } from '../../../extension/platform/platform.ts'
import { LocalMachine } from '../../../extension/run/local_machine.ts'
import type { OutputLog } from '../../../extension/shared/output_log.ts'
import type { KnownValues } from '../../../extension/values/known_values.ts'
import { Leases } from '../../../extension/values/lease.ts'
import type { Vaults } from '../../../extension/vaults/vaults.ts'

/** A secret as the client gives it; a value that begins with `base64:` is bytes. */
const secretOf = (text: string) => {
  const [, bytes] = /^base64:(.*)$/.exec(text) ?? []
  return { value: new Redacted(bytes ?? text), ...(bytes !== undefined && { encoding: 'base64' as const }) }
}

/** The services of an extension whose server gives each reference the value that is set here. */
export function stubServices(machine: Machine | null, secrets: Record<string, string> = {}, extensionKind = 1) {
  const client = {
    hydrate: async (references: string[]) =>
      references.map((reference) => ({
        reference,
        secret: secretOf(secrets[reference] ?? 'unknown'),
      })),
    async put(name: string, value: Redacted<string>) {
      secrets[`postern://default/${name}`] = value.reveal()
    },
  }
  const kept = new Map<string, unknown>()
  const memory = {
    get: (key: string, usual?: unknown) => kept.get(key) ?? usual,
    update: async (key: string, value: unknown) => void kept.set(key, value),
  } as unknown as vscode.Memento
  const index = () =>
    new NameIndex(
      Object.keys(secrets).map((reference) => ({ name: reference.slice('postern://default/'.length), version: 1 })),
    )
  const names = {
    forget() {},
    names: async () => index(),
    namesQuietly: async () => index(),
    get known() {
      return index()
    },
  }
  const vault = { id: 'default', origin: 'https://secrets.example', principal: 'dev', names }
  const vaults = {
    all: async () => [vault],
    at: async () => [vault],
    find: async () => vault,
    call: async (_: unknown, work: (one: unknown) => unknown) => work(client),
  } as unknown as Vaults
  const known = { note: async () => '', referenceOf: async () => null } as unknown as KnownValues
  const platform = { machine } as Platform
  return {
    log: { info() {}, failed() {} } as unknown as OutputLog,
    ...{ platform, vaults, known, workspaceState: memory, globalState: memory },
    leases: new Leases({ vaults, known }),
    localMachine: new LocalMachine(platform, { extensionKind }),
  }
}
