/** What `skip_reporter.test.ts` runs: tests that run, that are skipped, and that are skipped with their suite. */
import { describe, expect, it } from 'vitest'
import { needs, program } from '../needs.ts'

const ABSENT = program('postern-has-no-such-program', 'some-package')
const UNSET = { met: false, remedy: 'set SOME_VARIABLE' }
const here = { met: true, remedy: 'never printed' }

it('runs', needs(here), () => expect(1).toBe(1))
it('is skipped alone', needs(here, ABSENT), () => expect(1).toBe(2))

describe('a suite', needs(ABSENT, UNSET), () => {
  it('is skipped with its suite', () => expect(1).toBe(2))
  describe('a suite in it', () => {
    it('is skipped too', () => expect(1).toBe(2))
  })
})

describe.each(['one', 'two'])('a suite of each, %s', needs(UNSET), () => {
  it('is skipped in each', () => expect(1).toBe(2))
})
