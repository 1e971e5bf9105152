import { describe, expect, it } from 'vitest'
import { render } from '../../../../core/export/render.ts'
import { encodeEvent } from '../../../../core/vault/audit/event.ts'
import { severityOf } from '../../../../core/vault/audit/severity.ts'
import { openVault, writeOf } from '../../../support/core.ts'

const LOG = 'example.com/audit/acme'
const event = {
  ...{ at: Date.UTC(2026, 0, 2), request: 'r', operation: 'secret.read', principal: 'ann', token: 't', session: null },
  ...{ address: '192.0.2.1', agent: 'curl/8', resource: 'prod/db', rule: 'r1', facts: { version: 1 } },
  ...({ action: 'read', outcome: 'ok', severity: 'info' } as const),
}
const entry = (change: object = {}, index = 0) =>
  Buffer.from(encodeEvent({ ...event, ...change }, index, null)).toString()
const ocsf = (change: object = {}) => JSON.parse(render([entry(change)], 'ocsf', LOG).body)

/** RFC 4180, read by a parser of its own. */
function cells(csv: string): string[][] {
  return csv
    .trimEnd()
    .split('\r\n')
    .map((row) =>
      [...`${row},`.matchAll(/("(?:[^"]|"")*"|[^,]*),/g)].map(([, cell = '']) =>
        cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
      ),
    )
}

describe('an export', () => {
  it('as JSON lines is the hashed bytes', () => {
    expect(render([entry(), entry({}, 1)], 'jsonl', LOG).body).toBe(`${entry()}\n${entry({}, 1)}\n`)
    expect(render([], 'jsonl', LOG).body).toBe('')
  })

  it('as CSV has a header, and each field in its cell', () => {
    const [header, row] = cells(render([entry({ agent: 'a,"b"' })], 'csv', LOG).body)
    const named = Object.fromEntries(header!.map((name, i) => [name, row![i]]))
    expect(named).toMatchObject({ index: '0', agent: 'a,"b"', facts: '{"version":1}', session: '', previous: '' })
    expect(row).toHaveLength(header!.length)
  })

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\uff1d1+1'])('row 45: as CSV makes no formula of %s', (agent) => {
    expect(render([entry({ agent })], 'csv', LOG).body).toContain(`,'${agent},`)
  })

  it.each([';', '|', '; '])('row 45: as CSV contains no formula where %j separates cells, as in some locales', (by) => {
    const told = { note: `x${by}=cmd|' /C calc'!A1`, by: `${by}@x` }
    const { body } = render([entry({ agent: `x${by}=1+1`, facts: told }), entry({ agent: `x${by}-1` })], 'csv', LOG)
    for (const line of body.split('\r\n')) {
      for (const cell of line.split(by.trim())) expect(cell).not.toMatch(/^[\s"]*[=+\-@]/)
    }
    // What begins nothing is left as it is.
    expect(render([entry({ agent: 'a=b; c-d' })], 'csv', LOG).body).toContain(',a=b; c-d,')
  })

  it('as syslog is an RFC 5424 line whose message verifies', () => {
    const severities = { info: 110, notice: 109, warning: 108, alert: 105 } as const
    for (const [severity, priority] of Object.entries(severities)) {
      const { body } = render([entry({ severity })], 'syslog', LOG)
      expect(body).toBe(`<${priority}>1 2026-01-02T00:00:00.000Z - postern - secret.read - ${entry({ severity })}\n`)
    }
  })

  it.each([
    ['a read', {}, 6003, 2],
    ['a write', { operation: 'secret.write', action: 'write' }, 6003, 3],
    ['a destruction', { operation: 'secret.destroy', action: 'delete' }, 6003, 4],
    ['a sign-in', { operation: 'session.open', action: null }, 3002, 1],
    ['a wrong code', { operation: 'totp.fail', action: null, outcome: 'unauthenticated' }, 3002, 1],
    ['a sign-out', { operation: 'session.end', action: null }, 3002, 2],
    ['a change of rules', { operation: 'rule.put', action: 'admin', resource: 'rules' }, 3004, 3],
    ['a task of the vault', { operation: 'retention.announce', action: null, principal: null }, 6003, 99],
  ])('as OCSF is %s', (_, change, uid, activity) => {
    const mapped = ocsf(change)
    expect(mapped).toMatchObject({
      class_uid: uid,
      category_uid: Math.floor(uid / 1000),
      activity_id: activity,
      type_uid: 100 * uid + activity,
      status_id: 'outcome' in change ? 2 : 1,
      metadata: { version: '1.3.0', product: { name: 'Postern' }, sequence: 0, uid: `${LOG}/0` },
    })
    // What each class requires beside the base event.
    const required = { 6003: ['actor', 'api', 'src_endpoint'], 3002: ['user', 'service'], 3004: ['entity'] }[uid]!
    for (const field of required) expect(mapped).toHaveProperty(field)
    expect(mapped.unmapped.entry).toEqual(JSON.parse(entry(change)))
  })
})

describe('severity', () => {
  it.each([
    ['ok', { securityEvent: false, locked: false }, 'info'],
    ['ok', { securityEvent: true, locked: false }, 'notice'],
    ['no_secret', { securityEvent: true, locked: false }, 'info'],
    ['denied', { securityEvent: false, locked: false }, 'warning'],
    ['unauthenticated', { securityEvent: false, locked: true }, 'alert'],
    ['tampered', { securityEvent: false, locked: false }, 'alert'],
  ] as const)('gives %s with %o the severity %s', (outcome, about, severity) => {
    expect(severityOf(outcome, about)).toBe(severity)
  })

  it('filters security events', () => {
    const bench = openVault()
    bench.enrol('ann')
    bench.ask('ann', 'secret.read', { name: 'a' })
    bench.granted('admin', 'secret.write', writeOf('a'))
    bench.granted('admin', 'secret.read', { name: 'a' })
    const shown = (severity: 'notice' | 'warning') =>
      bench
        .granted('admin', 'audit.entries', { from: 0, limit: 100, severity })
        .entries.map(({ body }) => JSON.parse(Buffer.from(body).toString()).operation)
    expect(shown('warning')).toEqual(['secret.read'])
    expect(shown('notice')).toEqual(['vault.bootstrap', 'principal.put', 'token.create', 'secret.read'])
  })

  it('is alert for a guess that locks', () => {
    const bench = openVault({ maxFailedAttempts: 2 })
    bench.enrol('ann')
    for (let i = 0; i < 2; i++) {
      bench.ask('ann', 'totp.begin', { jkt: null, purpose: 'sign_in' })
      bench.ask('ann', 'totp.fail', {})
    }
    const fails = bench.log().filter(({ operation }) => operation === 'totp.fail')
    expect(fails.map(({ facts, severity }) => [facts.locked, severity])).toEqual([
      [false, 'warning'],
      [true, 'alert'],
    ])
  })
})

describe('the recent actions of a caller', () => {
  it('lists the actions of the caller, newest first, without those of others', () => {
    const bench = openVault()
    bench.enrol('ann')
    bench.rule('r', 'ann', ['read'], '**')
    bench.ask('ann', 'secret.read', { name: 'a' })
    bench.ask('ann', 'secret.read', { name: 'b' })
    const mine = bench.granted('ann', 'audit.mine', { limit: 50 })
    const seen = mine.map(({ body }) => JSON.parse(Buffer.from(body).toString()))
    expect(seen.map(({ principal, resource }) => [principal, resource])).toEqual([
      ['ann', 'b'],
      ['ann', 'a'],
    ])
    expect(bench.granted('ann', 'audit.mine', { limit: 1 })).toHaveLength(1)
  })
})

describe('the key of a log', () => {
  it('starts its next term once, for simultaneous requests', () => {
    const bench = openVault()
    expect(bench.granted('admin', 'audit.head', {}).term).toBe(1)
    bench.granted('admin', 'audit.rekey', { term: 2, key: 'example.com/a+00000000+key' })
    expect(bench.reason('admin', 'audit.rekey', { term: 2, key: 'another' })).toBe('raced')
    expect(bench.granted('admin', 'audit.head', {}).term).toBe(2)
    expect(bench.log().at(-2)).toMatchObject({ operation: 'audit.rekey', severity: 'notice', facts: { term: 2 } })
  })
})
