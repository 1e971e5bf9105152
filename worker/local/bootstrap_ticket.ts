/**
 * The ticket that a new server offers its operator: on a terminal, or else in a file of the data folder. It is never in the
 * output that a log keeps: more people read a log than may administer a vault.
 *
 * @module
 */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { mintTicket, TICKET_MS } from '../../core/authentication/ticket.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { type DataFolder, fileOfVault, vaultsIn } from './data_folder.ts'

/** The vault that a start offers a ticket for. */
export const DEFAULT_VAULT = 'default'
const FILE = 'bootstrap-ticket'

/** What a start offers its operator. */
export interface BootstrapOffer {
  /** What to print; empty without an offer. */
  lines: string[]
  /** Withdraws the ticket once an answer shows that it may have been used. */
  settle(response: Response): Promise<void>
}

/**
 * Offers a ticket for the default vault if it has no principal, and no other vault exists. The vault itself is made when
 * the ticket is used.
 */
export async function offerBootstrap(vaults: DataFolder, keyring: Keyring, data: string): Promise<BootstrapOffer> {
  const isTaken = async () => (await vaults.open(DEFAULT_VAULT, false))?.vault.isEmpty() === false
  const isAsked = existsSync(fileOfVault(data, DEFAULT_VAULT)) || vaultsIn(data).length === 0
  // In any case: a default vault that is lost stops the start, even beside other vaults.
  const taken = await isTaken()
  if (!isAsked || taken) {
    withdrawTicket(data)
    return { lines: [], settle: async () => {} }
  }
  const destination = { data, isTerminal: process.stdout.isTTY === true }
  let isOpen = true
  return {
    lines: await offerTicket(DEFAULT_VAULT, keyring, destination, Date.now()),
    async settle({ status }) {
      if (!isOpen || status !== 201) return
      // An error here must not lose the answer; the next start checks again.
      if (!(await isTaken().catch(() => false))) return
      isOpen = false
      withdrawTicket(data)
    },
  }
}

/** Where a ticket may go. */
interface Destination {
  data: string
  /** Whether the output is a terminal, so that nothing keeps it. */
  isTerminal: boolean
}

/**
 * Makes a ticket for the first administrator of a vault, and withdraws the one before.
 *
 * @param now Milliseconds since the Unix epoch.
 * @returns What to print.
 * @throws {PosternError} `unavailable` when the file cannot be written.
 */
export async function offerTicket(
  vault: string,
  keyring: Keyring,
  { data, isTerminal }: Destination,
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

/** Removes the file of a ticket, if it exists. */
function withdrawTicket(data: string): void {
  rmSync(join(data, FILE), { force: true })
}

/** Writes under another name first, so that a reader of the file gets a whole ticket. */
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
