import type { Context } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Env } from '../services.ts'

/** Reasons that say more to a caller with the right than that the server cannot use what it sent. */
const LESS_THAN_UNUSABLE = ['unusable', 'approval_required', 'no_approval', 'approval_mismatch', 'approval_open']

/**
 * Checks what a caller puts against the settings of the server. What they do not allow is first decided on and recorded
 * by the vault: a caller without the right must not learn from the check how the server is configured.
 *
 * @throws {PosternError} the vault's refusal; else what the check throws.
 */
export async function checkUsable(
  c: Context<Env>,
  operation: 'chain.put' | 'issuer.put' | 'hook.put',
  id: string,
  check: () => void,
): Promise<void> {
  try {
    check()
  } catch (error) {
    // An approval is for one request, and not for this one.
    const { approval: _, ...caller } = c.var.caller
    const reason = await refusalOf(c.var.handle.call(operation, caller, { id, unusable: true }))
    if (reason instanceof PosternError && !isUnusable(reason)) throw reason
    throw error
  }
}

function isUnusable({ code, detail }: PosternError): boolean {
  return LESS_THAN_UNUSABLE.includes(detail.reason ?? code)
}

function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error: unknown) => error,
  )
}
