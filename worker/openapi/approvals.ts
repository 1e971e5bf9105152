/**
 * OpenAPI texts for approvals and break-glass events.
 *
 * @module
 */
import * as wire from '../../core/wire/index.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const glass = {
  ...{
    id: '00000000-0000-4000-8000-000000000000',
    principal: 'ann',
    reason: 'Database is down and no approver is awake',
  },
  ...{ beganAt: at, expiresAt: at },
}

/** Routes for approvals. */
export const approvals = group(
  'Approvals',
  'Requests for approval, and breaking the glass: access without approvals in an emergency.',
  {
    listApprovals: {
      summary: "List the caller's requests for approval, and those the caller may decide",
      answer: wire.ApprovalList,
    },
    showApproval: { summary: 'Get a request for approval', answer: wire.Approval, also: ['not_found'] },
    decideApproval: {
      summary: 'Approve or reject a request for approval',
      description: 'Applies only to the `body` with this `hash`.',
      body: { shape: wire.DecideApproval, example: { decision: 'approve', hash: 'A'.repeat(43) } },
      answer: wire.Approval,
      also: ['not_found', 'conflict'],
    },
    withdrawApproval: {
      summary: 'Withdraw a request for approval',
      answer: wire.Approval,
      also: ['not_found', 'conflict'],
    },
    listBrokenGlass: { summary: 'List break-glass events', answer: wire.BrokenGlassList },
    breakGlass: {
      summary: 'Break the glass: read without approvals for some minutes, with an alert',
      body: { shape: wire.BreakGlass, example: { reason: glass.reason, minutes: 15 } },
      answer: wire.BrokenGlass,
      example: glass,
      status: 201,
      also: ['conflict'],
    },
    reviewGlass: {
      summary: 'Review a break-glass event',
      body: { shape: wire.ReviewGlass, example: { review: 'Justified, see the incident report' } },
      answer: wire.BrokenGlass,
      also: ['not_found', 'conflict'],
    },
    endGlass: { summary: 'End a break-glass event early', answer: wire.BrokenGlass, also: ['not_found', 'conflict'] },
  },
)
