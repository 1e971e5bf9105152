/**
 * The names of the secrets of a chain at one of its members, and the way back.
 *
 * A name in the store is the operator's prefix, the member's prefix, and then what the table has for the secret, or else
 * the template with the secret's name in it. A place in the store belongs to one secret at most: a name that the
 * template would write to a place of the table has none.
 *
 * @module
 */
import { badRequest } from '../errors.ts'
import { flawOf } from '../name_flaws.ts'
import { isName } from '../name_grammar.ts'
import { covers, headOf } from '../patterns.ts'
import type { Chain, Member } from './chain.ts'
import { folded, isStoreName, type Naming, readName, ruleOf, writeName } from './store_names.ts'

/** The place of the whole name in a template. */
const WHOLE = '{name}'
/** The place of the name from the first `*` of the chain's pattern on. */
const REST = '{rest}'

/** The parts of a chain that decide its names. */
export type MappedChain = Pick<Chain, 'resource' | 'template' | 'names'>

/** Where a secret is in a store, or the sentence that says why it has no place there. */
export type Placed = { stored: string } | { problem: string }

/** To which secret a name in a store belongs, or the sentence that says why it belongs to none. */
export type Found = { name: string } | { problem: string }

/** The names of a chain's secrets at one member. */
export class NameMap {
  readonly #naming: Naming
  readonly #resource: string
  /** The prefixes of the operator and of the member. */
  readonly #base: string
  readonly #before: string
  readonly #after: string
  /** What the template leaves away at the start of a name. */
  readonly #head: string
  readonly #table: ReadonlyMap<string, string>
  /** The secrets of the table by their places. */
  readonly #taken: ReadonlyMap<string, string>

  /**
   * @param operatorPrefix In the characters of the store.
   */
  constructor(naming: Naming, operatorPrefix: string, chain: MappedChain, member: Member) {
    const template = templateOf(chain, member)
    const mark = template.includes(REST) ? REST : WHOLE
    const at = template.indexOf(mark)
    this.#naming = naming
    this.#resource = chain.resource
    this.#base = operatorPrefix + (member.prefix ?? '')
    this.#before = template.slice(0, at)
    this.#after = template.slice(at + mark.length)
    this.#head = mark === REST ? headOf(chain.resource) : ''
    this.#table = new Map(Object.entries({ ...chain.names, ...member.names }))
    this.#taken = new Map([...this.#table].map(([name, target]) => [folded(naming, target), name]))
  }

  /** Returns the place of a secret that the chain covers. */
  place(name: string): Placed {
    const target = this.#table.get(name)
    const written = target === undefined ? this.#written(name) : target
    const stored = written === null ? null : this.#base + written
    if (stored === null || !isStoreName(this.#naming, stored)) return { problem: this.#rule() }
    const owner = target === undefined && this.#taken.get(folded(this.#naming, written!))
    return owner ? { problem: `The chain's names give this place to ${owner}` } : { stored }
  }

  /**
   * Returns the secret of the chain that a name in the store belongs to.
   *
   * @param stored Hostile input: other clients write to the store too.
   */
  find(stored: string): Found {
    const target = this.target(stored)
    if (target === null) return { problem: 'Name is outside of the prefix' }
    const owner = this.#taken.get(folded(this.#naming, target))
    if (owner !== undefined) return { name: owner }
    const name = this.#read(target)
    if (name === null) return { problem: 'Name does not fit the template of the chain' }
    if (!isName(name)) return { problem: flawOf(name, 'Name') }
    if (!covers(this.#resource, name)) return { problem: `Pattern ${this.#resource} does not cover ${name}` }
    const placed = this.place(name)
    if ('problem' in placed) return placed
    const isSame = folded(this.#naming, placed.stored) === folded(this.#naming, stored)
    return isSame ? { name } : { problem: this.#rule() }
  }

  /** Returns a name in the store without the prefixes, as the table has it; `null` if it lacks them. */
  target(stored: string): string | null {
    const [whole, base] = [folded(this.#naming, stored), folded(this.#naming, this.#base)]
    return whole.startsWith(base) ? stored.slice(this.#base.length) : null
  }

  /**
   * Returns the prefix in the store of all names that can belong to secrets with a prefix. Without one it is that of the
   * member, so that a list shows what the chain leaves out too.
   */
  listPrefix(prefix: string): string {
    if (prefix === '') return this.#base
    const targets = [...this.#table].filter(([name]) => name.startsWith(prefix)).map(([, target]) => target)
    return (
      this.#base + commonPrefix([...this.#templatePrefix(prefix), ...targets].map((text) => folded(this.#naming, text)))
    )
  }

  /**
   * Checks that the store can have what the prefix, the template and the table make.
   *
   * @param field Where the chain has the member.
   * @throws {PosternError} `bad_request`
   */
  check(field: string, chain: MappedChain, member: Member): void {
    const own = (key: 'template' | 'names', isOwn: boolean) => (isOwn ? `${field}.${key}` : key)
    const { provider } = member
    // A letter that every store takes: the keys of 0.1 in a .env file have capitals only.
    if (!isStoreName(this.#naming, `${this.#base}A`))
      throw badRequest(`${field}.prefix`, `Prefix must be in characters of ${provider}. ${this.#rule()}`)
    const template = own('template', member.template !== undefined)
    if (this.#head === chain.resource)
      throw badRequest(
        template,
        `${REST} stands for what "*" in the resource matches, and the resource has none. Use names`,
      )
    if (!isStoreName(this.#naming, `${this.#base}${this.#before}A${this.#after}`))
      throw badRequest(template, `Template must be in characters of ${provider}. ${this.#rule()}`)
    const owners = new Map<string, string>()
    for (const [name, target] of this.#table) {
      const names = own('names', Object.hasOwn(member.names ?? {}, name))
      if (!covers(chain.resource, name))
        throw badRequest(names, `Resource must cover every name, and does not cover ${name}`)
      if (!isStoreName(this.#naming, this.#base + target))
        throw badRequest(
          names,
          `${provider} cannot have the name given for ${name}. ${this.#rule()}. A member can have names of its own`,
        )
      const place = folded(this.#naming, target)
      const other = owners.get(place)
      if (other !== undefined) throw badRequest(names, `Names of ${other} and ${name} are one place at ${provider}`)
      owners.set(place, name)
    }
  }

  #rule(): string {
    return `Names there are ${ruleOf(this.#naming)}`
  }

  #written(name: string): string | null {
    const written = writeName(this.#naming, name.slice(this.#head.length))
    return written === null ? null : this.#before + written + this.#after
  }

  /** The inverse of {@link NameMap.#written}, for what it made; `null` if the text lacks what the template adds. */
  #read(target: string): string | null {
    const [whole, before, after] = [target, this.#before, this.#after].map((text) => folded(this.#naming, text))
    if (!whole!.startsWith(before!) || !whole!.endsWith(after!) || whole!.length < before!.length + after!.length)
      return null
    return this.#head + readName(this.#naming, whole!.slice(before!.length, whole!.length - after!.length))
  }

  /** How every name begins that the template writes for secrets with a prefix; none if it writes none. */
  #templatePrefix(prefix: string): string[] {
    if (!prefix.startsWith(this.#head)) return this.#head.startsWith(prefix) ? [this.#before] : []
    // With a letter after it, since a name cannot end with a separator.
    const written = writeName(this.#naming, `${prefix.slice(this.#head.length)}x`)
    return written === null ? [] : [this.#before + written.slice(0, -1)]
  }
}

/**
 * Identifies how a chain writes a name at one of its members: two chains with the same text write it to the same place,
 * if both write it at all. `undefined` if the name is written as it is.
 */
export function mappingOf(chain: MappedChain, member: Member, name: string): string | undefined {
  const names = { ...chain.names, ...member.names }
  if (Object.hasOwn(names, name)) return JSON.stringify(['names', names[name]])
  const template = templateOf(chain, member)
  return template === WHOLE ? undefined : JSON.stringify([template, headOf(chain.resource)])
}

function templateOf({ template }: MappedChain, member: Member): string {
  return member.template ?? template ?? WHOLE
}

function commonPrefix(texts: readonly string[]): string {
  const [first = '', ...others] = texts
  let length = first.length
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--
  return first.slice(0, length)
}
