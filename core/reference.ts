/**
 * References to secrets: `postern://vault/path/name?version=3#/json/pointer`.
 *
 * A reference may be in any file, since it holds no value. The pointer (RFC 6901, in its URI
 * fragment form) picks one text out of a secret that is a JSON document.
 *
 * @module
 */
import { JSON_TYPE } from './content_type.ts'
import { DEFAULT_CONTENT_TYPE } from './encoding.ts'
import { badRequest } from './errors.ts'
import { JsonSource } from './json_source.ts'
import { parseName, parseVaultId } from './names.ts'

const SCHEME = 'postern://'
const MAX_LENGTH = 1024
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/

/** A parsed reference. */
export interface Reference {
  vault: string
  name: string
  /** The current version when not given. */
  version?: number
  /** A JSON pointer such as `/db/password`, decoded (RFC 6901 section 3). */
  pointer?: string
}

/**
 * Parses a reference. It is split by hand: `new URL` would collapse `..`, fold case and quote its
 * input in errors.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseReference(input: unknown, field = 'reference'): Reference {
  if (typeof input !== 'string' || input.length > MAX_LENGTH || !input.startsWith(SCHEME)) {
    throw badRequest(field, 'Reference must read postern://vault/name')
  }
  const [beforeFragment, fragment] = cut(input.slice(SCHEME.length), '#')
  const [path, query] = cut(beforeFragment, '?')
  const [vault, name] = cut(path, '/')
  const reference = {
    vault: parseVaultId(vault, field),
    name: parseName(name, field),
    ...(query === undefined ? {} : { version: parseVersionQuery(query, field) }),
    ...(fragment === undefined ? {} : { pointer: parseFragment(fragment, field) }),
  }
  // Escaped, a pointer may be longer than it was given.
  if (formatReference(reference).length > MAX_LENGTH) throw badRequest(field, 'Reference is too long')
  return reference
}

/** Writes a reference. It parses back to the same. */
export function formatReference({ vault, name, version, pointer }: Reference): string {
  const query = version === undefined ? '' : `?version=${version}`
  const fragment = pointer === undefined ? '' : `#${encodeURI(pointer).replaceAll('#', '%23').replaceAll('?', '%3F')}`
  return `${SCHEME}${vault}/${name}${query}${fragment}`
}

/**
 * Parses a version number: 1 to 2^53 - 1, in the one form without leading zeros or sign.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseVersion(input: string, field = 'version'): number {
  const version = Number(input)
  if (/^[1-9][0-9]{0,15}$/.test(input) && Number.isSafeInteger(version)) return version
  throw badRequest(field, 'Version must be a whole number from 1 on')
}

/**
 * Checks a JSON pointer (RFC 6901 section 3), decoded: empty for the whole document, or tokens that each begin with `/`.
 *
 * @throws {PosternError} `bad_request`
 */
export function parsePointer(input: unknown, field = 'field'): string {
  if (typeof input === 'string' && POINTER.test(input) && input.isWellFormed()) return input
  throw badRequest(
    field,
    'Must be a JSON pointer: "/" before each key, such as /password, with "~" as ~0 and "/" as ~1',
  )
}

/** What a JSON pointer picks out of a secret. */
export interface Picked {
  text: string
  /** `application/json` of an object or an array; of a scalar, which is its bare text, `text/plain`. */
  contentType: string
}

/**
 * Evaluates a JSON pointer (RFC 6901 section 4) on a secret that is a JSON document. A string yields its text; a
 * number, an object or an array yields its source text with every digit, key and space unchanged.
 *
 * @returns `null` if the secret is not a JSON document, if the pointer finds nothing or `null`, if a key on its path is
 *   repeated, or if it finds a string that UTF-8 cannot encode.
 */
export function pickTyped(json: string, pointer: string): Picked | null {
  const source = JsonSource.parse(json)
  const value = source?.at(pointer) ?? null
  if (source === null || value === null || value.kind === 'null') return null
  const text = value.kind === 'string' ? source.stringOf(value) : source.slice(value)
  if (text === null) return null
  const isJson = value.kind === 'object' || value.kind === 'array'
  return { text, contentType: isJson ? JSON_TYPE : DEFAULT_CONTENT_TYPE.utf8 }
}

/** The text alone of what {@link pickTyped} picks. */
export function pick(json: string, pointer: string): string | null {
  return pickTyped(json, pointer)?.text ?? null
}

function parseVersionQuery(query: string, field: string): number {
  const version = /^version=([0-9]+)$/.exec(query)?.[1]
  if (version === undefined) throw badRequest(field, 'Reference may only ask for ?version=N')
  return parseVersion(version, field)
}

function parseFragment(fragment: string, field: string): string {
  let pointer: string
  try {
    pointer = decodeURIComponent(fragment)
  } catch {
    throw badRequest(field, 'Reference must have a JSON pointer after "#"')
  }
  if (!POINTER.test(pointer) || !pointer.isWellFormed()) {
    throw badRequest(field, 'Reference must have a JSON pointer after "#"')
  }
  return pointer
}

function cut(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)]
}
