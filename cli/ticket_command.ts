/**
 * What the commands that make a ticket share. They use the root key of a server with the same settings, write no file, and
 * call no server.
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
import { hasRootKeyFile } from '../worker/local/root_key_files.ts'
import { readLocalSettings } from '../worker/local/settings.ts'

/** The text about tickets in the help of both commands. */
export const ABOUT_TICKETS = `Prints the ticket to standard output, and its purpose to standard error, and calls no server. The root key must be the
server's: from POSTERN_ROOT_KEY, a file postern_root_key in the secrets folder, .env, or the data folder. The ticket is
valid for 55 minutes. Exchange it for a token, as a bearer token without a body:

  curl -X POST -H @<(printf 'Authorization: Bearer '; cat TICKET_FILE) https://SERVER/v1/vaults/VAULT/tokens`

/**
 * Makes a ticket, and prints its purpose to standard error.
 *
 * @param now The start of its validity, in milliseconds since the Unix epoch.
 * @throws {PosternError} `bad_request` when an argument is wrong, or the root key is missing.
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

/** Opens the root keys of a server with these settings. It makes none: a ticket under a new one would be useless. */
async function openServerKeyring(): Promise<Keyring> {
  const settings = readLocalSettings()
  const data = resolve(settings.data)
  if (settings.rootKey === undefined && !(existsSync(data) && hasRootKeyFile(data))) {
    throw new PosternError(
      'bad_request',
      `Root key is missing: set POSTERN_ROOT_KEY, or set POSTERN_DATA to the data folder that has it. Looked in ${data}`,
    )
  }
  return (await openKeyring(settings, data)).keyring
}
