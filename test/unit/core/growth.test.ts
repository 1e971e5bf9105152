/** That a read costs no more where there is more. Only ratios, of times taken in turn: the machine is the same for both. */
import { afterEach, expect, it } from 'vitest'
import { type GrownVault, growVault } from '../../perf/bench/growth.ts'

const SMALL = { secrets: 10, entries: 10 }
const ROUNDS = 12
/** Of trees that are some levels deeper, and do not fit a cache any more. What grows in proportion is at a hundred. */
const AT_MOST = 4

let opened: GrownVault[] = []
afterEach(() => {
  for (const vault of opened) vault.close()
  opened = []
})

it.each([
  ['secrets', { ...SMALL, secrets: 100_000 }],
  ['entries in its log', { ...SMALL, entries: 50_000 }],
])('a read of a vault with many %s costs about what it costs in a small one', (_, many) => {
  const [small, large] = [growVault(SMALL), growVault(many)]
  opened = [small, large]
  // The least of each: what else the machine does only ever adds.
  let [least, most] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < ROUNDS; round++) {
    least = Math.min(least, small.read(5))
    most = Math.min(most, large.read(5))
  }
  expect(most / least).toBeLessThan(AT_MOST)
})
