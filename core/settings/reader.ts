/**
 * Typed settings from text: kinds of settings, and how they are read from the environment, a `.env` file
 * and a folder of secrets.
 *
 * Each setting is one leaf of a zod schema, written in camel case and read from a name in capitals:
 * `data` from `POSTERN_DATA`, `tls.certFile` from `POSTERN_TLS__CERT_FILE`. An application may read settings
 * of its own in the same way: see {@link readSettings}.
 *
 * @module
 */

import * as z from 'zod/mini'
// By its own name: as `z.core` a bundle would have all of it, JSON Schema and fifty languages too.
import * as core from 'zod/v4/core'
import en from 'zod/v4/locales/en.js'
import { PosternError } from '../errors.ts'
import { Redacted } from '../redacted.ts'

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

/** What is said of the schema of each setting. */
const ABOUT = z.registry<About>()
/** The messages of rules that have none of their own. */
const WORDS = { error: en().localeError }

/** A setting that is text as it stands. */
export const text = (description: string) =>
  z.string().check(z.minLength(1)).register(ABOUT, about('text', description))

/**
 * A setting that is the path of a folder that is made when it is missing. White space around it, such as the carriage return
 * of a file with CRLF, would make another folder than the one that was meant.
 */
export const folder = (description: string) =>
  z
    .string()
    .check(
      z.minLength(1),
      z.refine(
        (path) => path.trim() === path && !/\p{Cc}/u.test(path),
        'Must be a path, without control characters or white space around it',
      ),
    )
    .register(ABOUT, about('text', description))

/** A setting that is text of one form. */
export const pattern = (form: RegExp, description: string) =>
  z
    .string()
    .check(z.regex(form, `Must match ${form.source}`))
    .register(ABOUT, about('text', description))

/** A setting that is `true` or `false`. */
export const flag = (description: string) =>
  z
    .pipe(
      z.enum(['true', 'false']),
      z.transform((given) => given === 'true'),
    )
    .register(ABOUT, about('`true` or `false`', description))

/** A setting that is one of a few words. */
export const choice = <const T extends readonly string[]>(words: T, description: string) =>
  z.enum(words).register(ABOUT, about(words.map((word) => `\`${word}\``).join(', '), description))

/** A setting that is a whole number. */
export const whole = (min: number, max: number, description: string) =>
  z
    .pipe(z.string().check(z.regex(/^[0-9]{1,15}$/, 'Must be a whole number')), z.transform(Number))
    .check(z.refine((n) => n >= min && n <= max, `Must be from ${min} to ${max}`))
    .register(ABOUT, about(`${min} to ${max}`, description))

/** A setting that is a list parted by commas, each item read by `parse`. */
export const list = <T>(parse: (item: string) => T, type: string, description: string) =>
  parsed((given) => items(given).map(parse)).register(
    ABOUT,
    about(`${type}, parted by commas; or \`none\``, description),
  )

/** The same, with one item at least: an empty list would say nothing clear. */
export const some = <T>(parse: (item: string) => T, type: string, description: string) =>
  parsed((given) => items(given).map(parse))
    .check(z.refine((given) => given.length > 0, 'Must have an item'))
    .register(ABOUT, about(`${type}, parted by commas`, description))

/** A setting that is the origin of a server: scheme, host and port, and nothing behind. */
export const origin = (description: string) => parsed(parseOrigin).register(ABOUT, about('an origin', description))

/** A setting that nothing may show. */
export const secret = <T>(parse: (given: string) => T, type: string, description: string) =>
  parsed(parse).register(ABOUT, { ...about(type, description), secret: true })

/** Names with the prefix that are no settings. */
export interface OtherNames {
  /** Those of others, and not a mistake. */
  foreign?: RegExp
  /** Settings of before: what to do now. */
  gone?: ReadonlyMap<string, string>
}

/**
 * Reads the settings that a schema of {@link text}, {@link whole} and the like describes, all with
 * one prefix. The result is frozen throughout.
 *
 * @throws {PosternError} `bad_request`, naming every wrong or unknown setting at once and no value.
 */
export function readSettings<T extends z.ZodMiniType>(
  schema: T,
  prefix: string,
  sources: Sources,
  { foreign, gone }: OtherNames = {},
): z.output<T> {
  const { environment, dotenv = {}, secrets = {} } = sources
  const raw: Tree = {}
  const known = new Set<string>()
  for (const path of leaves(schema).map(([path]) => path)) {
    const name = prefix + path.map(capitals).join('__')
    known.add(name)
    const given = firstGiven(sources, name)
    if (given !== undefined) put(raw, path, given)
  }
  // Only files may be named in lower case: in an environment such a name is a mistake that would go unseen.
  const files = Object.keys(secrets).map((name) => (name === name.toLowerCase() ? name.toUpperCase() : name))
  const given = [...Object.keys(environment), ...Object.keys(dotenv), ...files]
  const unknown = [...new Set(given)].filter(
    (name) => name.toUpperCase().startsWith(prefix) && !known.has(name) && !foreign?.test(name),
  )
  const result = schema.safeParse(raw, WORDS)
  // One complaint a setting, the first: a rule about several adds nothing to one that is wrong by itself.
  const wrong = new Map<string, string>(unknown.map((name) => [name, gone?.get(name) ?? 'Unknown setting']))
  for (const { path, message } of result.error?.issues ?? []) {
    const name = prefix + path.map(String).map(capitals).join('__')
    if (!wrong.has(name)) wrong.set(name, message)
  }
  const complaints = [...wrong].map(([name, message]) => `${name}: ${message}`)
  if (complaints.length > 0) throw new PosternError('bad_request', `Settings are wrong\n  ${complaints.join('\n  ')}`)
  return freeze(result.data as z.output<T>)
}

/**
 * The value of a name in the first source that gives one. An empty value counts as not given: it must not hide what the
 * next source has. One line end of a file is dropped.
 */
export function firstGiven({ environment, dotenv = {}, secrets = {} }: Sources, name: string): string | undefined {
  const files = [secrets[name], secrets[name.toLowerCase()]].map((text) => text?.replace(/\r?\n$/, ''))
  return [environment[name], dotenv[name], ...files].find((value) => value !== undefined && value !== '')
}

/** What can be set, for the reference. */
export function describeSettings(schema: core.$ZodType, prefix: string): SettingInfo[] {
  return leaves(schema).map(([path, leaf]) => {
    const { type, secret, description } = aboutOf(leaf)
    const fallback = leaf instanceof core.$ZodPrefault ? String(leaf._zod.def.defaultValue) : null
    return { name: prefix + path.map(capitals).join('__'), type, secret, description, fallback }
  })
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
  if (found === undefined) throw new TypeError('A setting must be made by one of the functions above')
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

function capitals(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/** The items of a list. An empty value counts as not given; `none` is an empty list. */
export function items(given: string): string[] {
  if (given === 'none') return []
  return given
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** A schema over a parser of ours, which throws. */
function parsed<T>(parse: (given: string) => T) {
  const transform = z.transform<string, T>((given, payload) => {
    try {
      return parse(given)
    } catch (error) {
      const message = error instanceof PosternError ? error.message : 'Invalid'
      payload.issues.push({ code: 'custom', message, input: given })
      return z.NEVER
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
