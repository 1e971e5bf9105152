/**
 * What can be asked of a vault's keys.
 *
 * @module
 */
import { type Context, type Outcome, operation } from '../operation.ts'

/** Says under which term the edge has to seal. */
export const currentTerm = operation({
  action: null,
  resource: () => 'keys',
  run: ({ keys }: Context, _: Record<never, never>): Outcome<{ term: number }> => ({
    value: { term: keys.term() },
    quiet: true,
  }),
})
