/**
 * Everything that can be set about Postern. `docs/reference/settings.md` is generated from this schema.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseRange } from '../addresses.ts'
import { type Bytes, base64url } from '../bytes.ts'
import { parseRootKey } from '../crypto/keyring.ts'
import { Redacted } from '../redacted.ts'
import { AuditSettings, isOperatorUrl } from './audit.ts'
import { defaultMembers, keepsVaultsApart, ProviderSettings } from './providers.ts'
import {
  choice,
  describeSettings,
  flag,
  folder,
  items,
  list,
  origin,
  pattern,
  readSettings,
  type SettingInfo,
  type Sources,
  secret,
  text,
  whole,
} from './reader.ts'
import { SecuritySettings } from './security.ts'
import { TraceSettings } from './tracing.ts'

export const SettingsSchema = z
  .object({
    appName: z.prefault(
      text('The name that this server gives itself: in its operational log, and in authenticator apps.'),
      'postern',
    ),
    environment: z.prefault(
      choice(['development', 'test', 'production'], 'What this server is for. `production` refuses `debug`.'),
      'development',
    ),
    debug: z.prefault(
      flag('Writes a line to the operational log for every request: method and status; no names, no values.'),
      'false',
    ),
    host: z.prefault(
      text('The address to listen on. Other than loopback it needs TLS, or proxies in front.'),
      '127.0.0.1',
    ),
    port: z.prefault(whole(0, 65535, 'The port to listen on; 0 takes a free one.'), '8787'),
    publicUrl: z.optional(
      origin(
        'Where clients find this server, such as `https://secrets.example.com`. Proofs of possession (DPoP) are made for this address; when not given they are taken on loopback only.',
      ),
    ),
    data: z.prefault(
      folder('The folder that holds the vaults, one SQLite file each, and the root key when it was made here.'),
      './data',
    ),
    rootKey: z.optional(
      secret(
        parseRootKey,
        '32 bytes in base64url',
        'The key that all others derive from. When not given, one is made in the data folder.',
      ),
    ),
    formerRootKeys: z.prefault(
      secret(
        rootKeys,
        'the same, parted by commas',
        'Root keys that `rootKey` takes the place of, for as long as something needs them: see [rotation.md](../how-to/rotation.md#another-root-key).',
      ),
      '',
    ),
    nextRootKey: z.optional(
      secret(
        parseRootKey,
        'the same',
        'The root key that is going to take the place of `rootKey`: what others make under it is taken already. For Workers.',
      ),
    ),
    logOrigin: z.prefault(
      pattern(
        /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
        "The name of the logs, before each vault's id, on their checkpoints: a host and path of yours, such as `secrets.example.com/audit`. Not to be changed later.",
      ),
      'postern.invalid/audit',
    ),
    clientAddress: z.prefault(
      choice(
        ['socket', 'forwarded', 'cloudflare'],
        "Where the client's address is taken from: the other end of the connection; `X-Forwarded-For` of a trusted proxy; `CF-Connecting-IP` (on Workers only). Never guessed from what headers there are.",
      ),
      'socket',
    ),
    trustedProxies: z.prefault(
      list(
        (item) => parseRange(item),
        'address ranges',
        'Proxies in front that end TLS. With `clientAddress` `forwarded` the client is the right-most hop that is none of them.',
      ),
      '',
    ),
    requestTimeoutMs: z.prefault(whole(200, 600_000, 'How long a request may take, in milliseconds.'), '10000'),
    bodyTimeoutMs: z.prefault(
      whole(
        100,
        600_000,
        "How long a request's body may take to arrive, in milliseconds; less than the whole request.",
      ),
      '5000',
    ),
    security: z.prefault(SecuritySettings, {}),
    audit: z.prefault(AuditSettings, {}),
    providers: z.prefault(ProviderSettings, {}),
    metrics: z.prefault(
      flag(
        'Serves `GET /metrics` for Prometheus, to whoever can reach the port: how providers are and what waits in vaults, without names of secrets or vaults.',
      ),
      'false',
    ),
    serverTiming: z.prefault(
      flag(
        'Says on successful answers of a vault where the time went, in whole milliseconds (`Server-Timing`). Tells who may read a value whether a cache had it.',
      ),
      'false',
    ),
    traces: z.prefault(TraceSettings, {}),
    backup: z.prefault(
      z.object({
        folder: z.optional(
          text(
            'Where backups of the vaults are kept: a folder that is there, on another disk. What is in it is sealed, and needs the root key, which it never holds.',
          ),
        ),
        everyHours: z.prefault(
          whole(0, 8760, 'How often each vault is backed up, in hours; 0: only by `npm run backup`. Needs the folder.'),
          '24',
        ),
        keep: z.prefault(whole(1, 1000, 'How many backups of each vault are kept.'), '7'),
      }),
      {},
    ),
    tls: z.prefault(
      z.object({
        certFile: z.optional(text('A file with the certificate chain in PEM.')),
        keyFile: z.optional(text('A file with the private key in PEM.')),
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
      across(['formerRootKeys'], 'Must not have a key twice, nor the root key itself'),
    ),
    z.refine(
      ({ traces }) => traces?.url === undefined || isOperatorUrl(traces.url),
      across(['traces', 'url'], 'Must be an https URL, or http to this machine'),
    ),
    z.refine(
      ({ audit }) => audit?.sinkUrl === undefined || isOperatorUrl(audit.sinkUrl),
      across(['audit', 'sinkUrl'], 'Must be an https URL'),
    ),
    z.refine(
      ({ audit }) => !/^https?:/i.test(audit?.anchor ?? '') || isOperatorUrl(audit?.anchor ?? ''),
      across(['audit', 'anchor'], 'Must be an https URL, or a folder'),
    ),
    z.refine(
      ({ tls }) => (tls?.certFile === undefined) === (tls?.keyFile === undefined),
      across(['tls', 'keyFile'], 'Certificate and key go together'),
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
      ({ providers, environment }) => !(providers?.filePath !== undefined && environment === 'production'),
      across(['providers', 'filePath'], 'Must not be set in production'),
    ),
    z.refine(
      ({ providers }) => providers?.vaults === undefined || keepsVaultsApart(providers),
      across(['providers', 'namePrefix'], 'Must have {vault} as a segment when more than one vault may use providers'),
    ),
    z.refine(
      ({ providers }) => providers === undefined || inOrder(providers),
      across(
        ['providers', 'primaryProvider'],
        'Must be given before the secondary and the tertiary, and each but once',
      ),
    ),
    z.refine(
      ({ clientAddress, trustedProxies }) => clientAddress !== 'forwarded' || trustedProxies?.length !== 0,
      across(['clientAddress'], 'Must not be forwarded without POSTERN_TRUSTED_PROXIES'),
    ),
    z.refine(
      ({ host, tls, trustedProxies }) =>
        isLoopback(host) || tls?.certFile !== undefined || trustedProxies?.length !== 0,
      across(
        ['host'],
        'Must be loopback unless POSTERN_TLS__CERT_FILE or POSTERN_TRUSTED_PROXIES is set: tokens must not travel in the clear',
      ),
    ),
    z.refine(
      ({ host, tls, trustedProxies, clientAddress }) =>
        isLoopback(host) || tls?.certFile !== undefined || !trustedProxies?.length || clientAddress !== 'socket',
      across(['clientAddress'], 'Must be forwarded behind proxies: all clients would have their address'),
    ),
  )

export type Settings = Readonly<z.output<typeof SettingsSchema>>

/** How long all providers of a chain may take together, in milliseconds. */
export function deadlineMsOf({
  providers,
  requestTimeoutMs,
}: Pick<Settings, 'providers' | 'requestTimeoutMs'>): number {
  return providers.deadlineMs ?? Math.floor(requestTimeoutMs * 0.8)
}

/** Whether a vault stays closed while its anchor cannot be read. */
export function anchorRequired({ audit, environment }: Pick<Settings, 'audit' | 'environment'>): boolean {
  return audit.anchorRequired ?? environment === 'production'
}

/** How long entries of the log are kept, in days. */
export function retentionDaysOf({ audit, environment }: Pick<Settings, 'audit' | 'environment'>): number {
  return audit.retentionDays ?? (environment === 'production' ? 365 : 90)
}

const PREFIX = 'POSTERN_'
// Set by Kubernetes for a service of our name, by our own test commands, and by the entries.
const FOREIGN =
  /^POSTERN_(?:(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)|PORT_[0-9]+_)|LIVE_|ENDPOINT$|SECRETS_DIR$|[A-Z0-9_]+_PORT$)/

/** Settings of before, and what to do now. */
const GONE: ReadonlyMap<string, string> = new Map([
  [
    'POSTERN_BOOTSTRAP_TOKEN',
    'Was removed in 0.2: unset it. Tokens that it made still work. For a new vault make a ticket with `npm run mint -- VAULT`, and exchange it for a token at POST /v1/vaults/VAULT/tokens',
  ],
])

/**
 * Reads the settings of a server.
 *
 * @throws {PosternError} `bad_request`, naming every wrong or unknown setting at once and no value.
 */
export function parseSettings(sources: Sources): Settings {
  const { POSTERN_PORT: port, ...environment } = sources.environment
  // Kubernetes sets it to tcp://… for a service of our name.
  const given = port?.startsWith('tcp://') ? environment : sources.environment
  return readSettings(SettingsSchema, PREFIX, { ...sources, environment: given }, { foreign: FOREIGN, gone: GONE })
}

/** What can be set, for the reference. */
export function settingsReference(): SettingInfo[] {
  return describeSettings(SettingsSchema, PREFIX)
}

/** Whether a host is this machine alone. */
export function isLoopback(host: string): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(host)
}

/** A rule about several settings: looked at even when others are wrong, so that all is said at once. */
function across(path: string[], message: string) {
  return { path, message, when: () => true }
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

/** What is no key, since it is missing or wrong by itself, is like no other. */
function isDistinct(keys: unknown[]): boolean {
  const texts = keys.flatMap((key) => (key instanceof Redacted ? [base64url(key.reveal())] : []))
  return new Set(texts).size === texts.length
}
