/** Random schedules of rotation, crash, read and write: each read returns a valid credential, and no version is lost. */
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { NAME, rotationBench } from './rotation_fixture.ts'

const RUNS = Number(process.env.ROTATION_RUNS ?? 25)

type Real = Awaited<ReturnType<typeof rotationBench>>
/** The value of each acknowledged version. */
interface Model {
  written: Map<number, string>
}
type Command = fc.AsyncCommand<Model, Real>

function command(text: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real)
      expect(real.target.accepted.has(await real.read())).toBe(true)
      const numbers = real.bench.database.all<{ number: number }>(
        'SELECT number FROM version WHERE sealed IS NOT NULL ORDER BY number',
      )
      // No version is ever skipped, lost or erased.
      expect(numbers.map(({ number }) => number)).toEqual(Array.from({ length: real.secret().latest }, (_, i) => i + 1))
      for (const [number, value] of model.written) expect(await real.read(number)).toBe(value)
    },
    toString: () => text,
  }
}

const steps: fc.Arbitrary<Command>[] = [
  fc
    .tuple(fc.integer({ min: 1, max: 20 }), fc.boolean())
    .map(([crashAt, after]) =>
      command(`crash(${crashAt}, ${after})`, async (_, real) => void (await real.process({ crashAt, after }))),
    ),
  fc.constant(command('process', async (_, real) => void (await real.process()))),
  fc.constant(
    command('rotate', async (_, real) => {
      real.bench.ask('admin', 'rotation.start', { name: NAME, restores: null, force: false })
    }),
  ),
  fc.integer({ min: 1, max: 4 }).map((version) =>
    command(`rollback(${version})`, async (_, real) => {
      real.bench.ask('admin', 'rotation.start', { name: NAME, restores: version, force: false })
    }),
  ),
  fc.string({ minLength: 1, maxLength: 8 }).map((value) =>
    command(`write(${JSON.stringify(value)})`, async (model, real) => {
      const unique = `${value} ${real.secret().latest}`
      if (await real.writeByHand(unique)) model.written.set(real.secret().current, unique)
    }),
  ),
  fc.constantFrom('cancel' as const, 'finish' as const, 'retry' as const).map((to) =>
    command(to, async (_, real) => {
      real.bench.ask('admin', 'rotation.steer', { name: NAME, to })
    }),
  ),
  fc.array(fc.constantFrom(null, 503, 422, 200), { minLength: 1, maxLength: 6 }).map((statuses) =>
    command(`answers(${statuses})`, async (_, real) => {
      // It may do nothing and still answer, but it may say yes only after doing it.
      const answerOf = (status: number | null) =>
        status === null || status === 200 ? () => null : () => new Response(null, { status })
      real.target.answers = statuses.map(answerOf)
    }),
  ),
  fc.constantFrom(1000, 120_000, 3_600_000, 30 * 86_400_000).map((ms) =>
    command(`wait(${ms})`, async (_, real) => {
      real.bench.now += ms
    }),
  ),
]
const commands = fc.commands(steps, { maxCommands: 40, size: 'max' })

describe('rotation', () => {
  afterAll(() => {
    vi.unstubAllGlobals()
  })

  it('row 40: leaves no reader with a dead credential at any time, loses no version, and ends', {
    timeout: 300_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (schedule) => {
        const real = await rotationBench()
        const model: Model = { written: new Map([[1, 'first value']]) }
        await fc.asyncModelRun(() => ({ model, real }), schedule)
        real.target.answers = []
        real.bench.now += 120_000
        await real.settle()
        expect(real.target.accepted.has(await real.read())).toBe(true)
        expect(real.secret().pending).toBeNull()
        real.bench.database.close()
      }),
      { numRuns: RUNS },
    )
  })
})
