/**
 * A checkpoint in a file.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { badRequest } from '../core/errors.ts'

/**
 * Reads a checkpoint from a file. It drops a byte order mark and the line ends of Windows, which editors add: a note has
 * neither, and its signatures do not cover them.
 *
 * @param field The name of the file in messages.
 * @throws {PosternError} `bad_request`, naming the file, when it is missing, empty or cannot be read.
 */
export function readCheckpointFile(file: string, field: string): string {
  const text = readOrNull(file)
  if (text === null) throw badRequest(field, `${file} cannot be read: it must be the checkpoint, a signed note`)
  const note = text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')
  if (note.trim() === '') throw badRequest(field, `${file} is empty: it must be the checkpoint, a signed note`)
  return note
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
