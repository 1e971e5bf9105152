/**
 * The settings of Postern. The settings page of the docs is generated from this schema.
 *
 * @module
 */

import * as z from 'zod/mini'
import { parseRange } from '../addresses.ts'
import { type Bytes, base64url } from '../bytes.ts'
import { parseRootKey } from '../crypto/keyring.ts'
import { parseProxyExemption } from '../http/no_proxy.ts'
import { isLoopback } from '../loopback.ts'
import { Redacted } from '../redacted.ts'
import { AuditSettings, isOperatorUrl } from './audit.ts'
import { parseListenHost } from './listen_host.ts'
import { parseProxy } from './outbound.ts'
import { problemsOf } from './provider_checks.ts'
import { findInstances } from './provider_instances.ts'
import { keepsVaultsApart } from './provider_reach.ts'
import { defaultMembers, ProviderSettings } from './providers.ts'
import {
  choice,
  describeSettings,
  fileName,
  flag,
  items,
  list,
  origin,
  parsedText,
  pattern,
  readSettings,
  route,
  type SettingInfo,
  type Sources,
  secret,
  text,
  whole,
} from './reader.ts'
import { SecuritySettings } from './security.ts'
import { TraceSettings } from './tracing.ts'

/** A rule across settings runs even if other settings are invalid, so that one error reports all of them. */
const WHATEVER_FAILS = { when: () => true }

const OPERATOR_URL = 'A private address must be in a range of POSTERN_PROVIDERS__PRIVATE_RANGES'

/** The schema of all settings. */
export const SettingsSchema = z
  .object({
    appName: z.prefault(text('The name of this server in its operational log and in authenticator apps.'), 'postern'),
    environment: z.prefault(
      choice(
        ['development', 'test', 'production'],
        'The purpose of this server. `production` refuses `debug` and a file of secrets.',
      ),
      'development',
    ),
    debug: z.prefault(
      flag('Write a line to the operational log for each request: method and status, no names, no values.'),
      'false',
    ),
    host: z.prefault(
      parsedText(
        parseListenHost,
        'an address or a name',
        'The address to listen on, such as `127.0.0.1`, `::1` or `::`. An address other than loopback requires TLS or trusted proxies.',
      ),
      '127.0.0.1',
    ),
    port: z.prefault(whole(0, 65535, 'The port to listen on. 0 picks a free port.'), '8787'),
    publicUrl: z.optional(
      origin(
        'The URL that clients use, such as `https://secrets.example.com`. Proofs of possession (DPoP) are verified against it. Without it they work on loopback only.',
      ),
    ),
    data: z.prefault(text('The folder for the vaults, one SQLite file each, and for a generated root key.'), './data'),
    rootKey: z.optional(
      secret(
        parseRootKey,
        '32 bytes in base64url',
        'The key from which all other keys derive. If not set, the server generates one in the data folder.',
      ),
    ),
    formerRootKeys: z.prefault(
      secret(
        rootKeys,
        'comma-separated list of keys, each 32 bytes in base64url',
        'Earlier root keys that something still needs: see [Replace the root key](../how-to/root-keys.md).',
      ),
      '',
    ),
    nextRootKey: z.optional(
      secret(
        parseRootKey,
        '32 bytes in base64url',
        'The root key that will replace `rootKey`. Tokens and values under it are already accepted. For Workers.',
      ),
    ),
    logOrigin: z.prefault(
      pattern(
        /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
        'The name of the logs on their checkpoints, followed by the id of the vault: a host and path that you own, such as `secrets.example.com/audit`. Do not change it later.',
      ),
      'postern.invalid/audit',
    ),
    clientAddress: z.prefault(
      choice(
        ['socket', 'forwarded', 'rfc7239', 'cloudflare'],
        'The source of the client address: `socket`, the peer of the connection; `forwarded`, `X-Forwarded-For` from a trusted proxy; `rfc7239`, `Forwarded` from a trusted proxy; `cloudflare`, `CF-Connecting-IP` (Workers only). It is never guessed from the headers of a request.',
      ),
      'socket',
    ),
    trustedProxies: z.prefault(
      list(
        (item) => parseRange(item),
        'address ranges',
        'Proxies that terminate TLS. With `clientAddress` set to `forwarded` or `rfc7239`, the client is the rightmost hop that is not one of them.',
      ),
      '',
    ),
    caFile: z.optional(
      fileName(
        'A PEM file of certificate authorities to trust besides the public ones, in all requests that the server makes. It is read again when it changes.',
      ),
    ),
    proxy: z.optional(
      route(
        secret(
          parseProxy,
          'an http URL',
          'The proxy for all requests that the server makes, such as `http://user:password@proxy.example.com:3128`. See [Private networks](../how-to/networks.md).',
        ),
      ),
    ),
    noProxy: z.prefault(
      route(
        list(
          parseProxyExemption,
          'names, `.suffixes`, addresses, ranges, or `*`',
          'Hosts that are reached without the proxy. This machine and link-local addresses always are.',
        ),
      ),
      '',
    ),
    requestTimeoutMs: z.prefault(whole(200, 600_000, 'The time limit of a request, in milliseconds.'), '10000'),
    bodyTimeoutMs: z.prefault(
      whole(
        100,
        600_000,
        'The time limit for receiving a request body, in milliseconds. Less than `requestTimeoutMs`.',
      ),
      '5000',
    ),
    security: z.prefault(SecuritySettings, {}),
    audit: z.prefault(AuditSettings, {}),
    providers: z.prefault(ProviderSettings, {}),
    metrics: z.prefault(
      flag(
        'Serve `GET /metrics` for Prometheus, without authentication: provider health by the ids of providers, and pending work, without names of secrets or vaults.',
      ),
      'false',
    ),
    serverTiming: z.prefault(
      flag(
        'Send `Server-Timing` with successful answers of a vault, in whole milliseconds. It reveals to a reader of a value whether the value was cached.',
      ),
      'false',
    ),
    traces: z.prefault(TraceSettings, {}),
    backup: z.prefault(
      z.object({
        folder: z.optional(
          text(
            'The folder for backups of the vaults: an existing folder on another disk. Backups are sealed under the root key, which they do not contain.',
          ),
        ),
        everyHours: z.prefault(
          whole(
            0,
            8760,
            'The interval between backups of each vault, in hours. 0 leaves backups to `npm run backup`. Requires the folder.',
          ),
          '24',
        ),
        keep: z.prefault(whole(1, 1000, 'The number of backups to keep for each vault.'), '7'),
      }),
      {},
    ),
    tls: z.prefault(
      z.object({
        certFile: z.optional(
          text(
            'A PEM file with the certificate chain. Bun and Node take a new one within seconds, Deno at its next start.',
          ),
        ),
        keyFile: z.optional(text('A PEM file with the private key.')),
      }),
      {},
    ),
  })
  .check(
    z.refine(
      ({ debug, environment }) => !(debug && environment === 'production'),
      across(['debug'], 'Must be false in production'),
    ),
    z.refine(
      ({ rootKey, formerRootKeys, nextRootKey }) => isDistinct([rootKey, nextRootKey, formerRootKeys].flat()),
      across(['formerRootKeys'], 'Must not repeat a key, and must not contain the root key'),
    ),
    z.refine(
      ({ traces, providers }) => traces?.url === undefined || isOperatorUrl(traces.url, providers?.privateRanges),
      across(['traces', 'url'], `Must be an https URL, or an http URL on this machine. ${OPERATOR_URL}`),
    ),
    z.refine(
      ({ audit, providers }) => audit?.sinkUrl === undefined || isOperatorUrl(audit.sinkUrl, providers?.privateRanges),
      across(['audit', 'sinkUrl'], `Must be an https URL. ${OPERATOR_URL}`),
    ),
    z.refine(
      ({ audit, providers }) =>
        !/^https?:/i.test(audit?.anchor ?? '') || isOperatorUrl(audit?.anchor ?? '', providers?.privateRanges),
      across(['audit', 'anchor'], `Must be a folder, or an https URL. ${OPERATOR_URL}`),
    ),
    z.refine(
      ({ audit, providers }) =>
        audit?.witnesses?.every(({ url }) => isOperatorUrl(url, providers?.privateRanges)) !== false,
      across(['audit', 'witnesses'], `Must have https URLs. ${OPERATOR_URL}`),
    ),
    z.refine(
      ({ tls }) => (tls?.certFile === undefined) === (tls?.keyFile === undefined),
      across(['tls', 'keyFile'], 'Must be set together with the certificate'),
    ),
    z.refine(
      ({ bodyTimeoutMs, requestTimeoutMs }) => !(bodyTimeoutMs >= requestTimeoutMs),
      across(['bodyTimeoutMs'], 'Must be less than POSTERN_REQUEST_TIMEOUT_MS'),
    ),
    z.refine(
      ({ providers, requestTimeoutMs }) => !((providers?.deadlineMs ?? 0) >= requestTimeoutMs),
      across(['providers', 'deadlineMs'], 'Must be less than POSTERN_REQUEST_TIMEOUT_MS'),
    ),
    z.refine(
      ({ providers }) => providers?.vaults === undefined || keepsVaultsApart(providers),
      across(['providers', 'namePrefix'], 'Must have the segment {vault} if more than one vault may use providers'),
    ),
    z.refine(
      ({ providers }) => providers === undefined || inOrder(providers),
      across(
        ['providers', 'primaryProvider'],
        'Must be set before the secondary and the tertiary provider, and no provider twice',
      ),
    ),
    z.refine(
      ({ clientAddress, trustedProxies }) =>
        !['forwarded', 'rfc7239'].includes(clientAddress) || trustedProxies?.length !== 0,
      across(['clientAddress'], 'Must not be forwarded or rfc7239 unless POSTERN_TRUSTED_PROXIES is set'),
    ),
    z.refine(
      ({ host, tls, trustedProxies }) =>
        isLoopback(host) || tls?.certFile !== undefined || trustedProxies?.length !== 0,
      across(
        ['host'],
        'Must be loopback unless POSTERN_TLS__CERT_FILE or POSTERN_TRUSTED_PROXIES is set, since tokens must not travel in the clear',
      ),
    ),
    z.refine(
      ({ host, tls, trustedProxies, clientAddress }) =>
        isLoopback(host) || tls?.certFile !== undefined || !trustedProxies?.length || clientAddress !== 'socket',
      across(
        ['clientAddress'],
        'Must be forwarded or rfc7239 behind proxies, or all clients share the address of a proxy',
      ),
    ),
    z.check(({ value: { providers, environment }, issues }) => {
      const problems = providers === undefined ? [] : problemsOf(providers, environment)
      issues.push(...problems.map((problem) => ({ code: 'custom' as const, input: undefined, ...problem })))
    }, WHATEVER_FAILS),
  )

/** The schema with instances of providers. */
function withInstances(instances: Record<string, z.ZodMiniType>): typeof SettingsSchema {
  const providers = z.prefault(z.extend(ProviderSettings, { instances: z.prefault(z.object(instances), {}) }), {})
  return z.safeExtend(SettingsSchema, { providers: providers as never }) as unknown as typeof SettingsSchema
}

/** The settings of a server, as parsed. */
export type Settings = Readonly<z.output<typeof SettingsSchema>>

/** The time limit for a read through all providers of a chain, in milliseconds. */
export function deadlineMsOf({
  providers,
  requestTimeoutMs,
}: Pick<Settings, 'providers' | 'requestTimeoutMs'>): number {
  return providers.deadlineMs ?? Math.floor(requestTimeoutMs * 0.8)
}

/** Whether a vault stays closed while its anchor is unreadable. */
export function anchorRequired({ audit, environment }: Pick<Settings, 'audit' | 'environment'>): boolean {
  return audit.anchorRequired ?? environment === 'production'
}

/** The retention of log entries, in days. */
export function retentionDaysOf({ audit, environment }: Pick<Settings, 'audit' | 'environment'>): number {
  return audit.retentionDays ?? (environment === 'production' ? 365 : 90)
}

const PREFIX = 'POSTERN_'
/**
 * Names that are not settings of the server: those that Kubernetes sets for a service named postern, and those of Postern's own
 * clients, commands, tests and compose file, which may be in the same environment.
 */
const FOREIGN =
  /^POSTERN_(?:(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)|PORT_[0-9]+_)|[A-Z0-9_]+_PORT$|(?:BENCH|IMPORT|LIVE|VECTORS)_|(?:ENDPOINT(?:_ALIAS)?|ENV|HANDOVER|(?:ID_)?TOKEN_FILE|PROFILE|SECRETS_DIR|SITE|TOKEN|UPSTREAM|URL|VAULT|VECTORS)$)/

/** Settings of earlier versions, and their replacement. */
const GONE: ReadonlyMap<string, string> = new Map([
  [
    'POSTERN_BOOTSTRAP_TOKEN',
    'Was removed in 0.2. Unset it; its tokens still work. For a new vault, make a ticket with `npm run mint -- VAULT`, and exchange it for a token at POST /v1/vaults/VAULT/tokens',
  ],
])

/**
 * Parses the settings of a server.
 *
 * @param options `hasFiles` is false on Workers.
 * @throws {PosternError} `bad_request`, naming every invalid or unknown setting at once, and no value.
 */
export function parseSettings(sources: Sources, { hasFiles = true }: { hasFiles?: boolean } = {}): Settings {
  const { POSTERN_PORT: port, ...environment } = sources.environment
  // Kubernetes sets it to tcp://… for a service named postern.
  const given = port?.startsWith('tcp://') ? environment : sources.environment
  const used = { ...sources, environment: given }
  const { shape, explain } = findInstances(used)
  return readSettings(withInstances(shape), PREFIX, used, { foreign: FOREIGN, gone: GONE, explain, hasFiles })
}

/** Lists all settings for the settings page. */
export function settingsReference(): SettingInfo[] {
  return describeSettings(SettingsSchema, PREFIX)
}

function across(path: string[], message: string) {
  return { path, message, ...WHATEVER_FAILS }
}

function inOrder(providers: ProviderSettings): boolean {
  const members = defaultMembers(providers)
  const { primaryProvider, secondaryProvider, tertiaryProvider } = providers
  const gap =
    (primaryProvider === undefined && secondaryProvider) || (secondaryProvider === undefined && tertiaryProvider)
  return !gap && new Set(members).size === members.length
}

function rootKeys(given: string): Redacted<Bytes>[] {
  return items(given).map((key) => parseRootKey(key))
}

/** Whether all keys differ. Missing and invalid keys do not count. */
function isDistinct(keys: unknown[]): boolean {
  const texts = keys.flatMap((key) => (key instanceof Redacted ? [base64url(key.reveal())] : []))
  return new Set(texts).size === texts.length
}
