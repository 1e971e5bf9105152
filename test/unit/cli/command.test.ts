/** What the commands share: the token of the environment, and how they end. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tokenFrom } from '../../../cli/command.ts'
import { mintTicket } from '../../../core/authentication/ticket.ts'
import { mintToken } from '../../../core/authentication/token.ts'
import { canary, leaks } from '../../support/canary.ts'
import { refusalFrom, shownBy } from '../../support/core.ts'

const ROOT = join(import.meta.dirname, '../../..')
const KEY = new Uint8Array(32)
const token = mintToken('default', KEY).text.reveal()
const session = mintToken('default', KEY, 'session').text.reveal()
const ticket = mintTicket('default', KEY, { purpose: 'bootstrap' }, Date.now()).reveal()

describe('tokenFrom', () => {
  it('takes a token or a session token', () => {
    expect(tokenFrom({ TOKEN: token }).reveal()).toBe(token)
    expect(tokenFrom({ TOKEN: session }).reveal()).toBe(session)
  })

  it.each([undefined, '', ' '])('refuses TOKEN as %j, and says that it must be set', (unset) => {
    const error = refusalFrom(() => tokenFrom({ TOKEN: unset }))
    expect([error.code, error.detail.field, error.message]).toEqual([
      'bad_request',
      'TOKEN',
      expect.stringMatching(/^Must be set/),
    ])
  })

  it('refuses a ticket, and says what to do with it', () => {
    const error = refusalFrom(() => tokenFrom({ TOKEN: ticket }))
    expect([error.code, error.detail.field, error.message]).toEqual([
      'bad_request',
      'TOKEN',
      expect.stringMatching(/ticket/),
    ])
    expect(leaks(shownBy(error), [ticket])).toEqual([])
  })

  it.each([
    ['another secret', () => canary()],
    ['the header of a token', () => `Bearer ${token}`],
    ['a token and a newline', () => `${token}\n`],
    ['a token in quotes', () => `"${token}"`],
    ['the beginning of a token', () => token.slice(0, -1)],
  ])('refuses %s without quoting it', (_, make) => {
    const text = make()
    const error = refusalFrom(() => tokenFrom({ TOKEN: text }))
    expect([error.code, error.detail.field]).toEqual(['bad_request', 'TOKEN'])
    expect(leaks(shownBy(error), [text])).toEqual([])
  })
})

describe('a command that calls a server', () => {
  const key = 'postern.invalid/audit/default+9176c43c+Af4kI1PmfwyF272a9UVp27O8qegqaKfhEhHrmJP1LgTM'
  it.each([
    ['cli/audit_verify.ts', ['--url', 'http://127.0.0.1:1', '--vault', 'default', '--key', key]],
    ['docs/examples/access_tour.ts', []],
    ['docs/examples/rotation_tour.ts', []],
  ])('%s exits with 1 and one line when TOKEN is unset, wrong, or the server is down', (script, args) => {
    const wrong = canary()
    for (const [TOKEN, line] of [
      ['', /^TOKEN: Must be set/],
      [wrong, /^TOKEN: /],
      [token, /^(?!TOKEN).+/],
    ] as const) {
      const env = { ...process.env, TOKEN, POSTERN_ENDPOINT: 'http://127.0.0.1:1' }
      const ran = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, env, encoding: 'utf8' })
      expect([ran.status, ran.stdout]).toEqual([1, ''])
      expect(ran.stderr).toMatch(line)
      expect(ran.stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(leaks(ran.stderr, [wrong, token])).toEqual([])
    }
  })
})
