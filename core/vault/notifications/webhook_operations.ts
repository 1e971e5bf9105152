/**
 * Hooks: other servers that are told something, each with a signing secret of its own that is kept sealed.
 *
 * @module
 */
import type { Bytes } from '../../bytes.ts'
import { type Binding, open, seal } from '../../crypto/envelope.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { Redacted } from '../../redacted.ts'
import { type Context, type Outcome, operation, type Unusable } from '../operation.ts'
import type { Hook } from './webhook_store.ts'

/** What a signing secret is sealed for. */
interface HookSeal {
  vault: string
  id: string
  url: string
  term: number
  root?: string | null
}

/** Seals a signing secret for its hook and the hook's address. */
export async function sealHookSecret(
  keyring: Keyring,
  { vault, id, url, term, root = null }: HookSeal,
  secret: Redacted<Bytes>,
): Promise<{ kid: string; sealed: Bytes }> {
  const kek = await keyring.of(root).currentKek(vault, term)
  return { kid: kek.kid, sealed: await seal(kek, secret.reveal(), bindingOf(vault, id, `hook ${url}`)) }
}

/**
 * Opens the signing secret of a hook: not with another address than it was sealed for, or whoever can write the file of a
 * vault could have the values of its rotations sent anywhere.
 *
 * @throws {PosternError} `tampered`, or `unavailable` when it needs another root key.
 */
export async function openHookSecret(
  keyring: Keyring,
  vault: string,
  { id, url, kid, sealed }: Pick<Hook, 'id' | 'url' | 'kid' | 'sealed'>,
): Promise<Redacted<Bytes>> {
  return open(await keyring.kek(vault, kid), sealed, bindingOf(vault, id, `hook ${url}`))
}

/**
 * Opens a signing secret as 0.1 sealed it, with no address bound: only to bind it, once.
 *
 * @throws {PosternError} `tampered`, or `unavailable` when it needs another root key.
 */
export async function openUnboundSecret(
  keyring: Keyring,
  vault: string,
  { id, kid, sealed }: Pick<Hook, 'id' | 'kid' | 'sealed'>,
): Promise<Redacted<Bytes>> {
  return open(await keyring.kek(vault, kid), sealed, bindingOf(vault, id, 'hook'))
}

function bindingOf(vault: string, name: string, contentType: string): Binding {
  return { vault, name, version: 0n, contentType }
}

const onHooks = { action: 'admin', resource: () => 'hooks' } as const

export const listHooks = operation({
  ...onHooks,
  binds: 'nothing',
  run: ({ hooks }: Context, _: Record<never, never>): Outcome<Hook[]> => ({ value: hooks.list() }),
})

/** What a hook is to be, with a new signing secret that is taken only if there is none, or it is to be replaced. */
interface NewHook extends Pick<Hook, 'id' | 'url' | 'kid' | 'sealed'> {
  newSecret: boolean
}

export const putHook = operation({
  ...onHooks,
  notable: true,
  about: (input: NewHook | Unusable) => ({ hook: input.id, ...('url' in input && { url: originOf(input.url) }) }),
  binds({ hooks }, input: NewHook | Unusable) {
    if ('unusable' in input) return { ...input }
    const { id, url, newSecret } = input
    return { id, url, newSecret, before: shown(hooks.find(id)) }
  },
  run(context: Context, input: NewHook | Unusable): Outcome<{ hook: Hook; tookSecret: boolean }> {
    if ('unusable' in input) return { reason: 'unusable' }
    const { hooks, keys, now, principal } = context
    const { id, url, newSecret, kid, sealed } = input
    if (!keys.isCurrent(kid)) return { reason: 'raced' }
    const before = hooks.find(id)
    // Whoever takes over the address must not be sent what only the one before can verify, nor the other way.
    const tookSecret = before === null || newSecret || before.url !== url || !hooks.isBound(id)
    const secret = tookSecret ? { kid, sealed } : { kid: before.kid, sealed: before.sealed }
    const hook = { id, url, ...secret, version: (before?.version ?? 0) + 1, updatedAt: now, updatedBy: principal }
    hooks.put(hook)
    return { value: { hook, tookSecret }, facts: { before: before && originOf(before.url), newSecret: tookSecret } }
  },
})

export const deleteHook = operation({
  ...onHooks,
  notable: true,
  about: ({ id }: { id: string }) => ({ hook: id }),
  binds: 'nothing',
  run({ hooks, policy }: Context, { id }: { id: string }): Outcome<{ id: string }> {
    if (hooks.find(id) === null) return { reason: 'no_hook' }
    if (hooks.isUsed(id) || policy.get().notify === id) return { reason: 'hook_used' }
    hooks.delete(id)
    return { value: { id } }
  },
})

/** What the log tells of an address: of many hooks the path is the credential. */
export function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '<address>'
}

/** A hook as it is. Its version alone begins at one again when it is deleted and made anew. */
function shown(hook: Hook | null) {
  return hook && { url: hook.url, version: hook.version, updatedAt: hook.updatedAt, updatedBy: hook.updatedBy }
}
