/**
 * Names of secrets in the stores. Each mapping is injective and has an inverse: two secrets never share a place in a
 * store, and a name read there belongs to one secret only. `name_map.ts` has the mapping of a chain.
 *
 * @module
 */
import { badRequest } from '../errors.ts'
import { ProviderFailure, type ProviderKind } from './provider.ts'

/** The naming rules of a store. A file is named by its format, and `env-upper` is the form of 0.1. */
export type Naming = Exclude<ProviderKind, 'file'> | 'env' | 'env-upper' | 'json'

interface Rule {
  /** Which names the store has, as the end of a sentence. */
  says: string
  /** Whether the store has a name. */
  isValid: (stored: string) => boolean
  /** Writes a name in the characters of the store. Returns `null` if it has no form there. */
  write: (name: string) => string | null
  /** The inverse, for names that `write` made. */
  read: (name: string) => string
  /** The one spelling of names that the store does not distinguish. */
  fold?: (stored: string) => string
}

const AS_IT_IS = { write: (name: string) => name, read: (name: string) => name }
// What a URL can carry escaped, and Vault takes: letters, marks, digits, punctuation and symbols of all scripts, and the
// space. A backslash is a slash to some servers.
const PRINTABLE = /^(?:(?!\\)[\p{L}\p{M}\p{N}\p{P}\p{S} ]){1,1024}$/u
// A server that decodes twice would find a control character, a period, a slash, a backslash or another escape. %C0, %C1
// and %E0%80 begin the longer forms of these that a lenient decoder takes, and %u00 is how some write them.
const ESCAPED = /%(?:[01][0-9a-f]|2[5ef]|5c|7f|c[01]|e0%80|u00)/i

// A parser of URLs drops the spaces, and what follows begins a parameter, a query or a fragment.
const RELATIVE = /^ *\.{1,2} *(?:[;?#]|$)/

/** Whether a text is a path of visible segments that no server resolves to another one, however often it decodes it. */
function isPath(stored: string): boolean {
  const segments = stored.split('/')
  // A server may take a full-width period or slash for the plain one.
  const plain = stored.normalize('NFKC').split('/')
  const isWhole = plain.length === segments.length
  return (
    PRINTABLE.test(stored) &&
    !ESCAPED.test(stored) &&
    isWhole &&
    [...segments, ...plain].every((segment) => segment !== '' && !RELATIVE.test(segment))
  )
}

const PATH_SAYS =
  'visible characters and spaces, without a backslash, an escape such as %2F, or a segment that is empty or leads to another folder, such as ".."'
const PATH = { ...AS_IT_IS, says: `paths of ${PATH_SAYS}`, isValid: isPath }

const ENV_ADVICE =
  'A .env file has its keys as they are. For the keys of 0.1 (APP__KEY for app/key), set POSTERN_PROVIDERS__FILE_NAMES to upper'

const RULES: Record<Naming, Rule> = {
  aws: {
    ...AS_IT_IS,
    says: '1 to 512 letters, digits and characters of "/_+=.@!-"',
    isValid: (stored) => /^[A-Za-z0-9/_+=.@!-]{1,512}$/.test(stored),
  },
  azure: {
    says: '1 to 127 letters, digits and hyphens. A name there is lower case and has "--" for each slash',
    isValid: (stored) => /^[0-9A-Za-z-]{1,127}$/.test(stored),
    // The store ignores case, so names are read in lower case, and a name with upper case has no place there.
    write: (name) => (/^[a-z0-9/-]+$/.test(name) && !/--|-\/|\/-/.test(name) ? name.replaceAll('/', '--') : null),
    read: (name) => name.toLowerCase().replaceAll('--', '/'),
    fold: (stored) => stored.toLowerCase(),
  },
  google: {
    says: '1 to 255 letters, digits, underscores and hyphens. A name there has "--" for each slash',
    isValid: (stored) => /^[A-Za-z0-9_-]{1,255}$/.test(stored),
    write: (name) => (/[^\w/-]|--|-\/|\/-/.test(name) ? null : name.replaceAll('/', '--')),
    read: (name) => name.replaceAll('--', '/'),
  },
  hashicorp: {
    ...PATH,
    says: `paths of ${PATH_SAYS}. No segment there contains ".."`,
    isValid: (stored) => isPath(stored) && !stored.includes('..'),
  },
  http: PATH,
  json: PATH,
  // The keys that `dotenv` takes.
  env: {
    ...AS_IT_IS,
    says: `letters, digits and characters of "_.-". ${ENV_ADVICE}`,
    isValid: (stored) => /^[\w.-]{1,512}$/.test(stored),
  },
  'env-upper': {
    says: 'upper case letters, digits and underscores, without a digit first. A name there is lower case and has "__" for each slash',
    isValid: (stored) => /^[A-Z_][A-Z0-9_]{0,511}$/.test(stored),
    // An underscore beside a slash would become part of what the slash becomes.
    write: (name) =>
      /^[a-z0-9/_]+$/.test(name) && !/__|_\/|\/_/.test(name) ? name.replaceAll('/', '__').toUpperCase() : null,
    read: (name) => name.toLowerCase().replaceAll('__', '/'),
  },
}

/** Explains how a store names secrets, for a name that is not found there; `null` if the names need no explanation. */
export function namingAdvice(naming: Naming): string | null {
  return naming === 'env' ? ENV_ADVICE : null
}

/** The rule for names in a store, as the end of a sentence that begins "names there are". */
export function ruleOf(naming: Naming): string {
  return RULES[naming].says
}

/** Whether a store has a name. */
export function isStoreName(naming: Naming, stored: string): boolean {
  return RULES[naming].isValid(stored)
}

/** Writes a name, or the end of one, in the characters of a store. Returns `null` if it has no form there. */
export function writeName(naming: Naming, name: string): string | null {
  return RULES[naming].write(name)
}

/** The inverse of {@link writeName} for its results. For other texts the result is arbitrary, and may not be a name. */
export function readName(naming: Naming, stored: string): string {
  return RULES[naming].read(stored)
}

/** The spelling by which a store distinguishes names: of Azure, lower case. */
export function folded(naming: Naming, stored: string): string {
  return RULES[naming].fold?.(stored) ?? stored
}

/**
 * Returns the name of a secret in a store.
 *
 * @param name A valid name of a secret.
 * @param prefix Put in front, in the characters of the store.
 * @throws {PosternError} `bad_request` if the store cannot have such a name.
 */
export function storeName(naming: Naming, name: string, prefix = ''): string {
  const written = writeName(naming, name)
  // A period or a slash at the end of a prefix must not change the path after it.
  if (written === null || !isStoreName(naming, prefix + written)) {
    throw badRequest('name', `Secret cannot have this name in its store. Names there are ${ruleOf(naming)}`)
  }
  return prefix + written
}

/**
 * Checks a name of the store before it becomes part of a URL.
 *
 * @throws {ProviderFailure} `invalid`
 */
export function checkStoreName(naming: Naming, name: string): void {
  if (!isStoreName(naming, name)) throw new ProviderFailure('invalid', { code: 'Name' })
}
