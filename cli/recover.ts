/**
 * Makes a ticket for an administrator of a vault whose principals cannot administer it any more, offline:
 * `npm run recover -- VAULT --reason WHY`.
 *
 * @module
 */
import type { TicketPurpose } from '../core/authentication/ticket.ts'
import { badRequest } from '../core/errors.ts'
import { type OptionValues, runCommand } from './command.ts'
import { ABOUT_TICKETS, makeTicket } from './ticket_command.ts'

await runCommand({
  help: `npm run -s recover -- VAULT --reason WHY [--remove-factors ID] [--without-approvals MINUTES] [--at TIME]

Makes a ticket for an administrator of a vault that no principal can administer any more. Its use is an alert in the log.
${ABOUT_TICKETS}

  --reason WHY                  1 to 256 characters for the log; anyone with the ticket can read them
  --remove-factors ID           removes the second factors of this principal, and ends its sessions
  --without-approvals MINUTES   lets the administrator act without approvals for 1 to 60 minutes
  --at TIME                     the time of the vault, such as 2031-04-05T06:07:08Z. If the clock is behind the log, a ticket
                                for the present has expired: add the seconds in the event clock_behind`,
  options: {
    reason: { type: 'string' },
    'remove-factors': { type: 'string' },
    'without-approvals': { type: 'string' },
    at: { type: 'string' },
  },
  arguments: ['VAULT'],
  run: (given, [vault = '']) => makeTicket(vault, recoveryOf(given), timeOf(given)),
  failure: 'Ticket cannot be made',
})

function recoveryOf(given: OptionValues): TicketPurpose {
  const { reason, 'remove-factors': factors, 'without-approvals': minutes } = given
  if (typeof reason !== 'string') throw badRequest('--reason', 'Must be given: the log records it')
  if (minutes !== undefined && !/^(?:[1-9]|[1-5][0-9]|60)$/.test(String(minutes))) {
    throw badRequest('--without-approvals', 'Must be 1 to 60 minutes')
  }
  return {
    ...{ purpose: 'recover', reason },
    removeFactors: typeof factors === 'string' ? factors : null,
    withoutApprovals: minutes === undefined ? null : Number(minutes),
  }
}

function timeOf({ at }: OptionValues): number {
  if (at === undefined) return Date.now()
  const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z$/.test(String(at))
    ? Date.parse(String(at))
    : Number.NaN
  if (Number.isNaN(time)) throw badRequest('--at', 'Must be a time in UTC, such as 2031-04-05T06:07:08Z')
  return time
}
