/**
 * From settings to an app: what all runtimes do alike.
 *
 * @module
 */

import { IssuerKeys } from '../core/authentication/federation.ts'
import { dekCache } from '../core/crypto/envelope.ts'
import { configuredProviders, type Files } from '../core/provider_registry/from_settings.ts'
import { Upstreams } from '../core/provider_registry/registry.ts'
import type { Settings } from '../core/settings/settings.ts'
import { type Anchor, httpAnchor } from '../core/tlog/anchor.ts'
import { Gateway } from './provider_access/read.ts'
import type { Parts } from './services.ts'
import { RequestCounters } from './telemetry/counters.ts'
import { logLine } from './telemetry/log.ts'
import { tracerOf } from './telemetry/otlp.ts'
import type { Host } from './vault_host/host.ts'
import type { Surroundings } from './vault_host/open_vault.ts'

/** Joins the parts of an app. */
export function assemble({ settings, keyring, upstreams }: Omit<Surroundings, 'anchors'>, host: Host): Parts {
  const options = { allowLoopback: settings.security.allowLoopbackIssuers }
  const deks = dekCache()
  return {
    settings,
    keyring,
    host,
    deks,
    upstreams,
    meters: settings.metrics ? new RequestCounters() : null,
    tracer: tracerOf(settings),
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
  return new Upstreams(
    providers,
    configuredProviders(providers, { files, shared: files !== null, report: logLine }),
    logLine,
  )
}
