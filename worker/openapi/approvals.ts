import * as wire from '../../core/wire/index.ts'
import { group } from './described.ts'

const at = '2026-01-31T09:30:00.000Z'
const glass = {
  ...{ id: '00000000-0000-4000-8000-000000000000', principal: 'ann', reason: 'Database is down, nobody else is awake' },
  ...{ beganAt: at, expiresAt: at },
}

export const approvals = group(
  'Approvals',
  'What others have to approve, and breaking the glass: going on without them.',
  {
    listApprovals: {
      summary: "List requests for approval: one's own, and those that one may decide",
      answer: wire.ApprovalList,
    },
    showApproval: { summary: 'Show a request for approval', answer: wire.Approval, also: ['not_found'] },
    decideApproval: {
      summary: 'Approve or reject a request',
      description: 'What is approved is the `body` that has this `hash`, and nothing else.',
      body: { shape: wire.DecideApproval, example: { decision: 'approve', hash: 'A'.repeat(43) } },
      answer: wire.Approval,
      also: ['not_found', 'conflict'],
    },
    withdrawApproval: { summary: 'Withdraw a request', answer: wire.Approval, also: ['not_found', 'conflict'] },
    listBrokenGlass: { summary: 'List when the glass was broken', answer: wire.BrokenGlassList },
    breakGlass: {
      summary: 'Break the glass: read without approvals for some minutes, loudly',
      body: { shape: wire.BreakGlass, example: { reason: glass.reason, minutes: 15 } },
      answer: wire.BrokenGlass,
      example: glass,
      status: 201,
      also: ['conflict'],
    },
    reviewGlass: {
      summary: 'Review that the glass was broken',
      body: { shape: wire.ReviewGlass, example: { review: 'Was called for: see the report of the outage' } },
      answer: wire.BrokenGlass,
      also: ['not_found', 'conflict'],
    },
    endGlass: { summary: 'End it before its time', answer: wire.BrokenGlass, also: ['not_found', 'conflict'] },
  },
)
