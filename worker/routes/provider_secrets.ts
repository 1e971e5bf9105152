/**
 * Secrets that a provider keeps, for `…/secrets` and `…/versions`.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { type Bytes, base64, parseUtf8 } from '../../core/bytes.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import type { Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest, refusal } from '../../core/errors.ts'
import type { VersionedChain } from '../../core/providers/chain.ts'
import { failover, type ResolvedMember } from '../../core/providers/failover.ts'
import { isBreakerOpen } from '../../core/providers/guarded_provider.ts'
import { type Provider, ProviderFailure, type ProviderPutOptions } from '../../core/providers/provider.ts'
import { ABSENT } from '../../core/providers/skipped.ts'
import { shownTags } from '../../core/providers/store_tags.ts'
import type { Redacted } from '../../core/redacted.ts'
import { visible } from '../../core/sanitize.ts'
import { writeKey } from '../../core/sealing/digests.ts'
import { reasonOf } from '../../core/vault/chains/read_operations.ts'
import type { ProviderWrite } from '../../core/vault/chains/write_operations.ts'
import type { Granted } from '../../core/vault/rpc.ts'
import type { WriteInput } from '../../core/vault/secrets/operations.ts'
import type { Idempotency } from '../../core/vault/secrets/store.ts'
import type * as wire from '../../core/wire/index.ts'
import type { RequestContext } from '../http/request_context.ts'
import { answerWithValues, when } from '../http/respond.ts'
import { cacheFacts, cacheHeaders } from '../provider_access/cache_status.ts'
import { passedOverOf, type ReleasedSecret, unnamedError } from '../provider_access/read.ts'
import { timesOf } from '../provider_access/shared_fetch.ts'
import { changeAtProvider } from '../provider_access/write.ts'
import type { Services } from '../services.ts'
import { pickField } from './pick_field.ts'

const RETRY_SOON = { retryAfterSeconds: 1 }

/** The part of a write that concerns a provider. */
interface ProviderDraft {
  place: { vault: string; name: string }
  value: Redacted<Bytes>
  rest: Pick<WriteInput, 'contentType' | 'encoding' | 'tags' | 'expiresAt' | 'expect' | 'idempotency' | 'replace'>
}

/** Answers with a secret that a provider keeps, or one field of it, its source and its age. */
export async function answerProviderSecret(
  c: RequestContext,
  granted: Granted<ReleasedSecret>,
  { recipient, field }: { recipient: Recipient | null; field?: string },
): Promise<Response> {
  const whole = providerSecret(granted.value)
  const body = field === undefined ? whole : pickField(whole, field, granted.index)
  for (const [name, value] of cacheHeaders(granted.value.cache)) c.header(name, value)
  setETag(c, granted.value.version)
  return answerWithValues(c, granted, body, recipient)
}

/** Sets `ETag` to the version, unless a provider's version id does not fit a header. */
export function setETag(c: RequestContext, version: number | string): void {
  // RFC 9110 section 8.8.3
  if (/^[\x21\x23-\x7e]{1,128}$/.test(String(version))) c.header('ETag', `"${version}"`)
}

/** Writes a secret for the wire. The value is in clear from here on. */
export function providerSecret(secret: ReleasedSecret): z.input<typeof wire.Secret> {
  const { name, version, encoding, contentType, createdAt, expiresAt, provider } = secret
  const bytes = secret.value.reveal()
  const text = encoding === 'utf8' ? parseUtf8(bytes) : null
  return {
    name,
    version,
    ...(text === null ? { value: base64(bytes), encoding: 'base64' } : { value: text }),
    contentType,
    ...shownTags(secret.tags),
    ...when('createdAt', createdAt),
    ...when('expiresAt', expiresAt),
    provider,
    ...cacheFacts(secret.cache),
  }
}

/**
 * Writes a version at the primary of a chain.
 *
 * @throws {PosternError} `bad_request` for a field that the provider cannot keep, instead of dropping it silently.
 */
export async function writeToProvider(
  services: Services,
  c: RequestContext,
  { place, value, rest }: ProviderDraft,
  prepared: Granted<ProviderWrite>,
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
      : await writeKey(ringOf(services.keyring, idempotency, under), vault, [name, idempotency.key, under])
  const { contentType, encoding, replace } = rest
  const options = { idempotencyKey, contentType, encoding, replace, ...expectation(rest.expect) }
  const granted = await changeAtProvider(c.var, services, {
    ...{ name, effect: 'write', plan: prepared.value, replace, idempotency },
    isLate: () => c.get('late') === true,
    make: async (provider, stored, signal) => (await provider.put(stored, value, { ...options, signal })).version,
  })
  return { ...granted, quota: prepared.quota, value: { version: granted.value.version ?? '' } }
}

/** The keyring of the root key that made the fingerprint `under`. Fingerprints are in the order of the keyring. */
function ringOf(keyring: Keyring, { fingerprint, former = [] }: Idempotency, under: string | null): Keyring {
  return keyring.all.find((_, i) => [fingerprint, ...former][i] === under) ?? keyring
}

/** Deletes a secret at the primary of a chain. */
export async function deleteAtProvider(
  services: Services,
  c: RequestContext,
  name: string,
  { quota, value: plan }: Granted<ProviderWrite>,
): Promise<Granted<{ at: number }>> {
  const granted = await changeAtProvider(c.var, services, {
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
 * Lists the versions that a provider keeps of a secret, with failover over the members that keep versions.
 *
 * @throws {PosternError} `bad_request` when no member keeps versions; the refusal for what the providers answered.
 */
export async function providerVersions(
  { registry, settings }: Services,
  c: RequestContext,
  name: string,
  chain: VersionedChain,
): Promise<z.input<typeof wire.VersionList>> {
  const members = registry.resolve(c.var.vault, chain, name)
  const [primary] = members
  if (primary?.name === null) throw unnamedError(chain, { provider: primary.guarded.id, problem: primary.problem })
  const named = members.filter((member) => member.name !== null)
  const keeping = named.filter(({ guarded }) => guarded.provider.versions)
  if (keeping.length === 0) throw badRequest('name', 'Provider of this secret keeps no versions')
  const reply = await failover(keeping, (provider, stored, signal) => provider.versions!(stored, { signal }), {
    ...timesOf(settings),
    onNotFound: chain.onNotFound,
  })
  if (!('value' in reply)) {
    // Only the primary can say that a secret does not exist, and this primary keeps no history to say it by.
    if (keeping[0] !== primary && ABSENT.includes(reply.failure)) {
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
  const member = keeping.find((one): one is ResolvedMember => one.guarded.id === reply.provider && one.name !== null)
  return { name, ...(member && (await described(member, settings.providers.attemptMs))), items }
}

/** The tags and the description of a secret; nothing where the store keeps none, or does not let the server see them. */
async function described({ guarded, name }: ResolvedMember, timeoutMs: number) {
  if (guarded.provider.describe === undefined) return {}
  try {
    const ask = (provider: Provider, signal: AbortSignal) => provider.describe!(name, { signal })
    const { tags, description } = await guarded.ask(ask, timeoutMs, name)
    return { ...(tags && shownTags(tags)), ...(description !== null && { description: visible(description) }) }
  } catch (error) {
    if (error instanceof ProviderFailure || isBreakerOpen(error)) return {}
    throw error
  }
}

function expectation(expect: WriteInput['expect']): Pick<ProviderPutOptions, 'expect'> {
  if (expect === undefined) return {}
  if (expect === 'absent') return { expect }
  return { expect: typeof expect === 'number' ? String(expect) : expect.provided }
}
