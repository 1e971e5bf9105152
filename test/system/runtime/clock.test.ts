/**
 * Rows 52 and 75 on whole servers: a clock that is set forward and back while they run, and between. The throttle, whose steps are shorter than
 * a server can be stopped at, is tried with a clock that is given to it: `test/unit/core/rate_limit.test.ts`.
 *
 * It needs Debian's libfaketime.
 *
 * @module
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connect, signIn } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { authenticator } from '../../support/authenticator.ts'
import { codeOf } from '../../support/codes.ts'
import { needs } from '../../support/needs.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, startServer } from './servers.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file))

/** Makes a server read its clock with an offset from a file. */
const fakedBy = (file: string) => ({
  LD_PRELOAD: LIBRARY!,
  FAKETIME_TIMESTAMP_FILE: file,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
})

describe.each(['bun', 'deno', 'node'] as const)(
  'on %s',
  needs({ met: LIBRARY !== undefined, remedy: 'install libfaketime' }),
  (runtime) => {
    it('rows 52, 75: a clock that jumps ends sessions early, opens no lock, rotates nothing twice and keeps the log in order', async ({
      task,
    }) => {
      const site = await makeSite()
      const file = join(site.data, 'offset')
      let offsetMs = 0
      const setClock = (ms: number) => {
        offsetMs = ms
        writeFileSync(file, `${ms < 0 ? '' : '+'}${ms / 1000}`)
      }
      setClock(0)
      const server = await startServer(runtime, site, fakedBy(file))
      try {
        const at = { endpoint: server.endpoint, vault: site.vault }
        const admin = connect({ ...at, token: site.token })
        const written: string[] = []
        const write = async (name: string) => {
          await admin.put(name, new Redacted(name))
          written.push(name)
        }
        const newestTime = async () => {
          const { size } = await admin.auditEntries({ limit: 1 })
          const { entries } = await admin.auditEntries({ from: size - 1, limit: 1 })
          return Date.parse(JSON.parse(entries[0]!.body).time)
        }

        // A session; a lock; a rotation every hour.
        await write('a')
        const { client } = await signIn({ ...at, token: site.token })
        await admin.putPrincipal('eve', { kind: 'user' })
        const { token } = await admin.createToken({ principal: 'eve' })
        const enrolling = (await signIn({ ...at, token })).client
        const nextCode = authenticator((await enrolling.enrolTotp()).uri)
        const { recoveryCodes } = await enrolling.confirmTotp(await nextCode())
        const [recoveryCode = ''] = recoveryCodes.reveal()
        const recover = () => codeOf(signIn({ ...at, token, recoveryCode }))
        for (let i = 0; i < 3; i++) await codeOf(signIn({ ...at, token, recoveryCode: 'AAAAA-AAAAA-AAAAA-AAAAA' }))
        expect(await recover()).toBe('unauthenticated')
        await write('rotated')
        await admin.putRotation('rotated', { rotateEvery: 'PT1H', graceSeconds: 60 })
        const version = async () => (await admin.get('rotated')).version
        const settled = async (wanted: number) => {
          // The scheduler looks at the clock every ten seconds.
          for (let i = 0; i < 300 && (await version()) !== wanted; i++) await sleep(100)
          return version()
        }

        setClock(-HOUR)
        await write('b')
        // The times of entries never go back.
        expect(Math.abs((await newestTime()) - Date.now())).toBeLessThan(10 * MINUTE)
        expect(await recover()).toBe('unauthenticated')
        expect(await settled(1)).toBe(1)
        setClock(2 * HOUR)
        await write('c')
        expect(await codeOf(client.get('a'))).toBe('unauthenticated')
        expect(await settled(2)).toBe(2)
        // The lock is over, and so is nothing else: the code is good once.
        expect([await recover(), await recover()]).toEqual(['ok', 'unauthenticated'])
        for (const ms of [0, -24 * HOUR, 2 * HOUR + 10 * MINUTE]) {
          setClock(ms)
          await write(`at/${offsetMs + 24 * HOUR}`)
          await admin.put('wake', new Redacted('x'))
          expect(await version()).toBe(2)
          expect([ms, await codeOf(client.get('a'))]).toEqual([ms, 'unauthenticated'])
        }
        setClock(4 * HOUR)
        expect(await settled(3)).toBe(3)

        const { entries, root, expectedRoot } = await wholeLog(admin)
        expect(root).toBe(expectedRoot)
        expect(entries.map(({ index }) => index)).toEqual(entries.map((_, i) => i))
        const logged = new Set(
          entries.filter(({ operation }) => operation === 'secret.write').map((entry) => entry.resource),
        )
        const lost = written.filter((name) => !logged.has(name)).length
        expect(lost).toBe(0)
        const recovered = 'not needed: it serves at every time; log in order and whole'
        const fault = 'a clock that jumps by hours, forward and back (libfaketime)'
        task.meta.fault = { fault, runtime, acknowledged: written.length, lost, recovered }
      } finally {
        await server.stop()
        site.remove()
      }
    })

    it('row 75: a server that is started with its clock a day behind revives nothing, and says so once', async () => {
      const site = await makeSite()
      const file = join(site.data, 'offset')
      writeFileSync(file, '+0')
      let server = await startServer(runtime, site, fakedBy(file))
      try {
        const here = () => ({ endpoint: server.endpoint, vault: site.vault })
        const asAdmin = () => connect({ ...here(), token: site.token })
        await asAdmin().putPrincipal('ann', { kind: 'user' })
        await asAdmin().putRule('ann', { effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' })
        const expiry = Date.now() + 3000
        const expiresAt = new Date(expiry).toISOString()
        const { token } = await asAdmin().createToken({ principal: 'ann', expiresAt })
        await asAdmin().put('short', new Redacted('x'), { expiresAt: new Date(expiry) })
        const told = () => server.output().match(/"event":"clock_\w+".*/g) ?? []
        const asked = async () => [
          await codeOf(connect({ ...here(), token }).get('short')),
          await codeOf(asAdmin().get('short')),
        ]
        await sleep(Math.max(0, expiry - Date.now()) + 10)
        expect([await asked(), told()]).toEqual([['unauthenticated', 'not_found'], []])
        await server.stop()

        writeFileSync(file, '-86400')
        server = await startServer(runtime, site, fakedBy(file))
        expect(await asked()).toEqual(['unauthenticated', 'not_found'])
        // Tokens made in the meantime are valid.
        const { client } = await signIn({ ...here(), token: site.token })
        expect(await codeOf(client.put('new', new Redacted('x')))).toBe('ok')
        expect([await asked(), await codeOf(client.get('new'))]).toEqual([['unauthenticated', 'not_found'], 'ok'])
        expect(told()).toHaveLength(1)
        const [, behindSeconds] = /"behindSeconds":(\d+)/.exec(told()[0]!) ?? []
        expect(Math.abs(Number(behindSeconds) - 86_400)).toBeLessThan(600)

        writeFileSync(file, '+0')
        expect([await asked(), await codeOf(client.get('new'))]).toEqual([['unauthenticated', 'not_found'], 'ok'])
        expect(told().map((line) => line.slice(0, 21))).toEqual(['"event":"clock_behind', '"event":"clock_right"'])
      } finally {
        await server.stop()
        site.remove()
      }
    })
  },
)
