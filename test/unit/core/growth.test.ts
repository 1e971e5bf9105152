/** The cost of a read does not grow with the vault. Ratios only, of times measured in turn on the same machine. */
import { afterEach, expect, it } from 'vitest'
import { type GrownVault, growVault } from '../../perf/bench/growth.ts'

const SMALL = { secrets: 10, entries: 10 }
const ROUNDS = 12
/** Allows for trees that are some levels deeper and outgrow a cache. Linear growth would give a hundred. */
const AT_MOST = 4

let opened: GrownVault[] = []
afterEach(() => {
  for (const vault of opened) vault.close()
  opened = []
})

it.each([
  ['secrets', { ...SMALL, secrets: 100_000 }],
  ['entries in its log', { ...SMALL, entries: 50_000 }],
])('a read costs about as much in a vault with many %s as in a small one', (_, many) => {
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
