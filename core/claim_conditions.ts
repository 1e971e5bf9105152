/**
 * Conditions on the claims of a token.
 *
 * @module
 */
import { tokensOf } from './json_source.ts'
import { globMatches } from './patterns.ts'

/** The claims of a token: hostile input until its signature is verified. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Conditions by claim. A claim is named by its own name or, with a leading `/`, by a JSON pointer (RFC 6901) into the
 * claims. A condition holds when the claim's text, or one text of a list, matches one of the globs, in which `*` stands
 * for any run of characters.
 */
export type ClaimConditions = Readonly<Record<string, readonly string[]>>

const MAX_TEXT = 512

/** Lists the conditions that the claims do not meet, by name. */
export function unmetConditions(claims: Claims, conditions: ClaimConditions): string[] {
  const unmet = Object.entries(conditions).filter(([name, globs]) => {
    const texts = textsOf(claimAt(claims, name))
    return !texts.some((text) => globs.some((glob) => globMatches(glob, text)))
  })
  return unmet.map(([name]) => name)
}

/** The claim that a condition is about: for a pointer, the claim that it starts at. */
export function claimOf(condition: string): string {
  return condition.startsWith('/') ? tokensOf(condition)[0]! : condition
}

/**
 * The text of a claim that is a string, a number or a boolean; `null` for any other. A number beyond 2^53, which
 * parsing rounds, has no text: two ids could be one.
 */
export function textOf(claim: unknown): string | null {
  if (typeof claim === 'string') return claim.length <= MAX_TEXT && claim.isWellFormed() ? claim : null
  if (typeof claim === 'number') return Math.abs(claim) <= Number.MAX_SAFE_INTEGER ? String(claim) : null
  return typeof claim === 'boolean' ? String(claim) : null
}

function textsOf(claim: unknown): string[] {
  const items = Array.isArray(claim) ? claim : [claim]
  return items.flatMap((item) => textOf(item) ?? [])
}

function claimAt(claims: Claims, name: string): unknown {
  return name.startsWith('/') ? tokensOf(name).reduce<unknown>(memberOf, claims) : memberOf(claims, name)
}

/** A member of an object, or an item of a list (RFC 6901 section 4); never what every object or list has. */
function memberOf(container: unknown, key: string): unknown {
  if (typeof container !== 'object' || container === null || !Object.hasOwn(container, key)) return undefined
  if (Array.isArray(container) && !/^(?:0|[1-9][0-9]*)$/.test(key)) return undefined
  return (container as Record<string, unknown>)[key]
}
