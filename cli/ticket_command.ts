/**
 * What the commands that make an operator's ticket share. The root key is the one that a server with the same settings
 * has. Nothing is written, and no server is asked.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import process from 'node:process'
import { mintTicket, TICKET_MS, type TicketPurpose } from '../core/authentication/ticket.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { parseVaultId } from '../core/names.ts'
import { openKeyring } from '../worker/local/open_keyring.ts'
import { hasRootFile } from '../worker/local/root_key_files.ts'
import { readLocalSettings } from '../worker/local/settings.ts'

/** What the help of both says of a ticket. */
export const ABOUT_TICKETS = `The ticket is printed to standard output, and what it is good for to standard error. No server is asked. The root key
is the one that the server has: from POSTERN_ROOT_KEY, a file postern_root_key of the secrets folder, .env, or the data
folder. The ticket is good for 55 minutes. Exchange it for a token, as a bearer without a body:

  curl -X POST -H @<(printf 'Authorization: Bearer '; cat TICKET_FILE) https://SERVER/v1/vaults/VAULT/tokens`

/**
 * Makes a ticket, and says on standard error what it is good for.
 *
 * @param now From when on it is good, in milliseconds since the Unix epoch.
 * @throws {PosternError} `bad_request` when an argument is wrong, or the root key is not here.
 */
export async function makeTicket(vault: string, asked: TicketPurpose, now = Date.now()): Promise<string> {
  const id = parseVaultId(vault, 'VAULT')
  const keyring = await openServerKeyring()
  const ticket = mintTicket(id, await keyring.macKey(id, 'ticket'), asked, now)
  const until = new Date(now + TICKET_MS).toISOString().slice(0, 16)
  const about = `Ticket to ${asked.purpose} the vault "${id}" under root key ${keyring.rootId}, until ${until}Z\n`
  process.stderr.write(about)
  return ticket.reveal()
}

/** The root keys of a server with these settings. None is made: a ticket of a new one opens nothing. */
async function openServerKeyring(): Promise<Keyring> {
  const settings = readLocalSettings()
  const data = resolve(settings.data)
  if (settings.rootKey === undefined && !(existsSync(data) && hasRootFile(data))) {
    throw new PosternError(
      'bad_request',
      `Root key is not here: set POSTERN_ROOT_KEY, or POSTERN_DATA to the data folder that has it. Looked in ${data}`,
    )
  }
  return (await openKeyring(settings, data)).keyring
}
