/**
 * Names of secrets in the stores. Each mapping is injective and has an inverse: two secrets never share a place in a
 * store, and a name read there belongs to one secret only.
 *
 * @module
 */
import { badRequest, PosternError } from '../errors.ts'
import { parseName } from '../names.ts'
import { ProviderFailure, type ProviderKind } from './provider.ts'

/** The naming rules of a store. A file is named by its format, and `env-upper` is the form of 0.1. */
export type Naming = Exclude<ProviderKind, 'file'> | 'env' | 'env-upper' | 'json'

interface Rule {
  /** The form of a name in the store. */
  valid: RegExp
  /** Writes a name in the characters of the store. Returns `null` if it has no form there. */
  write: (name: string) => string | null
  /** The inverse, for names that `write` made. */
  read: (name: string) => string
}

const AS_IT_IS = { write: (name: string) => name, read: (name: string) => name }
// Visible ASCII without the characters that have a meaning in a URL, however often it is decoded. No segment is empty
// or leads to another folder, and no name ends with a period, which Vault refuses.
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)(?!\/)(?!.*[/.]$)(?:(?![%?#\\])[!-~]){1,1024}$/

const RULES: Record<Naming, Rule> = {
  // A hyphen and six characters are the end of an ARN: the service would find another secret by this name.
  aws: { ...AS_IT_IS, valid: /^(?!.*-[A-Za-z0-9]{6}$)[A-Za-z0-9/_+=.@-]{1,512}$/ },
  azure: {
    // The store ignores case, so names are read in lower case, and a name with upper case has no place there.
    valid: /^[0-9A-Za-z-]{1,127}$/,
    write: (name) => (/^[a-z0-9/-]+$/.test(name) && !/--|-\//.test(name) ? name.replaceAll('/', '--') : null),
    read: (name) => name.toLowerCase().replaceAll('--', '/'),
  },
  hashicorp: { ...AS_IT_IS, valid: PATH },
  http: { ...AS_IT_IS, valid: PATH },
  json: { ...AS_IT_IS, valid: PATH },
  // The keys that `dotenv` takes.
  env: { ...AS_IT_IS, valid: /^[\w.-]{1,512}$/ },
  'env-upper': {
    valid: /^[A-Z_][A-Z0-9_]{0,511}$/,
    // An underscore beside a slash would become part of what the slash becomes.
    write: (name) =>
      /^[a-z0-9/_]+$/.test(name) && !/__|_\/|\/_/.test(name) ? name.replaceAll('/', '__').toUpperCase() : null,
    read: (name) => name.toLowerCase().replaceAll('__', '/'),
  },
}

const ENV_ADVICE =
  'A .env file has its keys as they are. For the keys of 0.1 (APP__KEY for app/key), set POSTERN_PROVIDERS__FILE_NAMES to upper'

/** Explains how a store names secrets, for a name that is not found there; `null` if the names need no explanation. */
export function namingAdvice(naming: Naming): string | null {
  return naming === 'env' ? ENV_ADVICE : null
}

/**
 * Returns the name of a secret in a store.
 *
 * @param name A valid name of a secret.
 * @param prefix Put in front, in the characters of the store.
 * @throws {PosternError} `bad_request` if the store cannot have such a name.
 */
export function storeName(naming: Naming, name: string, prefix = ''): string {
  const rule = RULES[naming]
  const written = rule.write(name)
  // A period or a slash at the end of a prefix must not change the path after it.
  if (written === null || !rule.valid.test(prefix + written)) {
    const advice = naming === 'env' ? `. ${ENV_ADVICE}` : ''
    throw badRequest('name', `Secret cannot have this name in the store that it is kept in${advice}`)
  }
  return prefix + written
}

/**
 * Returns the secret to which a name in a store belongs.
 *
 * @param stored Hostile input: other clients write to the store too.
 * @returns `null` if the name lacks the prefix, or if `storeName` would not have made it.
 */
export function secretName(naming: Naming, stored: string, prefix = ''): string | null {
  const folded = naming === 'azure' ? stored.toLowerCase() : stored
  const start = naming === 'azure' ? prefix.toLowerCase() : prefix
  if (!folded.startsWith(start)) return null
  const name = RULES[naming].read(folded.slice(start.length))
  try {
    return storeName(naming, parseName(name), start) === folded ? name : null
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}

/**
 * Checks a name of the store before it becomes part of a URL.
 *
 * @throws {ProviderFailure} `invalid`
 */
export function checkStoreName(naming: Naming, name: string): void {
  if (!RULES[naming].valid.test(name)) throw new ProviderFailure('invalid', { code: 'Name' })
}
