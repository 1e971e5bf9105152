/**
 * The `Approval` and `Approval-Reason` headers.
 *
 * @module
 */
import { badRequest } from '../../core/errors.ts'
import type { Caller } from '../../core/vault/rpc.ts'
import * as wire from '../../core/wire/index.ts'
import { headers } from './request.ts'
import type { RequestContext } from './request_context.ts'

/**
 * Parses the approval headers: `Approval: ask` with an `Approval-Reason`, or the id of an approval.
 *
 * @throws {PosternError} `bad_request`
 */
export function approvalOf(c: RequestContext): Pick<Caller, 'approval'> {
  const { Approval: wanted, 'Approval-Reason': reason } = headers(c, wire.ApprovalHeaders)
  if (wanted === undefined) return {}
  if (wanted === 'ask' && reason === undefined) throw badRequest('Approval-Reason', 'Must say why, to those who decide')
  return { approval: wanted === 'ask' ? { ask: reason ?? '' } : { id: wanted } }
}
