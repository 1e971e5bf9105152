/**
 * The ticket that a new server offers its operator: on a terminal, or in a file of the data folder. A log keeps what is
 * printed to it for ever, and more people read it than may administer a vault.
 *
 * @module
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mintTicket, TICKET_MS } from '../../core/authentication/ticket.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'

const FILE = 'bootstrap-ticket'

/** Where a ticket may go. */
export interface Place {
  data: string
  /** Whether a person reads the output, and nothing keeps it. */
  isTerminal: boolean
}

/**
 * Makes a ticket for the first administrator of a vault, in place of the one before.
 *
 * @param now Milliseconds since the Unix epoch.
 * @returns What to print.
 * @throws {PosternError} `unavailable` when the file cannot be written.
 */
export async function offerTicket(
  vault: string,
  keyring: Keyring,
  { data, isTerminal }: Place,
  now: number,
): Promise<string[]> {
  withdrawTicket(data)
  const ticket = mintTicket(vault, await keyring.macKey(vault, 'ticket'), { purpose: 'bootstrap' }, now)
  const until = new Date(now + TICKET_MS).toISOString().slice(0, 16)
  const about = `Ticket for the first administrator of the vault "${vault}", until ${until}Z:`
  if (isTerminal) return [about, `  ${ticket.reveal()}`]
  const file = join(data, FILE)
  write(file, `${ticket.reveal()}\n`)
  return [about, `  in ${file}`]
}

/** Removes the file of a ticket that is not needed any more, if there is one. */
export function withdrawTicket(data: string): void {
  rmSync(join(data, FILE), { force: true })
}

/** Under another name first: whoever reads the file reads a whole ticket. */
function write(file: string, text: string): void {
  const partial = `${file}.new`
  try {
    rmSync(partial, { force: true })
    writeFileSync(partial, text, { mode: 0o600, flag: 'wx' })
    renameSync(partial, file)
  } catch {
    throw new PosternError('unavailable', `${file} cannot be written`)
  }
}
