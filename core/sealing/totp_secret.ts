/**
 * Sealing the TOTP secret of a principal.
 *
 * @module
 */
import type { Bytes } from '../bytes.ts'
import { type Binding, open, seal } from '../crypto/envelope.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Redacted } from '../redacted.ts'

/** Seals a principal's TOTP secret. No secret of the vault has its content type or version. */
export async function sealTotp(
  keyring: Keyring,
  { vault, term = 1, root = null }: { vault: string; term?: number; root?: string | null },
  principal: string,
  secret: Redacted<Bytes>,
): Promise<{ kid: string; sealed: Bytes }> {
  const kek = await keyring.of(root).currentKek(vault, term)
  return { kid: kek.kid, sealed: await seal(kek, secret.reveal(), bindingOf(vault, principal)) }
}

/**
 * Opens a TOTP secret that {@link sealTotp} sealed.
 *
 * @throws {PosternError} `tampered`, or `unavailable` when its root key is not configured.
 */
export async function openTotp(
  keyring: Keyring,
  vault: string,
  { principal, kid, sealed }: { principal: string; kid: string; sealed: Bytes },
): Promise<Redacted<Bytes>> {
  return open(await keyring.kek(vault, kid), sealed, bindingOf(vault, principal))
}

function bindingOf(vault: string, principal: string): Binding {
  return { vault, name: principal, version: 0n, contentType: 'totp' }
}
