/**
 * The `Approval` and `Approval-Reason` headers.
 *
 * @module
 */
import type { Context } from 'hono'
import { badRequest } from '../../core/errors.ts'
import type { Caller } from '../../core/vault/rpc.ts'
import * as wire from '../../core/wire/index.ts'
import type { Env } from '../services.ts'
import { headers } from './request.ts'

/**
 * What a request says of approvals: `Approval: ask` with an `Approval-Reason`, or the id of one that was given.
 *
 * @throws {PosternError} `bad_request`
 */
export function approvalOf(c: Context<Env>): Pick<Caller, 'approval'> {
  const { Approval: wanted, 'Approval-Reason': reason } = headers(c, wire.ApprovalHeaders)
  if (wanted === undefined) return {}
  if (wanted === 'ask' && reason === undefined) throw badRequest('Approval-Reason', 'Must say why, to those who decide')
  return { approval: wanted === 'ask' ? { ask: reason ?? '' } : { id: wanted } }
}
