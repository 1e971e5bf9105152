/**
 * A provider in memory, which fails as it is told.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { Bytes } from '../../core/bytes.ts'
import type { Encoding } from '../../core/encoding.ts'
import {
  type FailureKind,
  type Provider,
  ProviderFailure,
  type ProviderKind,
  type ProviderSecret,
} from '../../core/providers/provider.ts'
import { Redacted } from '../../core/redacted.ts'
import { isStageWord } from '../../core/stages.ts'

interface Kept {
  value: Bytes
  encoding: Encoding
  version: string
  contentType: string | null
}

type Failing = FailureKind | { kind: FailureKind; retryAfterMs?: number; code?: string } | 'hangs'

/** A provider of a kind, with what a test may do to it and see of it. */
export function memoryProvider(kind: ProviderKind = 'hashicorp') {
  const secrets = new Map<string, Kept[]>()
  const keys = new Map<string, string>()
  const bench = {
    /** What every request comes to; `null` to answer. */
    failing: null as Failing | null,
    /** How long an answer takes. */
    delayMs: 0,
    calls: [] as string[],
    secrets,
    set(name: string, text: string) {
      const versions = secrets.get(name) ?? []
      const version = `v${versions.length + 1}`
      secrets.set(name, [...versions, { value: bytesOf(text), encoding: 'utf8', version, contentType: null }])
      return version
    },
    text: (name: string) => Buffer.from(secrets.get(name)?.at(-1)?.value ?? []).toString(),
    count: (method: string) => bench.calls.filter((call) => call.startsWith(`${method} `)).length,
  }

  async function begin(method: string, name: string, signal: AbortSignal): Promise<void> {
    bench.calls.push(`${method} ${name}`)
    if (bench.failing === 'hangs') {
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new ProviderFailure('timeout')), { once: true })
      })
    }
    if (bench.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, bench.delayMs))
    const { failing } = bench
    if (typeof failing === 'string') throw new ProviderFailure(failing as FailureKind)
    if (failing !== null) throw new ProviderFailure(failing.kind, failing)
  }

  function find(name: string, version?: string): Kept {
    const versions = secrets.get(name)
    if (version !== 'previous' && isStageWord(version)) throw new ProviderFailure('no_stage')
    const stage = version === undefined ? -1 : -2
    const found =
      version === undefined || version === 'previous'
        ? versions?.at(stage)
        : versions?.find((one) => one.version === version)
    if (found === undefined) throw new ProviderFailure('not_found')
    return found
  }

  const provider: Provider = {
    kind,
    async get(name, { version, signal }) {
      await begin('get', name, signal)
      return secretOf(find(name, version))
    },
    async list({ prefix, cursor, limit, signal }) {
      await begin('list', prefix, signal)
      const names = [...secrets.keys()].filter((name) => name.startsWith(prefix) && name > (cursor ?? '')).sort()
      const items = names.slice(0, limit).map((name) => ({ name, updatedAt: null }))
      return { items, cursor: names.length > limit ? items.at(-1)!.name : null }
    },
    async put(name, value, { idempotencyKey, contentType, encoding, expect, signal }) {
      await begin('put', name, signal)
      const done = keys.get(idempotencyKey)
      if (done !== undefined) return { version: done }
      const current = secrets.get(name)?.at(-1)?.version ?? 'absent'
      if (expect !== undefined && expect !== current) throw new ProviderFailure('conflict')
      const version = bench.set(name, '')
      const about = { value: value.reveal(), contentType: contentType ?? null, encoding: encoding ?? 'utf8' }
      Object.assign(secrets.get(name)!.at(-1)!, about)
      keys.set(idempotencyKey, version)
      return { version }
    },
    async remove(name, { signal }) {
      await begin('remove', name, signal)
      if (!secrets.delete(name)) throw new ProviderFailure('not_found')
    },
    async versions(name, { signal }) {
      await begin('versions', name, signal)
      find(name)
      const versions = secrets.get(name)!
      return versions.toReversed().map(({ version }, i) => ({
        version,
        stage: i === 0 ? ('current' as const) : i === 1 ? ('previous' as const) : null,
        createdAt: null,
        enabled: true,
      }))
    },
    async health({ signal }) {
      await begin('health', '', signal)
    },
  }
  return Object.assign(bench, { provider })
}

export type MemoryProvider = ReturnType<typeof memoryProvider>

function secretOf({ value, encoding, version, contentType }: Kept): ProviderSecret {
  return {
    value: new Redacted(value),
    encoding,
    version,
    createdAt: null,
    expiresAt: null,
    contentType,
  }
}

function bytesOf(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text))
}

/** What a value must never be found as. */
export function bareHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
