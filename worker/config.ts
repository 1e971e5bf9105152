/**
 * From settings to an app: what all runtimes do alike.
 *
 * @module
 */

import { IssuerKeys } from '../core/access/federation.ts'
import { vaultOfToken } from '../core/access/token.ts'
import { type Anchor, httpAnchor } from '../core/audit/anchor.ts'
import { dekCache } from '../core/crypto/envelope.ts'
import { PosternError } from '../core/errors.ts'
import { configuredProviders, type Files } from '../core/providers/configured.ts'
import { Upstreams } from '../core/providers/upstreams.ts'
import type { Redacted } from '../core/redacted.ts'
import type { Settings } from '../core/settings.ts'
import { verifiedToken } from './auth.ts'
import type { Parts } from './context.ts'
import { Gateway } from './gateway.ts'
import type { Host } from './host.ts'
import type { Surroundings } from './opening.ts'

/**
 * Joins the parts of an app.
 *
 * @throws {PosternError} `bad_request` when a configured bootstrap token is not of this root key.
 */
export async function assemble(
  { settings, keyring, upstreams }: Omit<Surroundings, 'anchors'>,
  host: Host,
  bootstrapTokens: readonly Redacted<string>[],
): Promise<Parts> {
  const options = { allowLoopback: settings.security.allowLoopbackIssuers }
  for (const token of bootstrapTokens) {
    const vault = vaultOfToken(token.reveal())
    if (vault === null || (await verifiedToken(keyring, vault, token.reveal())) === null) {
      throw new PosternError('bad_request', 'POSTERN_BOOTSTRAP_TOKEN: Must be minted with this root key')
    }
  }
  const deks = dekCache()
  return {
    settings,
    keyring,
    host,
    bootstrapTokens,
    deks,
    upstreams,
    gateway: new Gateway({ settings, keyring, deks, upstreams, shared: host.inProcess }),
    issuerKeys: new IssuerKeys({ ...options, shared: host.inProcess }),
  }
}

/** The anchor that is a URL, if the settings name one; a folder is for the runtime to open. */
export function httpAnchors({ audit }: Settings): Anchor[] {
  const { anchor, anchorToken } = audit
  return anchor !== undefined && /^https?:/i.test(anchor) ? [httpAnchor(anchor, anchorToken)] : []
}

/**
 * Makes the providers that settings configure.
 *
 * @param files The files of this machine; `null` on Workers, where requests must not wait for each other's I/O either.
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function upstreamsOf({ providers }: Settings, files: Files | null): Upstreams {
  return new Upstreams(providers, configuredProviders(providers, { files, shared: files !== null }))
}
