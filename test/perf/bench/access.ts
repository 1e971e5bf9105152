/**
 * What a decision costs, on the runtime that runs this: `npx bun test/perf/bench/access.ts` uses Bun.
 *
 * @module
 */
import { bench, run, summary } from 'mitata'
import { mintToken, parseToken } from '../../../core/authentication/token.ts'
import { utf8 } from '../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { parseSettings } from '../../../core/settings/settings.ts'
import { decide, type Rule } from '../../../core/vault/access/rules.ts'
import { serverPolicy } from '../../../core/vault/access/server_policy.ts'
import type { Call, Caller } from '../../../core/vault/rpc.ts'
import { Vault } from '../../../core/vault/vault.ts'
import { openSqlite } from '../../../worker/local/sqlite.ts'
import { bootstrapOf } from '../../support/tickets.ts'

const BATCH = 64
const policy = serverPolicy(
  parseSettings({
    environment: { POSTERN_SECURITY__PRINCIPAL_RATE: '100000000/s', POSTERN_SECURITY__SOURCE_RATE: '100000000/s' },
  }).security,
)
const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const tokenKey = await keyring.macKey('bench', 'token')
const vault = new Vault(openSqlite(':memory:'), policy, Date.now())

const admin = mintToken('bench', tokenKey)
const about = { requestId: crypto.randomUUID(), address: '192.0.2.1', agent: 'bench', proof: null }
const asAdmin: Caller = { ...about, credential: { kind: 'token', hash: admin.hash } }

function ask(caller: Caller, operation: Call['operation'], input: unknown): void {
  const [answer] = vault.execute([{ operation, caller, input }], Date.now())
  if (!answer?.ok) throw new Error(`${operation} was refused`)
}

vault.execute([bootstrapOf(admin.hash, Date.now())], Date.now())
const version = { version: 1, kid: 'k', sealed: utf8('x'.repeat(250)), contentType: 'text/plain', encoding: 'utf8' }
ask(asAdmin, 'secret.write', { name: 'prod/db', ...version })
const session = mintToken('bench', tokenKey, 'session')
ask(asAdmin, 'session.open', { hash: session.hash, accessor: crypto.randomUUID(), jkt: null, factor: null })
for (let i = 0; i < 100; i++) {
  ask(asAdmin, 'rule.put', {
    id: `r${i}`,
    effect: 'permit',
    principal: 'admin',
    actions: ['read'],
    resource: `team/${i}/**`,
  })
}
const asSession: Caller = { ...about, credential: { kind: 'session', hash: session.hash } }
const read: Call = { operation: 'secret.read', caller: asSession, input: { name: 'prod/db' } }
const batch = Array.from({ length: BATCH }, () => read)
const whoami = Array.from(
  { length: BATCH },
  (): Call => ({ operation: 'session.whoami', caller: asSession, input: {} }),
)

const rules = Array.from({ length: 100 }, (_, i): Rule => {
  const conditions = { addresses: ['10.0.0.0/8', '192.0.2.0/24'], agents: ['curl/*'] }
  return { id: `r${i}`, effect: 'permit', principal: '*', actions: ['read'], resource: `team/${i}/**`, conditions }
})
const context = { address: '192.0.2.1', agent: 'curl/8', method: 'session', bound: false, mfaAt: null, now: 0 } as const
const text = session.text.reveal()

summary(() => {
  bench('identify: parse a token and check its tag', () => parseToken(text, tokenKey))
  bench('decide: 100 rules, the last permits', () => {
    decide({ principal: 'ann', action: 'read', resource: 'team/99/db', context }, rules)
  })
  bench(`${BATCH} reads in the vault: session, throttle, decide, store, append`, () => vault.execute(batch, Date.now()))
  bench(`${BATCH} whoami in the vault: session, throttle, append`, () => vault.execute(whoami, Date.now()))
})

await run()
