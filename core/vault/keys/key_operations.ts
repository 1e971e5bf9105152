/**
 * Operations on the keys of a vault.
 *
 * @module
 */
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import type { Term, Under, Unmoved } from './key_store.ts'
import type { RootBearers, RootRow } from './root_key_store.ts'

/** How much is shown of what could not be moved. */
const MAX_UNMOVED = 100
/** For how many former root keys the principals are listed that still use their tokens. */
const MAX_ROOTS = 10

/** Says under which key the edge has to seal. */
export const currentTerm = operation({
  action: null,
  resource: () => 'keys',
  run: ({ keys }: OperationContext, _: Record<never, never>): Outcome<Under> => ({
    value: keys.under(),
    unrecorded: true,
  }),
})

const onKeys = { action: 'admin', resource: () => 'keys' } as const

/** The keys of a vault. */
export interface Keys {
  terms: Term[]
  /** How many rows the move to the newest term has still to look at, at most. */
  left: number
  /** What it could not move, as far as the caller may know that it exists. */
  unmoved: Unmoved[]
  /** The root keys that the vault is and was under, the newest first. */
  roots: (RootRow & RootBearers & { needed: boolean })[]
}

/** The terms of the vault's key, the progress of the move to the newest term, and the state of former root keys. */
export const showKeys = operation({
  ...onKeys,
  approvalBinding: 'nothing',
  run({ keys, roots, limits, now, refuses }: OperationContext, _: Record<never, never>): Outcome<Keys> {
    const needed = roots.needed()
    const shown = roots.all().slice(0, MAX_ROOTS)
    const unmoved = keys
      .unmoved(MAX_UNMOVED)
      .filter(({ kind, name }) => kind !== 'version' || refuses('read', name) === null)
    return {
      value: {
        ...{ terms: keys.terms(), left: keys.left(), unmoved },
        roots: shown.map((root) => ({
          ...{ ...root, needed: needed.includes(root.id) },
          ...roots.bearers(root.id, limits.sessionIdleMs, now),
        })),
      },
    }
  },
})

/** Begins a term: from now on values are sealed under its key, and those that there are move to it. */
export const rekey = operation({
  ...onKeys,
  securityEvent: true,
  approvalBinding: ({ keys }: OperationContext) => ({ term: keys.term() }),
  run({ keys, principal, now }: OperationContext, _: Record<never, never>): Outcome<Term> {
    // Each move goes from all older terms to the newest: a second one before the first is done would only restart it.
    if (keys.isMoving()) return { reason: 'rekeying' }
    const term = keys.start(principal, now)
    return { value: term, facts: { term: term.number } }
  },
})
