/**
 * The names that a vault knows: of vaults, secrets, and principals.
 *
 * One grammar, ASCII and lower case only, so that two spellings of one name cannot exist: no case,
 * no Unicode normal form, no percent-encoding, no `.` or `..` segment.
 *
 * @module
 */
import { badRequest } from './errors.ts'

/** The most characters in the name of a secret. */
export const NAME_MAX_LENGTH = 512
const SEGMENT = '[a-z0-9](?:[a-z0-9_.-]{0,126}[a-z0-9])?'
/** The form of a secret's name. */
export const NAME = new RegExp(`^${SEGMENT}(?:/${SEGMENT}){0,7}$`)
/** The form of a vault's id. */
export const VAULT = /^[a-z0-9-]{1,32}$/
/** The form of an id of a principal, a rule and the like. */
export const ID = /^[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?$/

// A name may become a key of some provider's JSON object; these would reach its prototype.
const RESERVED = new Set(['constructor', 'prototype'])

/**
 * Checks a secret's name: 1 to 8 segments of 1 to 128 characters, 512 characters in all.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseName(input: unknown, field = 'name'): string {
  if (typeof input !== 'string') throw badRequest(field, 'Secret name must be text')
  if (input.length > NAME_MAX_LENGTH)
    throw badRequest(field, `Secret name must have at most ${NAME_MAX_LENGTH} characters`)
  if (!NAME.test(input) || input.split('/').some((segment) => RESERVED.has(segment))) {
    throw badRequest(
      field,
      'Secret name must be 1 to 8 segments separated by "/", each of a-z, 0-9, ".", "_" and "-" with a letter or digit at both ends',
    )
  }
  return input
}

/**
 * Checks the beginning of a name, as a list is asked for: empty, or cut anywhere from a valid name.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseNamePrefix(input: unknown, field = 'prefix'): string {
  if (input === '') return ''
  if (typeof input === 'string' && input.length <= NAME_MAX_LENGTH) {
    // Cut after "/", "." or "-", it becomes a name again with one more letter.
    if (NAME.test(input) || NAME.test(`${input}0`)) return input
  }
  throw badRequest(field, 'Prefix must be the start of a name')
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
