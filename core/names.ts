/**
 * Parsers of the names that a vault knows: of vaults, secrets, and principals.
 *
 * @module
 */
import { badRequest } from './errors.ts'
import { flawOf } from './name_flaws.ts'
import { isName, NAME_MAX_LENGTH } from './name_grammar.ts'

/** The form of a vault's id. */
export const VAULT = /^[a-z0-9-]{1,32}$/
/** The form of an id of a principal, a rule and the like. */
export const ID = /^[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?$/

/**
 * Checks a secret's name: see {@link isName}. The message says what is wrong, where, and which name would be right.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseName(input: unknown, field = 'name'): string {
  if (typeof input !== 'string') throw badRequest(field, 'Secret name must be text')
  if (isName(input)) return input
  throw badRequest(field, flawOf(input, 'Secret name'))
}

/**
 * Checks the beginning of a name, as a list is asked for: empty, or cut anywhere from a valid name.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseNamePrefix(input: unknown, field = 'prefix'): string {
  if (typeof input !== 'string') throw badRequest(field, 'Prefix must be text')
  // Cut after "/" or ".", it becomes a name again with one more letter.
  if (input === '' || isName(input) || (input.length < NAME_MAX_LENGTH && isName(`${input}0`))) return input
  // Prefixes arrive in queries, where "+" is written as %2B.
  const hint = input.includes(' ') ? '. In a query, "+" stands for a space: send a plus as %2B' : ''
  throw badRequest(field, flawOf(input, 'Prefix') + hint)
}

/**
 * Checks a vault id: 1 to 32 of a-z, 0-9 and hyphen.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseVaultId(input: unknown, field = 'vault'): string {
  if (typeof input === 'string' && VAULT.test(input)) return input
  throw badRequest(field, 'Vault id must be 1 to 32 of a-z, 0-9 and "-"')
}

/**
 * Checks the id of a principal or a rule: 1 to 64 of a-z, 0-9, ".", "_", "@" and "-".
 *
 * @throws {PosternError} `bad_request`
 */
export function parseId(input: unknown, field = 'id'): string {
  if (typeof input === 'string' && ID.test(input)) return input
  throw badRequest(field, 'Id must be 1 to 64 of a-z, 0-9, ".", "_", "@" and "-" with a letter or digit at both ends')
}
