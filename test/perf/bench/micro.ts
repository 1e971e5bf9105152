/**
 * What the parts of a request cost, on the runtime that runs this, as JSON on the output.
 *
 * Not on workerd: its clock stands still while code runs, so that no code can time another.
 *
 * @module
 */
import process from 'node:process'
import { measure } from 'mitata'
import { mintToken, parseToken } from '../../../core/authentication/token.ts'
import { randomBytes, utf8 } from '../../../core/bytes.ts'
import { dekCache, open, seal } from '../../../core/crypto/envelope.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { sign } from '../../../core/providers/aws/sigv4.ts'
import { Redacted } from '../../../core/redacted.ts'
import { inclusionProof } from '../../../core/tlog/proof.ts'
import { decide, type Rule } from '../../../core/vault/access/rules.ts'
import { encodeEvent } from '../../../core/vault/audit/event.ts'
import { Log } from '../../../core/vault/audit/log.ts'
import { migrate } from '../../../core/vault/migrate.ts'
import { openSqlite } from '../../../worker/local/sqlite.ts'

const ENTRIES = 100_000
const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const tokenKey = await keyring.macKey('bench', 'token')
const token = mintToken('bench', tokenKey).text.reveal()
const kek = await keyring.currentKek('bench')
const binding = { vault: 'bench', name: 'prod/db', version: 1n, contentType: 'utf8;text/plain' }
const times: Record<string, { p50: number; p99: number }> = {}

async function time(name: string, work: () => unknown): Promise<void> {
  const { p50, p99 } = await measure(work)
  times[name] = { p50: p50 / 1000, p99: p99 / 1000 }
}

for (const [size, bytes] of Object.entries({ '64 B': 64, '1 KiB': 1024, '64 KiB': 65_536 })) {
  const plaintext = randomBytes(bytes)
  const sealed = await seal(kek, plaintext, binding)
  const deks = dekCache()
  await time(`seal ${size}`, () => seal(kek, plaintext, binding))
  await time(`open ${size}`, () => open(kek, sealed, binding))
  await time(`open ${size} again, its key in the cache`, () => open(kek, sealed, binding, deks))
}

const rules = Array.from({ length: 100 }, (_, i): Rule => {
  const conditions = { addresses: ['10.0.0.0/8', '192.0.2.0/24'], agents: ['curl/*'] }
  return { id: `r${i}`, effect: 'permit', principal: '*', actions: ['read'], resource: `team/${i}/**`, conditions }
})
const context = { address: '192.0.2.1', agent: 'curl/8', method: 'session', bound: false, mfaAt: null, now: 0 } as const
const request = { principal: 'ann', action: 'read', resource: 'team/99/db', context } as const
await time('check the tag of a token', () => parseToken(token, tokenKey))
await time('decide by 100 rules', () => decide(request, rules))

const sql = openSqlite(':memory:')
migrate(sql, 0)
const log = new Log(sql)
const who = { request: crypto.randomUUID(), principal: 'ann', token: crypto.randomUUID(), session: null }
const what = { operation: 'secret.read', action: 'read', resource: 'prod/db', rule: 'r1', outcome: 'ok' } as const
const from = { at: 0, address: '192.0.2.1', agent: 'curl/8', severity: 'info', facts: { version: 1 } } as const
const append = () => log.append((index, previous) => encodeEvent({ ...who, ...what, ...from }, index, previous))
sql.atomic(() => {
  while (append() < ENTRIES);
})
await time('append an entry, in memory', append)
await time('prove one of 100,000 entries', () => inclusionProof(50_000, ENTRIES, log.read))

const headers = [
  ['host', 'secretsmanager.eu-central-1.amazonaws.com'],
  ['content-type', 'application/x-amz-json-1.1'],
  ['x-amz-target', 'secretsmanager.GetSecretValue'],
] as const
const post = { method: 'POST', path: '/', query: '', headers, body: utf8('{"SecretId":"prod/db"}') }
const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: new Redacted('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY') }
await time('sign a request to AWS', () =>
  sign(post, keys, { region: 'eu-central-1', service: 'secretsmanager', now: 0 }),
)
process.stdout.write(JSON.stringify(times))
