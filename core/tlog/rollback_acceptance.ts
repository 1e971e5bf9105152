/**
 * The statement by which an operator accepts the rollback of a vault. It names the present log and the anchored one, so
 * it is useless once the anchor has moved.
 *
 * @module
 */
import { base64url, parseBase64url } from '../bytes.ts'
import { badRequest } from '../errors.ts'
import type { Hash, TreeHead } from './merkle.ts'

/** The log that may replace another. */
export interface RollbackAcceptance {
  vault: string
  /** The head from which the log continues. */
  head: TreeHead
  /** The anchored head, which is given up. */
  anchored: TreeHead
}

const HEAD = '(0|[1-9][0-9]{0,15})/([A-Za-z0-9_-]{43})'
const WORD = new RegExp(`^([a-z0-9-]{1,32})/${HEAD}/${HEAD}$`)

/** Writes the statement: vault, then size and root (base64url) of the log, then of the anchored head. */
export function formatRollback({ vault, head, anchored }: RollbackAcceptance): string {
  return [vault, head.size, base64url(head.root), anchored.size, base64url(anchored.root)].join('/')
}

/**
 * Parses the statement.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseRollback(text: string, field = 'rollback'): RollbackAcceptance {
  const [, vault, size, root, anchoredSize, anchoredRoot] = WORD.exec(text) ?? []
  const [head, anchored] = [headOf(size, root), headOf(anchoredSize, anchoredRoot)]
  if (vault === undefined || head === null || anchored === null)
    throw badRequest(field, 'Must be as the server printed it')
  return { vault, head, anchored }
}

function headOf(sizeText: string | undefined, rootText: string | undefined): TreeHead | null {
  const [size, root] = [Number(sizeText), parseBase64url(rootText ?? '')]
  return Number.isSafeInteger(size) && root?.length === 32 ? { size, root: root as Hash } : null
}
