/** What an approval can be demanded of, and that an operation which says nothing of it is refused rather than run. */
import { expect, it } from 'vitest'
import { runAuthorized } from '../../../../../core/vault/access/authorize.ts'
import type { Decision } from '../../../../../core/vault/access/rules.ts'
import { type Operation, type OperationContext, operation } from '../../../../../core/vault/operation.ts'
import { OPERATIONS } from '../../../../../core/vault/operation_table.ts'
import type { Call } from '../../../../../core/vault/rpc.ts'
import { callerFor } from '../../../../support/core.ts'

const operations = Object.entries(OPERATIONS) as [string, Operation<unknown, unknown>][]
const demandable = operations.filter(([, { action }]) => action !== null && action !== 'write')

it('finds an approval binding for each operation that can require approvals', () => {
  expect(demandable.filter(([, { approvalBinding }]) => approvalBinding === undefined).map(([name]) => name)).toEqual(
    [],
  )
})

it('requires no approval for operations that reveal no value or that remove something', () => {
  const free = demandable.filter(([, { approvalBinding }]) => approvalBinding === 'nothing').map(([name]) => name)
  expect(free.filter((name) => !/\.(?:list|show|entries|status|explain|versions)$/.test(name)).sort()).toEqual([
    ...['audit.rekey', 'glass.break', 'glass.end', 'glass.review', 'hook.delete', 'issuer.delete'],
    ...['rotation.delete', 'secret.provided', 'secret.restore', 'secret.unopened'],
    'token.revoke',
  ])
})

it('refuses an operation that requires an approval and has no binding', () => {
  let ran = 0
  const careless = operation({ action: 'admin', resource: () => 'rules', run: () => ({ value: ++ran }) })
  const call = { operation: 'rule.put', caller: callerFor('admin'), input: {} } as Call
  const demanded: Decision = { allow: false, rule: 'four-eyes', missing: 'approval', demands: [] }
  const context = {} as OperationContext
  expect(runAuthorized(careless, call, demanded, context)).toEqual({ reason: 'denied' })
  expect(ran).toBe(0)
  expect(runAuthorized({ ...careless, approvalBinding: 'nothing' }, call, demanded, context)).toEqual({ value: 1 })
  expect(
    runAuthorized({ ...careless, approvalBinding: 'nothing' }, call, { allow: false, rule: null }, context),
  ).toEqual({
    reason: 'denied',
  })
})
