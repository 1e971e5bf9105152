/**
 * Tickets, and vaults to use them at.
 *
 * @module
 */
import { serverPolicy } from '../../../../core/vault/access/server_policy.ts'
import type { Answer } from '../../../../core/vault/rpc.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { callOf, type LogEntry, tokenHashOf, UNLIMITED } from '../../../support/core.ts'
import { exchangeOf, RECOVERY, ticketOf } from '../../../support/tickets.ts'

export const NOW = 1_800_000_000_000

export const BOOTSTRAP = { purpose: 'bootstrap' } as const

/** A vault without principals, and a clock. */
export function openEmpty() {
  const sql = openSqlite(':memory:')
  const bench = { now: NOW }
  const open = () => new Vault(sql, serverPolicy(UNLIMITED), bench.now)
  let vault = open()
  const answer = (call: Parameters<Vault['execute']>[0][number]): Answer => vault.execute([call], bench.now)[0]!
  return Object.assign(bench, {
    sql,
    isEmpty: () => vault.isEmpty(),
    restart: () => {
      vault = open()
    },
    exchange: (ticket: Parameters<typeof exchangeOf>[0], who: string) =>
      outcomeOf(answer(exchangeOf(ticket, tokenHashOf(who), `accessor-of-${who}`))),
    use: (who: string) => outcomeOf(answer(callOf(who, 'rule.list', {}))),
    log: () =>
      sql
        .all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
        .map(({ body }): LogEntry => JSON.parse(Buffer.from(body).toString())),
  })
}

export function outcomeOf(answer: Answer): string {
  return answer.ok ? 'ok' : answer.reason
}

export const recoverTicket = (more = {}, expiresAt = NOW + 60_000) => ticketOf({ ...RECOVERY, ...more }, { expiresAt })
