/** The editor as a witness. A log must extend the state that the editor saw last, or an alarm is raised. */
import { describe, expect, it } from 'vitest'
import { PosternError } from '../../../../core/errors.ts'
import { formatVerifierKey } from '../../../../core/tlog/signed_note.ts'
import { checkLog, type RememberedLog } from '../../../../extension/views/log_witness.ts'
import { entries, logOf, signer, stranger } from './log_fixture.ts'

const seen = async (log: ReturnType<typeof logOf>): Promise<RememberedLog> => {
  const verdict = await checkLog(log, null, null)
  if (!('remember' in verdict)) throw new Error('The first look must be believed')
  return verdict.remember
}

describe('a witness', () => {
  it('believes the first log that it sees, and each log that extends it', async () => {
    let remembered = await seen(logOf(entries(0)))
    for (const size of [0, 1, 5, 5, 8, 21]) {
      const verdict = await checkLog(logOf(entries(size)), remembered, null)
      expect(verdict).toMatchObject({ checkpoint: { size } })
      if ('remember' in verdict) remembered = verdict.remember
    }
  })

  it('row 41: tells a log that shrank', async () => {
    const remembered = await seen(logOf(entries(8)))
    expect(await checkLog(logOf(entries(7)), remembered, null)).toEqual({ flaw: 'shrank', before: 8, now: 7 })
    expect(await checkLog(logOf([]), remembered, null)).toMatchObject({ flaw: 'shrank' })
  })

  it('row 41: tells a log that is withheld, whose old checkpoint lacks an entry that the server has answered for', async () => {
    const log = logOf(entries(8))
    const remembered = await seen(log)
    expect(await checkLog(log, remembered, null, 7)).toMatchObject({ checkpoint: { size: 8 } })
    expect(await checkLog(log, remembered, null, 8)).toEqual({ flaw: 'withheld', before: 9, now: 8 })
    expect(await checkLog(log, null, null, 8)).toMatchObject({ flaw: 'withheld' })
    expect(await checkLog(logOf(entries(9)), remembered, null, 8)).toMatchObject({ checkpoint: { size: 9 } })
  })

  it('row 41: tells a log that forked, whether it grew or not', async () => {
    const remembered = await seen(logOf(entries(8)))
    for (const other of [
      entries(8, 'other'),
      [...entries(7), 'other'],
      [...entries(7), 'other', 'more'],
      entries(20, 'other'),
    ]) {
      expect(await checkLog(logOf(other), remembered, null)).toMatchObject({ flaw: 'forked', before: 8 })
    }
  })

  it('tells a server that has no proof from one that is down', async () => {
    const remembered = await seen(logOf(entries(3)))
    const failing = (code: 'not_found' | 'unavailable') => ({
      ...logOf(entries(9)),
      consistency: async () => {
        throw new PosternError(code, 'No')
      },
    })
    expect(await checkLog(failing('not_found'), remembered, null)).toMatchObject({ flaw: 'forked' })
    await expect(checkLog(failing('unavailable'), remembered, null)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('takes no checkpoint by another key: neither than the first, nor than the one that is pinned', async () => {
    const remembered = await seen(logOf(entries(3)))
    expect(await checkLog(logOf(entries(4), stranger), remembered, null)).toMatchObject({ flaw: 'signature' })
    expect(await checkLog(logOf(entries(3)), null, formatVerifierKey(stranger))).toMatchObject({ flaw: 'signature' })
    expect(await checkLog(logOf(entries(4)), remembered, formatVerifierKey(signer))).toHaveProperty('checkpoint')
    expect(await checkLog(logOf(entries(4), stranger), remembered, formatVerifierKey(stranger))).toMatchObject({
      flaw: 'signature',
    })
  })
})
