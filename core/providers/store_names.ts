/**
 * How a store names our secrets. Each mapping is injective and has an inverse: two secrets never meet in one
 * place of a store, and a name that is read there leads back to one secret only.
 *
 * @module
 */
import { badRequest, PosternError } from '../errors.ts'
import { parseName } from '../names.ts'
import { ProviderFailure, type ProviderKind } from './provider.ts'

/** A store's way of naming. A file names by its format. */
export type Naming = Exclude<ProviderKind, 'file'> | 'env' | 'json'

interface Rule {
  /** What the store takes for a name. */
  valid: RegExp
  /** Writes a name in the characters of the store. Returns `null` if it has no form there. */
  write: (name: string) => string | null
  /** The other way, for what `write` made. */
  read: (name: string) => string
}

const AS_IT_IS = { write: (name: string) => name, read: (name: string) => name }
// Visible ASCII without what has a meaning of its own in an address, however often it is decoded; no empty segment,
// none that is a way to another folder, and no period at the end, which Vault refuses.
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)(?!\/)(?!.*[/.]$)(?:(?![%?#\\])[!-~]){1,1024}$/

const RULES: Record<Naming, Rule> = {
  // Behind a hyphen, six characters are what ends an ARN: the service would find another secret by this name.
  aws: { ...AS_IT_IS, valid: /^(?!.*-[A-Za-z0-9]{6}$)[A-Za-z0-9/_+=.@-]{1,512}$/ },
  azure: {
    // The store ignores case, so names are read in lower case.
    valid: /^[0-9A-Za-z-]{1,127}$/,
    write: (name) => (/[._]|--/.test(name) ? null : name.replaceAll('/', '--')),
    read: (name) => name.toLowerCase().replaceAll('--', '/'),
  },
  hashicorp: { ...AS_IT_IS, valid: PATH },
  http: { ...AS_IT_IS, valid: PATH },
  json: { ...AS_IT_IS, valid: PATH },
  env: {
    valid: /^[A-Z_][A-Z0-9_]{0,511}$/,
    write: (name) => (/[.-]|__/.test(name) ? null : name.replaceAll('/', '__').toUpperCase()),
    read: (name) => name.toLowerCase().replaceAll('__', '/'),
  },
}

/**
 * The name that a store has for one of our secrets.
 *
 * @param name Of our own grammar, checked.
 * @param prefix Put in front, in the store's letters.
 * @throws {PosternError} `bad_request` when the store cannot have such a name.
 */
export function storeName(naming: Naming, name: string, prefix = ''): string {
  const rule = RULES[naming]
  const written = rule.write(name)
  // A period or a slash at the end of a prefix must not make another path of what follows.
  if (written === null || !rule.valid.test(prefix + written)) {
    throw badRequest('name', 'Secret cannot have this name in the store that it is kept in')
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
 * Checks a store's own name before an address is made of it.
 *
 * @throws {ProviderFailure} `invalid`
 */
export function checkStoreName(naming: Naming, name: string): void {
  if (!RULES[naming].valid.test(name)) throw new ProviderFailure('invalid', { code: 'Name' })
}
