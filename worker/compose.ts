/**
 * Composes services from settings, the same on every runtime.
 *
 * @module
 */
import { IssuerKeys } from '../core/authentication/issuer_keys.ts'
import { dekCache } from '../core/crypto/envelope.ts'
import { configuredProviders, type LocalFiles } from '../core/provider_registry/from_settings.ts'
import { ProviderRegistry } from '../core/provider_registry/registry.ts'
import type { ReadFile } from '../core/providers/credential_file.ts'
import { type Anchor, httpAnchor } from '../core/tlog/anchor.ts'
import { bearerSource } from './operator_credentials.ts'
import { type Sender, toIssuers, toOperator } from './outbound.ts'
import { ProviderReader } from './provider_access/read.ts'
import type { Services } from './services.ts'
import { RequestCounters } from './telemetry/counters.ts'
import { logLine } from './telemetry/log.ts'
import { LogLimit } from './telemetry/log_limit.ts'
import { tracerOf } from './telemetry/otlp.ts'
import type { Host } from './vault_host/host.ts'
import type { OpenVaultOptions } from './vault_host/open_vault.ts'

/** Makes the services of an app. */
export function compose(
  { settings, keyring, registry, readFile, fetch }: Omit<OpenVaultOptions, 'anchors'>,
  host: Host,
): Services {
  const deks = dekCache()
  return {
    settings,
    keyring,
    host,
    deks,
    registry,
    requestCounters: settings.metrics ? new RequestCounters() : null,
    tracer: tracerOf(settings, toOperator({ settings, fetch }), readFile),
    providerReader: new ProviderReader({ settings, keyring, deks, registry, shared: host.inProcess }),
    issuerKeys: new IssuerKeys({ ...toIssuers({ settings, fetch }), shared: host.inProcess }),
    assertionLog: new LogLimit(),
  }
}

/** The anchor in the settings, if it is a URL. The runtime opens an anchor in a folder. */
export function httpAnchors(sender: Sender, readFile?: ReadFile): Anchor[] {
  const { anchor, anchorToken: value, anchorTokenFile: path } = sender.settings.audit
  if (anchor === undefined || !/^https?:/i.test(anchor)) return []
  const setting = 'POSTERN_AUDIT__ANCHOR_TOKEN_FILE'
  return [httpAnchor(anchor, bearerSource({ value, path, setting }, readFile), toOperator(sender))]
}

/**
 * Makes the providers that settings configure.
 *
 * @param files Reads files of this machine; `null` on Workers, where a request also must not wait for another's I/O.
 * @throws {PosternError} `bad_request` for settings that contradict each other.
 */
export function registryOf({ settings, fetch, trusting }: Sender, files: LocalFiles | null): ProviderRegistry {
  const { providers } = settings
  const means = { files, fetch, trusting, shared: files !== null, report: logLine }
  return new ProviderRegistry(providers, configuredProviders(providers, means), logLine)
}
