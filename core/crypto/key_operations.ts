/**
 * What can be asked of a vault's keys.
 *
 * @module
 */
import { type Context, type Outcome, operation } from '../operation.ts'
import type { Term } from './key_store.ts'

/** Says under which term the edge has to seal. */
export const currentTerm = operation({
  action: null,
  resource: () => 'keys',
  run: ({ keys }: Context, _: Record<never, never>): Outcome<{ term: number }> => ({
    value: { term: keys.term() },
    quiet: true,
  }),
})

const onKeys = { action: 'admin', resource: () => 'keys' } as const

/** The terms of the vault's key, and how far the move to the newest is. */
export const showTerms = operation({
  ...onKeys,
  binds: 'nothing',
  run: ({ keys }: Context, _: Record<never, never>): Outcome<Term[]> => ({ value: keys.terms() }),
})

/** Begins a term: from now on values are sealed under its key, and those that there are move to it. */
export const rekey = operation({
  ...onKeys,
  notable: true,
  binds: ({ keys }: Context) => ({ term: keys.term() }),
  run({ keys, principal, now }: Context, _: Record<never, never>): Outcome<Term> {
    // Each move goes from all older terms to the newest: another before it is done would only begin it anew.
    if (keys.isMoving()) return { reason: 'rekeying' }
    const term = keys.start(principal, now)
    return { value: term, facts: { term: term.number } }
  },
})
