/**
 * Reads typed settings from the environment, a `.env` file and a folder of secrets.
 *
 * Each setting is a leaf of a zod schema. Its name in camel case becomes a name in capitals: `data` is
 * `POSTERN_DATA`, and `tls.certFile` is `POSTERN_TLS__CERT_FILE`. An application can read its own settings in
 * the same way: see {@link readSettings}.
 *
 * @module
 */

import * as z from 'zod/mini'
// Imported directly: through `z.core`, a bundle would contain all of it, with JSON Schema and fifty languages.
import * as core from 'zod/v4/core'
import en from 'zod/v4/locales/en.js'
import { PosternError } from '../errors.ts'
import { Redacted } from '../redacted.ts'
import { nearestName } from './nearest_name.ts'

/** The sources of settings. The first source with a name wins. */
export interface Sources {
  environment: Readonly<Record<string, string | undefined>>
  /** A parsed `.env` file. */
  dotenv?: Readonly<Record<string, string | undefined>>
  /** Files of a secrets folder, by name, as Docker and Kubernetes mount them. */
  secrets?: Readonly<Record<string, string | undefined>>
}

/** One setting on the settings page. */
export interface SettingInfo {
  name: string
  type: string
  fallback: string | null
  secret: boolean
  description: string
  /** Whether it is the path of a file, which exists only where there is a disk. */
  isFile?: boolean
  /** Whether it is about how a process sends requests, which on Workers the platform decides. */
  isRoute?: boolean
}

type About = Omit<SettingInfo, 'name' | 'fallback'>

/** The description of each setting, by its schema. */
const ABOUT = z.registry<About>()
const ONE_LINE = 'Must not have control characters or surrounding white space'
/** Default messages for rules without their own. */
const WORDS = { error: en().localeError }

/** A setting that is text: one line, see {@link isOneLine}. */
export const text = (description: string) =>
  z.string().check(z.minLength(1), z.refine(isOneLine, ONE_LINE)).register(ABOUT, about('text', description))

/** A setting that is text of a form that `check` knows. It throws a `PosternError` for any other. */
export const checked = (check: (given: string) => void, description: string) =>
  parsed((given) => {
    check(given)
    return given
  }).register(ABOUT, about('text', description))

/** A setting that is the path of a file. It is refused where there is no disk. */
export const fileName = (description: string) =>
  z
    .string()
    .check(z.minLength(1), z.refine(isOneLine, ONE_LINE))
    .register(ABOUT, { ...about('text', description), isFile: true })

/** A setting that is text of a given form. */
export const pattern = (form: RegExp, description: string) =>
  z
    .string()
    .check(z.regex(form, `Must match ${form.source}`))
    .register(ABOUT, about('text', description))

/** The spellings of a flag, in any case: those of pydantic, and so of many a configuration file. */
const FLAGS = new Map([
  ...['true', 't', 'yes', 'y', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'f', 'no', 'n', 'off', '0'].map((word) => [word, false] as const),
])

/** A setting that is `true` or `false`, in any of {@link FLAGS}. */
export const flag = (description: string) => parsed(parseFlag).register(ABOUT, about('`true` or `false`', description))

/** A setting that is one of some words. */
export const choice = <const T extends readonly string[]>(words: T, description: string) =>
  z.enum(words).register(ABOUT, about(words.map((word) => `\`${word}\``).join(', '), description))

/** A setting that is a whole number between two bounds. */
export const whole = (min: number, max: number, description: string) =>
  z
    .pipe(z.string().check(z.regex(/^[0-9]{1,15}$/, 'Must be a whole number')), z.transform(Number))
    .check(z.refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`))
    .register(ABOUT, about(`${min} to ${max}`, description))

/** A setting that is a list, separated by commas or in JSON. `parse` reads each item. */
export const list = <T>(parse: (item: string) => T, type: string, description: string) =>
  parsed((given) => items(given).map(parse)).register(
    ABOUT,
    about(`comma-separated list of ${type}, or \`none\``, description),
  )

/** A setting that is a comma-separated list of at least one item. An empty list would be ambiguous. */
export const some = <T>(parse: (item: string) => T, type: string, description: string) =>
  parsed((given) => items(given).map(parse))
    .check(z.refine((given) => given.length > 0, 'Must have at least one item'))
    .register(ABOUT, about(`comma-separated list of ${type}`, description))

/** A setting that is text with its own parser. */
export const parsedText = <T>(parse: (given: string) => T, type: string, description: string) =>
  parsed(parse).register(ABOUT, about(type, description))

/** A setting that is the origin of a server: scheme, host and port. */
export const origin = (description: string) => parsedText(parseOrigin, 'an origin', description)

/** A setting that must not be displayed. A key or a token is parsed by {@link parseCredential}. */
export const secret = <T>(parse: (given: string) => T, type: string, description: string) =>
  parsed(parse).register(ABOUT, { ...about(type, description), secret: true })

/** Marks a setting that is about how a process sends requests. It is refused on Workers. */
export function route<T extends z.ZodMiniType>(setting: T): T {
  ABOUT.add(setting, { ...aboutOf(setting), isRoute: true })
  return setting
}

/** Names that have the prefix and are not settings. */
export interface OtherNames {
  /** Names that other programs set. They are ignored. */
  foreign?: RegExp
  /** Settings of earlier versions, and their replacement. */
  gone?: ReadonlyMap<string, string>
  /** Says what is wrong with an unknown name; `null` if another complaint covers it, `undefined` if it is merely unknown. */
  explain?: (name: string) => string | null | undefined
}

/** How settings are read. */
export interface ReadOptions extends OtherNames {
  /** Whether there is a disk. Without it, settings that name files are refused. */
  hasFiles?: boolean
}

/**
 * The key of a group whose members are named by the operator. It has no part in the names of settings:
 * `providers.instances.eu.region` is `POSTERN_PROVIDERS__EU__REGION`.
 */
const UNNAMED = 'instances'

/**
 * Reads the settings that a schema of {@link text}, {@link whole} and the like describes. The result is
 * deeply frozen.
 *
 * @param prefix The prefix of all names, such as `POSTERN_`.
 *
 * @throws {PosternError} `bad_request`, naming every invalid or unknown setting at once, and no value.
 */
export function readSettings<T extends z.ZodMiniType>(
  schema: T,
  prefix: string,
  sources: Sources,
  { foreign, gone, explain, hasFiles = true }: ReadOptions = {},
): z.output<T> {
  const raw: Tree = {}
  const known = new Map<string, string | undefined>()
  const wrong = new Map<string, string>()
  for (const [path, leaf] of leaves(schema)) {
    const name = settingName(prefix, path)
    const given = firstGiven(sources, name)
    known.set(name, given)
    if (given === undefined) continue
    put(raw, path, given)
    const { isFile, isRoute } = aboutOf(leaf)
    if (!hasFiles && isFile) wrong.set(name, 'Must not be set, since this runtime has no files')
    if (!hasFiles && isRoute) wrong.set(name, 'Must not be set on Workers, where the platform sends the requests')
  }
  for (const [name, given] of known) {
    const twin = name.replace(/_FILE$/, '')
    if (twin === name || given === undefined || known.get(twin) === undefined) continue
    wrong.set(name, `Must not be set together with ${twin}`)
  }
  const unknown = givenNames(sources).filter(
    (name) => name.toUpperCase().startsWith(prefix) && !known.has(name) && !foreign?.test(name),
  )
  const result = schema.safeParse(raw, WORDS)
  // Only the first complaint about a setting: a rule across settings adds nothing to an invalid one.
  for (const name of unknown) {
    const explained = gone?.get(name) ?? explain?.(name)
    const message = explained === undefined ? unknownSetting(name, prefix, [...known.keys()]) : explained
    if (message !== null) wrong.set(name, message)
  }
  for (const { path, message } of result.error?.issues ?? []) {
    const name = settingName(prefix, path.map(String))
    if (!wrong.has(name)) wrong.set(name, message)
  }
  const complaints = [...wrong].map(([name, message]) => `${name}: ${message}`)
  if (complaints.length > 0) throw new PosternError('bad_request', `Settings are invalid\n  ${complaints.join('\n  ')}`)
  return freeze(result.data as z.output<T>)
}

/** The names that the sources have, once each. */
export function givenNames({ environment, dotenv = {}, secrets = {} }: Sources): string[] {
  // Only files may have names in lower case. In an environment such a name is a mistake.
  const files = Object.keys(secrets).map((name) => (name === name.toLowerCase() ? name.toUpperCase() : name))
  return [...new Set([...Object.keys(environment), ...Object.keys(dotenv), ...files])]
}

/**
 * Returns the value of a name from the first source that has it. An empty value counts as not set, so that it does not
 * hide the value of the next source. One trailing line end is removed from any of them: files end with one, and so do
 * variables and secrets of a Worker that were filled from a file.
 */
export function firstGiven({ environment, dotenv = {}, secrets = {} }: Sources, name: string): string | undefined {
  const given = [environment[name], dotenv[name], secrets[name], secrets[name.toLowerCase()]]
  return given.map((text) => text && withoutLineEnd(text)).find((text) => text !== undefined && text !== '')
}

/** Removes one line end, which files end with. */
export function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}

/** Whether a text has no control character and no surrounding white space: they are never meant, and hard to see. */
function isOneLine(text: string): boolean {
  return text.trim() === text && !/\p{Cc}/u.test(text)
}

/** Lists the settings of a schema for the settings page. */
export function describeSettings(schema: core.$ZodType, prefix: string): SettingInfo[] {
  return leaves(schema).map(([path, leaf]) => {
    const { type, secret, description } = aboutOf(leaf)
    const fallback = leaf instanceof core.$ZodPrefault ? String(leaf._zod.def.defaultValue) : null
    return { name: settingName(prefix, path), type, secret, description, fallback }
  })
}

/** Explains an unknown setting, with the name that was probably meant. */
function unknownSetting(name: string, prefix: string, known: readonly string[]): string {
  const names = known.map((one) => one.slice(prefix.length))
  const nearest = nearestName(name.slice(prefix.length), names)
  return nearest === null ? 'Unknown setting' : `Unknown setting. Did you mean ${prefix}${nearest}?`
}

type Tree = { [key: string]: string | Tree }

function leaves(schema: core.$ZodType, path: string[] = []): [string[], core.$ZodType][] {
  const inner = schema instanceof core.$ZodPrefault ? schema._zod.def.innerType : schema
  if (!(inner instanceof core.$ZodObject)) return [[path, schema]]
  return Object.entries(inner._zod.def.shape).flatMap(([key, child]) => leaves(child, [...path, key]))
}

function aboutOf(leaf: core.$ZodType): About {
  const isWrapped = leaf instanceof core.$ZodPrefault || leaf instanceof core.$ZodOptional
  const found = ABOUT.get(isWrapped ? leaf._zod.def.innerType : leaf)
  if (found === undefined) throw new TypeError('A setting must be made by one of the functions of this module')
  return found
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

/** Returns the name of the setting at a path of the schema. */
export function settingName(prefix: string, path: readonly string[]): string {
  return (
    prefix +
    path
      .filter((key) => key !== UNNAMED)
      .map(capitals)
      .join('__')
  )
}

function capitals(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/**
 * Splits a list, which is separated by commas, or a JSON array of texts. `none` is an empty list.
 *
 * @throws {PosternError} `bad_request` for an array that is not JSON, or that holds anything else than texts.
 */
export function items(given: string): string[] {
  if (given === 'none') return []
  // Not by the bracket alone, which an IPv6 address may begin with.
  if (/^\s*\[\s*["\]]/.test(given)) return jsonItems(given)
  return given
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function jsonItems(given: string): string[] {
  const read = z.array(z.string()).safeParse(jsonOrNull(given))
  if (read.success) return read.data
  throw new PosternError('bad_request', 'Must be items separated by commas, or a JSON array of texts')
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function parseFlag(given: string): boolean {
  const flag = FLAGS.get(given.toLowerCase())
  if (flag === undefined) throw new PosternError('bad_request', 'Must be true or false')
  return flag
}

/** Makes a schema of a parser that throws. */
function parsed<T>(parse: (given: string) => T) {
  const transform = z.transform<string, T>((given, payload) => {
    try {
      return parse(given)
    } catch (error) {
      const message = error instanceof PosternError ? error.message : 'Invalid'
      payload.issues.push({ code: 'custom', message, input: given })
      // To rules across settings, an invalid one is given and undefined.
      return undefined as never
    }
  })
  return z.pipe(z.string(), transform)
}

function parseOrigin(given: string): string {
  if (URL.canParse(given) && new URL(given).origin === given.replace(/\/$/, '')) return new URL(given).origin
  throw new PosternError('bad_request', 'Must be an origin such as https://host')
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Redacted)) {
    Object.values(value).forEach(freeze)
    Object.freeze(value)
  }
  return value
}

/**
 * Parses a credential, whose line end is removed already.
 *
 * @throws {PosternError} `bad_request` if it is empty or not one line, see {@link isOneLine}.
 */
export function parseCredential(given: string): Redacted<string> {
  if (given === '') throw new PosternError('bad_request', 'Must not be empty')
  if (!isOneLine(given)) throw new PosternError('bad_request', ONE_LINE)
  return new Redacted(given)
}

/**
 * Parses the content of a credential file by the rule of settings: one trailing line end is removed.
 *
 * @throws {PosternError} `bad_request`, as {@link parseCredential}.
 */
export function parseCredentialFile(text: string): Redacted<string> {
  return parseCredential(withoutLineEnd(text))
}

/**
 * Parses a bearer token, see {@link parseCredential}.
 *
 * @throws {PosternError} `bad_request` unless it is visible ASCII.
 */
export function parseBearerToken(given: string): Redacted<string> {
  const token = parseCredential(given)
  if (!/^[\x21-\x7e]{1,4096}$/.test(token.reveal())) throw new PosternError('bad_request', 'Must be visible ASCII')
  return token
}
