/**
 * The half of `…/secrets` and `…/versions` that is about secrets which a provider keeps.
 *
 * @module
 */
import type { Context } from 'hono'
import type * as z from 'zod/mini'
import { type Bytes, base64, parseUtf8 } from '../../core/bytes.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import type { Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest, refusal } from '../../core/errors.ts'
import type { VersionedChain } from '../../core/providers/chain.ts'
import { failover } from '../../core/providers/failover.ts'
import type { PutOptions } from '../../core/providers/provider.ts'
import { ABSENT } from '../../core/providers/skipped.ts'
import type { Redacted } from '../../core/redacted.ts'
import { writeKey } from '../../core/sealing/digests.ts'
import { reasonOf } from '../../core/vault/chains/read_operations.ts'
import type { ProvidedWrite } from '../../core/vault/chains/write_operations.ts'
import type { Granted } from '../../core/vault/rpc.ts'
import type { WriteInput } from '../../core/vault/secrets/operations.ts'
import type { Idempotency } from '../../core/vault/secrets/store.ts'
import type * as wire from '../../core/wire/index.ts'
import { answerWithValues, when } from '../http/respond.ts'
import { cacheHeaders, sourceOf } from '../provider_access/cache_status.ts'
import { type Provided, passedOverOf } from '../provider_access/read.ts'
import { timesOf } from '../provider_access/shared_fetch.ts'
import { changeProvided } from '../provider_access/write.ts'
import type { Env, Parts } from '../services.ts'

const RETRY_SOON = { retryAfterSeconds: 1 }

/** A write, as far as a provider is concerned. */
interface Draft {
  place: { vault: string; name: string }
  value: Redacted<Bytes>
  rest: Pick<WriteInput, 'contentType' | 'tags' | 'expiresAt' | 'expect' | 'idempotency' | 'replace'>
}

/** Answers with a value that a provider keeps, and says where it comes from and how old it is. */
export function provided(c: Context<Env>, granted: Granted<Provided>, recipient: Recipient | null): Promise<Response> {
  for (const [name, value] of cacheHeaders(granted.value.cache)) c.header(name, value)
  tag(c, granted.value.version)
  return answerWithValues(c, granted, providedSecret(granted.value), recipient)
}

/** Names the version, unless it has no place in a header: a provider calls its versions what it likes. */
export function tag(c: Context<Env>, version: number | string): void {
  // RFC 9110 section 8.8.3
  if (/^[\x21\x23-\x7e]{1,128}$/.test(String(version))) c.header('ETag', `"${version}"`)
}

/** A secret as the wire has it. The value is in clear from here on. */
export function providedSecret(secret: Provided): z.input<typeof wire.Secret> {
  const { name, version, encoding, contentType, createdAt, expiresAt, provider } = secret
  const bytes = secret.value.reveal()
  const text = encoding === 'utf8' ? parseUtf8(bytes) : null
  return {
    name,
    version,
    ...(text === null ? { value: base64(bytes), encoding: 'base64' } : { value: text }),
    contentType,
    tags: {},
    ...when('createdAt', createdAt),
    ...when('expiresAt', expiresAt),
    provider,
    ...sourceOf(secret.cache),
  }
}

/**
 * Writes a version at the primary of a chain.
 *
 * @throws {PosternError} `bad_request` for what a provider could not keep: nothing of it is dropped silently.
 */
export async function writeProvided(
  parts: Parts,
  c: Context<Env>,
  { place, value, rest }: Draft,
  prepared: Granted<ProvidedWrite>,
): Promise<Granted<{ version: string }>> {
  const { name, vault } = place
  const { replayed, under } = prepared.value
  if (replayed !== null) return { ...prepared, value: { version: replayed } }
  for (const field of ['tags', 'expiresAt'] as const) {
    if (rest[field] !== undefined) throw badRequest(field, 'Provider of this secret does not keep it')
  }
  const { idempotency } = rest
  const idempotencyKey =
    idempotency === undefined
      ? crypto.randomUUID()
      : await writeKey(ringOf(parts.keyring, idempotency, under), vault, [name, idempotency.key, under])
  const { contentType, replace } = rest
  const options = { idempotencyKey, contentType, replace, ...expectation(rest.expect) }
  const granted = await changeProvided(c.var, parts, {
    ...{ name, effect: 'write', plan: prepared.value, replace, idempotency },
    isLate: () => c.get('late') === true,
    make: async (provider, stored, signal) => (await provider.put(stored, value, { ...options, signal })).version,
  })
  return { ...granted, quota: prepared.quota, value: { version: granted.value.version ?? '' } }
}

/** The root key that a fingerprint is of: they are made in the order of the keyring. */
function ringOf(keyring: Keyring, { fingerprint, former = [] }: Idempotency, under: string | null): Keyring {
  return keyring.all.find((_, i) => [fingerprint, ...former][i] === under) ?? keyring
}

/** Deletes a secret at the primary of a chain. */
export async function removeProvided(
  parts: Parts,
  c: Context<Env>,
  name: string,
  { quota, value: plan }: Granted<ProvidedWrite>,
): Promise<Granted<{ at: number }>> {
  const granted = await changeProvided(c.var, parts, {
    ...{ name, effect: 'delete', plan },
    isLate: () => c.get('late') === true,
    make: async (provider, stored, signal) => {
      await provider.remove(stored, { signal })
      return null
    },
  })
  return { ...granted, quota }
}

/**
 * The history that a provider keeps of a secret.
 *
 * @throws {PosternError}
 */
export async function providedVersions(
  { upstreams, settings }: Parts,
  c: Context<Env>,
  name: string,
  chain: VersionedChain,
): Promise<z.input<typeof wire.VersionList>> {
  const replicas = upstreams.replicas(c.var.vault, chain, name)
  const keeping = replicas.filter(({ upstream }) => upstream.provider.versions)
  if (keeping.length === 0) throw badRequest('name', 'Provider of this secret keeps no versions')
  const reply = await failover(keeping, (provider, stored, signal) => provider.versions!(stored, { signal }), {
    ...timesOf(settings),
    onNotFound: chain.onNotFound,
  })
  if (!('value' in reply)) {
    // Only the primary can say that there is no such secret, and this one has no history to tell it by.
    if (keeping[0] !== replicas[0] && ABSENT.includes(reply.failure)) {
      throw badRequest('name', 'Primary provider of this secret keeps no versions')
    }
    throw refusal(reasonOf(reply.failure), { ...passedOverOf(reply), ...(reply.provider === null && RETRY_SOON) })
  }
  const items = reply.value.map(({ version, stage, createdAt, enabled }) => ({
    version,
    ...(stage && { stage }),
    ...when('createdAt', createdAt),
    ...(enabled ? {} : { enabled: false as const }),
    provider: reply.provider,
  }))
  return { name, items }
}

function expectation(expect: WriteInput['expect']): Pick<PutOptions, 'expect'> {
  if (expect === undefined) return {}
  if (expect === 'absent') return { expect }
  return { expect: typeof expect === 'number' ? String(expect) : expect.provided }
}
