import { describe, expect, it } from 'vitest'
import {
  formatVerifierKey,
  openNote,
  parseNote,
  parseVerifierKey,
  signNote,
} from '../../../../core/tlog/signed_note.ts'
import { noteSigner } from '../../../support/note_keys.ts'

const TEXT = 'example.com/log\n1\nAAAA\n'

describe('signatures of a note', () => {
  it('row 41: count once per key, however often a line is repeated', async () => {
    const [peter, enoch] = [await noteSigner('PeterNeumann'), await noteSigner('EnochRoot')]
    const verifiers = await Promise.all([peter, enoch].map((signer) => parseVerifierKey(formatVerifierKey(signer))))
    const note = await signNote(TEXT, peter, peter, enoch, peter)
    expect((await openNote(parseNote(note), verifiers))?.by).toEqual(['PeterNeumann', 'EnochRoot'])
    const alone = await signNote(TEXT, peter, peter)
    expect((await openNote(parseNote(alone), verifiers))?.by).toEqual(['PeterNeumann'])
  })

  it('row 41: refuse the note when one of a known key is wrong, even behind a right one', async () => {
    const peter = await noteSigner('PeterNeumann')
    const verifiers = [await parseVerifierKey(formatVerifierKey(peter))]
    const [right, wrong] = [await signNote(TEXT, peter), await signNote(`${TEXT}more\n`, peter)]
    const spoiled = right + wrong.slice(wrong.lastIndexOf('\n\n') + 2)
    expect(await openNote(parseNote(spoiled), verifiers)).toBeNull()
  })
})
