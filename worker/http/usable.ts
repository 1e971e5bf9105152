/**
 * Checks changes against the server's settings without telling a stranger what the settings are.
 *
 * @module
 */
import { PosternError } from '../../core/errors.ts'
import type { RequestContext } from './request_context.ts'

/** Reasons that do not show a lack of rights: for these the caller is told why the server cannot use the change. */
const MAY_KNOW = ['unusable', 'approval_required', 'no_approval', 'approval_mismatch', 'approval_open']

/**
 * Checks a change against the settings of the server. When the check fails, the vault first decides and records: a caller
 * without the right must not learn from the check how the server is configured.
 *
 * @param check Throws when the settings do not allow the change.
 * @throws {PosternError} the vault's refusal; otherwise the error of the check.
 */
export async function checkUsable(
  c: RequestContext,
  operation: 'chain.put' | 'issuer.put' | 'hook.put',
  id: string,
  check: () => void,
): Promise<void> {
  try {
    check()
  } catch (error) {
    // An approval is good for one request, and this is not the one.
    const { approval: _, ...caller } = c.var.caller
    const reason = await refusalOf(c.var.handle.call(operation, caller, { id, unusable: true }))
    if (reason instanceof PosternError && !mayKnow(reason)) throw reason
    throw error
  }
}

function mayKnow({ code, detail }: PosternError): boolean {
  return MAY_KNOW.includes(detail.reason ?? code)
}

function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error: unknown) => error,
  )
}
