/**
 * Opens secrets of the vault's own store, and writes secrets, list items and versions for the wire.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { type Bytes, base64, parseUtf8 } from '../../core/bytes.ts'
import { refusal } from '../../core/errors.ts'
import type { Redacted } from '../../core/redacted.ts'
import { visibleAll } from '../../core/sanitize.ts'
import { openVersion } from '../../core/sealing/version.ts'
import type { ListedSecret } from '../../core/vault/secrets/list_operations.ts'
import type { SealedVersion } from '../../core/vault/secrets/operations.ts'
import type { ListedVersion } from '../../core/vault/secrets/store.ts'
import type * as wire from '../../core/wire/index.ts'
import type { RequestContext } from '../http/request_context.ts'
import { iso, when } from '../http/respond.ts'
import type { Services } from '../services.ts'
import { timed } from '../telemetry/request_timing.ts'

/** The provider that is the vault's own store. */
const SEALED = 'sealed'

/**
 * Opens a version that the vault released. A version that cannot be opened is recorded.
 *
 * @throws {PosternError} `tampered` or `unavailable`
 */
export async function reveal(
  { keyring, deks }: Services,
  c: RequestContext,
  version: SealedVersion,
): Promise<Redacted<Bytes>> {
  const opening = timed(c.get('timing'), 'open', () => openVersion(keyring, deks, c.get('vault'), version))
  const value = await opening
  if (typeof value !== 'string') return value
  const report = { name: version.name, version: version.version, reason: value }
  await c.var.handle.call('secret.unopened', c.var.caller, report)
  throw refusal(value)
}

/** Writes a secret for the wire. The value is in clear from here on. */
export function secret(version: SealedVersion, value: Redacted<Bytes>): z.input<typeof wire.Secret> {
  const { name, encoding, contentType, tags, createdAt, expiresAt } = version
  const bytes = value.reveal()
  const text = encoding === 'utf8' ? parseUtf8(bytes) : null
  return {
    name,
    version: version.version,
    ...(text === null ? { value: base64(bytes), encoding: 'base64' } : { value: text }),
    contentType,
    tags: visibleAll(tags),
    createdAt: iso(createdAt),
    ...when('expiresAt', expiresAt),
    provider: SEALED,
  }
}

/** Writes a list item for the wire. */
export function metadata(row: ListedSecret): z.input<typeof wire.SecretMetadata> {
  const { name, version, contentType, tags, createdAt, updatedAt, expiresAt, deletedAt } = row
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) }
  return {
    name,
    version,
    contentType,
    tags: visibleAll(tags),
    ...times,
    ...when('expiresAt', expiresAt),
    ...when('deletedAt', deletedAt),
  }
}

/** Writes a version of a secret's history for the wire. */
export function history(
  row: ListedVersion,
  { current, previous, pending }: { current: number | null; previous: number | null; pending: number | null },
): z.input<typeof wire.Version> {
  const { number, contentType, createdAt, createdBy, why, currentAt, checksum, expiresAt, destroyedAt } = row
  const stages = [
    [current, 'current'],
    [previous, 'previous'],
    [pending, 'pending'],
  ] as const
  const stage = stages.find(([at]) => at === number)?.[1]
  return {
    version: number,
    ...(stage === undefined ? {} : { stage }),
    contentType,
    createdAt: iso(createdAt),
    createdBy,
    ...(why !== null && { why }),
    ...when('currentAt', currentAt),
    ...(checksum !== null && { checksum }),
    ...when('expiresAt', expiresAt),
    ...when('destroyedAt', destroyedAt),
    provider: SEALED,
  }
}
