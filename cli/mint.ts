/**
 * Makes a ticket for the first administrator of a vault, offline: `npm run mint -- VAULT`.
 *
 * @module
 */
import { runCommand } from './command.ts'
import { ABOUT_TICKETS, makeTicket } from './ticket_command.ts'

await runCommand({
  help: `npm run -s mint -- VAULT

Makes a ticket for the first administrator of a vault without principals. Its use makes the vault.
${ABOUT_TICKETS}`,
  arguments: ['VAULT'],
  run: (_, [vault = '']) => makeTicket(vault, { purpose: 'bootstrap' }),
  failure: 'Ticket cannot be made',
})
