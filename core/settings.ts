/**
 * Typed settings, from the environment, a `.env` file and a folder of secrets.
 *
 * Each setting is one leaf of a zod schema, written in camel case and read from a name in capitals:
 * `data` from `POSTERN_DATA`, `tls.certFile` from `POSTERN_TLS__CERT_FILE`. The reference in
 * `docs/settings.md` is generated from the same schema. An application may read settings of its own
 * in the same way: see {@link readSettings}.
 *
 * @module
 */
import * as z from 'zod'
import { parseRange } from './access/cidr.ts'
import { vaultOfToken } from './access/token.ts'
import { parseRootKey } from './crypto/keyring.ts'
import { PosternError } from './errors.ts'
import { Redacted } from './redacted.ts'

/** Where settings come from, the first that has a name wins. */
export interface Sources {
  environment: Readonly<Record<string, string | undefined>>
  /** A parsed `.env` file. */
  dotenv?: Readonly<Record<string, string | undefined>>
  /** Files of a secrets folder, by name, as Docker and Kubernetes mount them. */
  secrets?: Readonly<Record<string, string | undefined>>
}

/** What the reference says of one setting. */
export interface SettingInfo {
  name: string
  type: string
  fallback: string | null
  secret: boolean
  description: string
}

type About = Omit<SettingInfo, 'name' | 'fallback'>

/** A setting that is text as it stands. */
export const text = (description: string) => z.string().min(1).meta(about('text', description))

/** A setting that is `true` or `false`. */
export const flag = (description: string) =>
  z
    .enum(['true', 'false'])
    .transform((given) => given === 'true')
    .meta(about('`true` or `false`', description))

/** A setting that is one of a few words. */
export const choice = <const T extends readonly string[]>(words: T, description: string) =>
  z.enum(words).meta(about(words.map((word) => `\`${word}\``).join(', '), description))

/** A setting that is a whole number. */
export const whole = (min: number, max: number, description: string) =>
  z
    .string()
    .regex(/^[0-9]{1,15}$/, 'Must be a whole number')
    .transform(Number)
    .refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`)
    .meta(about(`${min} to ${max}`, description))

/** A setting that is a list parted by commas, each item read by `parse`. */
export const list = <T>(parse: (item: string) => T, type: string, description: string) =>
  z
    .string()
    .transform((given, context) => attempt(context, () => items(given).map(parse)))
    .meta(about(`${type}, parted by commas`, description))

/** A setting that nothing may show. */
export const secret = <T>(parse: (given: string) => T, type: string, description: string) =>
  z
    .string()
    .transform((given, context) => attempt(context, () => parse(given)))
    .meta({ ...about(type, description), secret: true })

/** Everything that can be set about Postern. */
export const SettingsSchema = z
  .object({
    appName: text('The name that this server gives itself in its operational log.').prefault('postern'),
    environment: choice(
      ['development', 'test', 'production'],
      'What this server is for. `production` refuses `debug`.',
    ).prefault('development'),
    debug: flag(
      'Writes a line to the operational log for every request: method and status; no names, no values.',
    ).prefault('false'),
    host: text('The address to listen on. Other than loopback it needs `tls` or `trustedProxies`.').prefault(
      '127.0.0.1',
    ),
    port: whole(0, 65535, 'The port to listen on; 0 takes a free one.').prefault('8787'),
    data: text(
      'The folder that holds the vaults, one SQLite file each, and the root key when it was made here.',
    ).prefault('./data'),
    rootKey: secret(
      parseRootKey,
      '32 bytes in base64url',
      'The key that all others derive from. When not given, one is made in the data folder.',
    ).optional(),
    bootstrapToken: secret(
      bootstrapTokens,
      'tokens, parted by commas',
      'Tokens that open their vault while it is empty, from `npm run mint`. When not given, one is made for the vault `default` and printed.',
    ).prefault(''),
    trustedProxies: list(
      (item) => parseRange(item),
      'address ranges',
      "Proxies in front that end TLS and are believed about the client's address (`X-Forwarded-For`).",
    ).prefault(''),
    requestTimeoutMs: whole(100, 600_000, 'How long a request may take, in milliseconds.').prefault('10000'),
    bodyTimeoutMs: whole(100, 600_000, "How long a request's body may take to arrive, in milliseconds.").prefault(
      '5000',
    ),
    tls: z
      .object({
        certFile: text('A file with the certificate chain in PEM.').optional(),
        keyFile: text('A file with the private key in PEM.').optional(),
      })
      .prefault({}),
  })
  .superRefine((settings, context) => {
    const object = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    const { host, tls } = settings
    if (settings.debug && settings.environment === 'production') object(['debug'], 'Must be false in production')
    if ((tls.certFile === undefined) !== (tls.keyFile === undefined))
      object(['tls', 'keyFile'], 'Certificate and key go together')
    if (
      !['127.0.0.1', '::1', 'localhost'].includes(host) &&
      tls.certFile === undefined &&
      settings.trustedProxies.length === 0
    ) {
      object(
        ['host'],
        'Must be loopback unless POSTERN_TLS__CERT_FILE or POSTERN_TRUSTED_PROXIES is set: tokens must not travel in the clear',
      )
    }
  })

export type Settings = Readonly<z.output<typeof SettingsSchema>>

const PREFIX = 'POSTERN_'
// Set by Kubernetes for a service of our name, by our own test commands, and by the entries.
const FOREIGN = /^POSTERN_(?:SERVICE_|PORT_[0-9]|LIVE_|SECRETS_DIR$)/

/**
 * Reads the settings of a server.
 *
 * @throws {PosternError} `bad_request`, naming every wrong or unknown setting at once and no value.
 */
export function parseSettings(sources: Sources): Settings {
  return readSettings(SettingsSchema, PREFIX, sources, FOREIGN)
}

/**
 * Reads the settings that a schema of {@link text}, {@link whole} and the like describes, all with
 * one prefix. The result is frozen throughout.
 *
 * @param foreign Names with the prefix that are somebody else's, and not a mistake.
 * @throws {PosternError} `bad_request`, naming every wrong or unknown setting at once and no value.
 */
export function readSettings<T extends z.ZodType>(
  schema: T,
  prefix: string,
  sources: Sources,
  foreign?: RegExp,
): z.output<T> {
  const { environment, dotenv = {}, secrets = {} } = sources
  const raw: Tree = {}
  const known = new Set<string>()
  for (const path of leaves(schema).map(([path]) => path)) {
    const name = prefix + path.map(capitals).join('__')
    known.add(name)
    const given =
      environment[name] ?? dotenv[name] ?? (secrets[name] ?? secrets[name.toLowerCase()])?.replace(/\r?\n$/, '')
    if (given !== undefined && given !== '') put(raw, path, given)
  }
  const given = [environment, dotenv, secrets]
    .flatMap((source) => Object.keys(source))
    .map((name) => name.toUpperCase())
  const unknown = [...new Set(given)].filter(
    (name) => name.startsWith(prefix) && !known.has(name) && !foreign?.test(name),
  )
  const result = schema.safeParse(raw)
  const complaints = [
    ...unknown.map((name) => `${name}: Unknown setting`),
    ...(result.error?.issues ?? []).map(
      ({ path, message }) => `${prefix}${path.map(String).map(capitals).join('__')}: ${message}`,
    ),
  ]
  if (complaints.length > 0) throw new PosternError('bad_request', `Settings are wrong\n  ${complaints.join('\n  ')}`)
  return freeze(result.data as z.output<T>)
}

/** What can be set, for the reference. */
export function describeSettings(schema: z.ZodType = SettingsSchema, prefix = PREFIX): SettingInfo[] {
  return leaves(schema).map(([path, leaf]) => {
    const { type, secret, description } = metaOf(leaf)
    const fallback = leaf instanceof z.ZodPrefault ? String(leaf.def.defaultValue) : null
    return { name: prefix + path.map(capitals).join('__'), type, secret, description, fallback }
  })
}

type Tree = { [key: string]: string | Tree }

function leaves(schema: z.ZodType, path: string[] = []): [string[], z.ZodType][] {
  const inner = schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema
  if (!(inner instanceof z.ZodObject)) return [[path, schema]]
  return Object.entries(inner.shape).flatMap(([key, child]) => leaves(child as z.ZodType, [...path, key]))
}

function metaOf(leaf: z.ZodType): About {
  const meta =
    leaf.meta() ??
    (leaf instanceof z.ZodPrefault || leaf instanceof z.ZodOptional ? (leaf.unwrap() as z.ZodType).meta() : undefined)
  return meta as unknown as About
}

function about(type: string, description: string): About {
  return { type, description, secret: false }
}

function put(tree: Tree, [key = '', ...rest]: string[], value: string): void {
  if (rest.length === 0) tree[key] = value
  else {
    tree[key] ??= {}
    put(tree[key] as Tree, rest, value)
  }
}

function capitals(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

function items(given: string): string[] {
  return given
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function bootstrapTokens(given: string): Redacted<string>[] {
  return items(given).map((token) => {
    if (vaultOfToken(token) === null) throw new PosternError('bad_request', 'Must be tokens in our own format')
    return new Redacted(token)
  })
}

function attempt<T>(context: z.RefinementCtx, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof PosternError ? error.message : 'Invalid' })
    return z.NEVER
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Redacted)) {
    Object.values(value).forEach(freeze)
    Object.freeze(value)
  }
  return value
}
