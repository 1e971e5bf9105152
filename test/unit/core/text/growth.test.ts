/** How work grows with a file. */
import { expect, it } from 'vitest'
import { base64, parseBase64 } from '../../../../core/bytes.ts'
import { detect } from '../../../../core/text/detect.ts'
import { parseEnv } from '../../../../core/text/dotenv.ts'
import { findReferences } from '../../../../core/text/find_references.ts'
import { mask } from '../../../../core/text/mask.ts'
import { NameIndex } from '../../../../core/text/names.ts'
import { growth } from '../../../support/growth.ts'

const LINES = 100
const TIMES = 32
// Quadratic work takes 1,024 times as long. Input larger than a cache takes a few times longer for that alone.
const MOST = 256

const env = (lines: number) =>
  Array.from({ length: lines }, (_, i) =>
    i % 2 === 0 ? `K${i}=postern://default/app-${i}/key` : `PASSWORD_${i}=k3J9xmQ2pLw8Zt${i}`,
  ).join('\n')
const [small, large] = [env(LINES), env(LINES * TIMES)]
const bytes = (size: number) => new Uint8Array(size).map((_, i) => i * 7)

it.each([
  { what: 'masking', work: mask, inputs: [small, large] },
  { what: 'parsing', work: parseEnv, inputs: [small, large] },
  { what: 'looking for secrets', work: (text: string) => detect(text, { env: true }), inputs: [small, large] },
  { what: 'looking for references', work: findReferences, inputs: [small, large] },
])('$what takes linear time', ({ work, inputs: [small, large] }) => {
  const ten = (input: string) => () => repeat(10, () => work(input))
  expect(growth(ten(small!), ten(large!), MOST)).toBeLessThan(MOST)
})

it('reading base64 takes linear time', () => {
  // Both are of a size for which allocators ask the system each time: that costs more a byte than all the reading.
  const [small, large] = [base64(bytes(200_000)), base64(bytes(1_600_000))]
  expect(
    growth(
      () => parseBase64(small),
      () => parseBase64(large),
      32,
    ),
  ).toBeLessThan(32)
})

it('completing a prefix takes hardly longer among ten thousand names than among a thousand', () => {
  const indexOf = (size: number) =>
    new NameIndex(Array.from({ length: size }, (_, i) => ({ name: `app-${i % 100}/k${i}` })))
  const [few, many] = [indexOf(1000), indexOf(10_000)]
  const ten = (index: typeof few) => () => repeat(10, () => index.children(''))
  expect(growth(ten(few), ten(many), 5)).toBeLessThan(5)
})

function repeat(times: number, work: () => unknown): void {
  for (let i = 0; i < times; i++) work()
}
